"""Any byte changed, any length cut: never anything but an AESGError, never a write, and no sound concept lost."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aesg_graph.errors import AESGError, AESGStorageError
from aesg_graph.interchange.aesg.layout import META, NODES
from tests.interchange.aesg_world import CONCEPTS, NODE, looked_at, stamps, trimmed

FILES = ("nodes.aesg", "edges.aesg", "evolution.aesglog", "meta.npy")
FLIP = st.tuples(st.integers(0, 10**9), st.integers(1, 255))


class Sound(tuple):
    """A path and the bytes at it; said shortly when a test fails."""

    def __repr__(self):
        return f"Sound({self[0]})"


@pytest.fixture(scope="module")
def sound(original, tmp_path_factory):
    """A directory of this module's own, and its files' bytes."""
    folder = trimmed(original.folder, tmp_path_factory.mktemp("flips") / "aesg")
    return Sound((folder, {name: (folder / name).read_bytes() for name in FILES}))


@pytest.fixture(scope="module")
def sound_pack(original, tmp_path_factory):
    path = tmp_path_factory.mktemp("flips") / "x.aesgpack"
    path.write_bytes(original.pack.read_bytes())
    return Sound((path, original.pack.read_bytes()))


def written(sound, **files):
    """The directory with other bytes in some of its files, which are named by their first letters."""
    folder, data = sound
    for name in FILES:
        (folder / name).write_bytes(files.get(name.partition(".")[0], data[name]))
    return folder


def flipped(data, flips, within):
    changed = bytearray(data)
    for place, mask in flips:
        changed[place % within] ^= mask
    return bytes(changed)


@given(st.lists(FLIP, min_size=1, max_size=4))
def test_bytes_changed_in_the_records_cost_the_concepts_they_are_in_at_most(sound, flips):
    data = sound[1][NODES]
    nodes = flipped(data, flips, NODE.itemsize * CONCEPTS)
    before = np.frombuffer(data, NODE), np.frombuffer(nodes, NODE)
    touched = sum(a.tobytes() != b.tobytes() for a, b in zip(*before, strict=True))
    folder = written(sound, nodes=nodes)
    found = looked_at(folder).concepts
    # A flip can also bring the one that was merged back to life.
    assert CONCEPTS - 1 - touched <= found <= CONCEPTS


@given(st.lists(FLIP, min_size=1, max_size=4), st.lists(FLIP, max_size=3))
def test_bytes_changed_in_edges_and_log_cost_no_concept(sound, edges, log):
    data = sound[1]
    folder = written(
        sound,
        edges=flipped(data["edges.aesg"], edges, 36 * 80),
        evolution=flipped(data["evolution.aesglog"], log, len(data["evolution.aesglog"])),
    )
    before = stamps(folder)
    assert looked_at(folder).concepts == CONCEPTS - 1
    assert stamps(folder) == before


@given(st.lists(FLIP, min_size=1, max_size=3), st.integers(0, 400))
def test_whatever_meta_says_the_concepts_are_found(sound, flips, size):
    meta = flipped(sound[1][META], flips, len(sound[1][META]))[:size]
    assert looked_at(written(sound, meta=meta)).concepts == CONCEPTS - 1


@given(st.sampled_from(FILES), st.integers(0, 10**9))
def test_a_file_that_was_cut_brings_what_is_left_of_it(sound, name, place):
    data = sound[1][name]
    size = place % len(data)
    folder = written(sound, **{name.partition(".")[0]: data[:size]})
    if name == NODES and size < NODE.itemsize:
        with pytest.raises(AESGStorageError, match=NODES):
            looked_at(folder)
    else:
        whole = min(CONCEPTS, size // NODE.itemsize) if name == NODES else CONCEPTS
        assert whole - 1 <= looked_at(folder).concepts <= whole


@given(st.binary(max_size=600), st.binary(max_size=200), st.binary(max_size=100))
def test_any_bytes_are_an_error_or_read(sound, nodes, edges, meta):
    folder = written(sound, nodes=nodes, edges=edges, meta=meta)
    with pytest.raises(AESGError):
        looked_at(folder)


@given(FLIP)
def test_any_byte_changed_in_a_pack_is_an_error(sound_pack, flip):
    path, data = sound_pack
    path.write_bytes(flipped(data, [flip], len(data)))
    with pytest.raises(AESGStorageError, match=r"x\.aesgpack"):
        looked_at(path)


@given(FLIP)
def test_any_byte_changed_in_the_header_of_a_pack_is_an_error(sound_pack, flip):
    path, data = sound_pack
    path.write_bytes(flipped(data, [flip], 56))
    with pytest.raises(AESGStorageError, match=r"x\.aesgpack"):
        looked_at(path)


@given(st.integers(0, 10**9))
def test_a_pack_that_was_cut_anywhere_is_an_error(sound_pack, place):
    path, data = sound_pack
    path.write_bytes(data[: place % len(data)])
    with pytest.raises(AESGStorageError, match=r"x\.aesgpack"):
        looked_at(path)
