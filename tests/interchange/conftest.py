"""A memory that `aesg` made, once a session, and copies of it to be damaged."""

import shutil

import pytest

from tests.interchange.aesg_world import make, trimmed


@pytest.fixture(scope="session")
def original(tmp_path_factory):
    """As `aesg` left it. Nobody may change it."""
    return make(tmp_path_factory.mktemp("aesg"))


@pytest.fixture
def folder(original, tmp_path):
    """A small copy of the directory, of this test's own."""
    return trimmed(original.folder, tmp_path / "aesg_memory")


@pytest.fixture
def pack(original, tmp_path):
    """A copy of the pack, of this test's own."""
    return shutil.copyfile(original.pack, tmp_path / "aesg.aesgpack")
