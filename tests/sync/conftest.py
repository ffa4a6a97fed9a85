"""A memory directory with real stores for each test."""

import contextlib

import pytest
from sync_world import World


@pytest.fixture
def opened(tmp_path):
    """Opens worlds (in ``tmp_path / "m"`` unless told otherwise) and closes them in the end."""
    with contextlib.ExitStack() as stack:

        def open_world(path=tmp_path / "m", **options):
            world = World(path, **options)
            stack.callback(world.close)
            return world

        yield open_world


@pytest.fixture
def world(opened):
    return opened()
