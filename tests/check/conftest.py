"""The memory that every test of checking damages a copy of."""

import shutil

import pytest
from check_world import Memory, build


@pytest.fixture(scope="session")
def whole(tmp_path_factory):
    path = tmp_path_factory.mktemp("whole") / "memory"
    return path, *build(path)


@pytest.fixture
def memory(whole, tmp_path):
    path, ids, removed = whole
    shutil.copytree(path, tmp_path / "memory")
    return Memory(tmp_path / "memory", ids, removed)
