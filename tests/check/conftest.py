"""The memory that every test of checking damages a copy of."""

import pytest
from check_world import Memory, build
from sparse_files import copy_tree


@pytest.fixture(scope="session")
def whole(tmp_path_factory):
    path = tmp_path_factory.mktemp("whole") / "memory"
    return path, *build(path)


@pytest.fixture
def memory(whole, tmp_path):
    path, ids, removed = whole
    return Memory(copy_tree(path, tmp_path / "memory"), ids, removed)
