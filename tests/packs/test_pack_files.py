"""Pack files: whatever is wrong with one is an AESGStorageError that names it, and nothing is believed before."""

import hashlib
import json
import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pack_scenes import D, V

from aesg_graph import AESGConfig, AESGStorageError
from aesg_graph.packs import load_pack
from aesg_graph.packs.layout import END, PREFIX, TRAILER
from aesg_graph.packs.summary import summarize


@pytest.fixture(scope="module")
def small(birds, tmp_path_factory):
    """A pack of four concepts, its bytes, and where to write others."""
    path = tmp_path_factory.mktemp("small") / "small.aesgpack"
    birds[0].export_pack(path, kind="wren")
    return path, path.read_bytes(), path.with_name("changed.aesgpack")


def refused(path, data):
    """What is said of a file of these bytes."""
    path.write_bytes(data)
    with pytest.raises(AESGStorageError) as raised:
        load_pack(path)
    said = raised.value.message
    assert said.startswith(f"Failed to read pack file '{path}': ")
    return said


def forged(data, change):
    """A pack whose header was changed by somebody who can compute checksums."""
    length = TRAILER.unpack(data[-TRAILER.size :])[0]
    end = len(data) - TRAILER.size
    header = json.loads(data[end - length : end])
    change(header)
    text = json.dumps(header).encode()
    return sealed(data[: end - length], text)


def sealed(body, text):
    whole = body + text + struct.pack("<Q8s", len(text), END)
    return whole + hashlib.sha256(whole).digest()


def test_every_byte_counts(small):
    _path, data, changed = small
    for place in range(len(data)):
        flipped = bytearray(data)
        flipped[place] ^= 1 << place % 8
        refused(changed, bytes(flipped))


def test_every_length_counts(small):
    _path, data, changed = small
    for length in [*range(0, len(data), 37), len(data) - 1]:
        refused(changed, data[:length])


@given(st.binary(min_size=1, max_size=300))
def test_nothing_may_follow(small, more):
    _path, data, changed = small
    refused(changed, data + more)


@given(st.binary(max_size=300))
def test_noise_is_no_pack(small, noise):
    _path, data, changed = small
    refused(changed, noise)
    refused(changed, data[: PREFIX.size] + noise)


@pytest.mark.parametrize(
    ("version", "said"), [(1, "`aesg import` reads it"), (3, "version 3, expected 2, which a newer"), (0, "version 0")]
)
def test_another_version_says_who_may_read_it(small, version, said):
    _path, data, changed = small
    assert said in refused(changed, PREFIX.pack(b"AESGPACK", version) + data[PREFIX.size :])


def test_a_missing_file_and_a_folder_are_no_packs(tmp_path):
    for path, said in ((tmp_path / "absent.aesgpack", "No such file"), (tmp_path, "it is no file")):
        with pytest.raises(AESGStorageError, match=said):
            load_pack(path)


def set_to(*path):
    """A change of one thing in a header."""
    *places, last, value = path

    def change(header):
        part = header
        for place in places:
            part = part[place]
        part[last] = value

    return change


@pytest.mark.parametrize(
    "change",
    [
        set_to("vector_dim", 1 << 40),
        set_to("vector_dim", 0),
        set_to("vector_dim", "8"),
        set_to("value_dim", V + 1),
        set_to("value_dim", -1),
        set_to("concepts", 1 << 50),
        set_to("concepts", True),
        set_to("edges", 0),
        set_to("chunks", 0, "rows", 1 << 50),
        set_to("chunks", 0, "bytes", 1 << 50),
        set_to("chunks", 0, "bytes", -1),
        set_to("chunks", 0, "what", "secrets"),
        set_to("chunks", 0, "digest", "00"),
        set_to("chunks", None),
        set_to("chunks", 0, {}),
        set_to("kinds", []),
        set_to("kinds", [""]),
        set_to("kinds", [7]),
        set_to("name", None),
        set_to("relations", []),
        set_to("relations", 0, "forward", -1.0),
        set_to("relations", 0, "forward", "much"),
        set_to("relations", 0, "name", ["A"]),
        set_to("provenance", []),
        *(
            set_to("provenance", name, value)
            for name, value in (
                *(("epoch", bad) for bad in ("x", -1, 1.5, True, 1 << 63, None)),
                *(("exported_at", bad) for bad in ("x", 10**30, -1, float("nan"), True)),
                *(("filters", bad) for bad in ([1], 7, {"min_relevance": 2}, {"region_id": -1}, {"kind": 7})),
                *(("memory", bad) for bad in (7, "\udc80")),
                *(("incarnation", "x"), ("package", []), ("of another kind", float("inf"))),
            )
        ),
        *(set_to("name", bad) for bad in ("", " ", "a\x1b[2J", "a\nb", "\udc80", "a" * 256)),
        set_to("kinds", ["wren", "wren"]),
        lambda header: header["encoders"].append(header["encoders"][0]),
        lambda header: header["relations"].append(header["relations"][0]),
        set_to("relations", 0, "symmetric", "yes"),
        set_to("relations", 0, "forward", float("inf")),
        set_to("relations", 0, "forward", True),
        set_to("relations", 0, "backward", 10**400),
        lambda header: header.pop("name"),
        lambda header: header.update(extra=1),
        lambda header: header["chunks"].reverse(),
        lambda header: header["chunks"].append(header["chunks"][-1]),
    ],
)
def test_a_header_that_lies_is_refused_before_anything_is_allocated(small, change):
    refused(small[2], forged(small[1], change))


def test_a_header_that_is_no_object_is_refused(small):
    _path, data, changed = small
    for text in (b"[]", b"7", b"", b"{", b"[" * 100_000, b'{"chunks": 1}', b"\xff\xfe"):
        refused(changed, sealed(data[: PREFIX.size], text))


def rewritten(data, column, what="concepts"):
    """A pack in which somebody who can compute checksums changed a column's first number, by its place in the chunk."""
    length = TRAILER.unpack(data[-TRAILER.size :])[0]
    end = len(data) - TRAILER.size
    header = json.loads(data[end - length : end])
    body = bytearray(data[: end - length])
    start = PREFIX.size
    for chunk in header["chunks"]:
        if chunk["what"] == what:
            place, number = column(chunk["rows"])
            number = bytes(body[start : start + 8]) if number is None else number  # None: as the chunk's first
            body[start + place : start + place + len(number)] = number
            chunk["digest"] = hashlib.sha256(body[start : start + chunk["bytes"]]).hexdigest()
        start += chunk["bytes"]
    return sealed(bytes(body), json.dumps(header).encode())


def f4(number):
    return np.float32(number).tobytes()


def i8(number):
    return np.int64(number).tobytes()


def test_what_is_not_known_of_where_a_pack_comes_from_may_be_absent_or_more(small):
    path, data, changed = small
    changed.write_bytes(forged(data, set_to("provenance", {"by": ["hand"]})))
    id = int(load_pack(path).rows.ids[0])
    assert load_pack(changed).concept(id).kind == "wren"
    assert summarize(changed).provenance == {"by": ["hand"]}


TO_KEYS, TO_VALUES = 8, 8 + 4 * D
TO_FLAGS = TO_VALUES + 4 * V
BAD_CONCEPTS = {
    "a negative id": (lambda n: (0, i8(-1)), "negative"),
    "ids out of order": (lambda n: (0, i8((1 << 63) - 1)), "ascending"),
    "a key that is not finite": (lambda n: (n * TO_KEYS, f4(np.nan)), "finite"),
    "a key of another length": (lambda n: (n * TO_KEYS, f4(3.0)), "length 1"),
    "a value that is not finite": (lambda n: (n * TO_VALUES, f4(np.inf)), "finite"),
    "a flag that is none": (lambda n: (n * TO_FLAGS, b"\2"), "has a value"),
    "a kind that has no name": (lambda n: (n * (TO_FLAGS + 1), np.int32(9).tobytes()), "kinds"),
    "an encoder below 0": (lambda n: (n * (TO_FLAGS + 5), np.int32(-1).tobytes()), "encoders"),
    "a relevance above 1": (lambda n: (n * (TO_FLAGS + 9), np.float64(2).tobytes()), "relevances"),
    "negative uses": (lambda n: (n * (TO_FLAGS + 17), i8(-1)), "negative"),
    "a negative age": (lambda n: (n * (TO_FLAGS + 33), i8(-1)), "negative ages"),
    "a region below none": (lambda n: (n * (TO_FLAGS + 41), i8(-2)), "regions below -1"),
    "a value that is not there": (lambda n: (n * TO_FLAGS, b"\0"), "values of concepts that have none"),
    "a text longer than the chunk": (lambda n: (n * (TO_FLAGS + 49), np.int32(1 << 30).tobytes()), "longer"),
    "a text of a negative length": (lambda n: (n * (TO_FLAGS + 49), np.int32(-2).tobytes()), "longer"),
}
BAD_EDGES = {
    "an end that is not in the pack": (lambda m: (0, i8(5)), "leads to"),
    "an edge to itself": (lambda m: (8 * m, None), "itself"),
    "a type that has no name": (lambda m: (16 * m, np.int16(9).tobytes()), "types"),
    "a weight above 1": (lambda m: (18 * m, f4(1.5)), "weights"),
    "a weight that is no number": (lambda m: (18 * m, f4(np.nan)), "weights"),
    "a confidence that is no number": (lambda m: (22 * m, f4(np.nan)), "weights"),
    "negative uses": (lambda m: (26 * m, i8(-1)), "negative"),
}


@pytest.mark.parametrize("name", BAD_CONCEPTS)
def test_rows_that_no_export_writes_are_refused(small, name):
    column, said = BAD_CONCEPTS[name]
    assert said in refused(small[2], rewritten(small[1], column))


@pytest.mark.parametrize("name", BAD_EDGES)
def test_edges_that_no_export_writes_are_refused(small, name):
    column, said = BAD_EDGES[name]
    assert said in refused(small[2], rewritten(small[1], column, "edges"))


def test_a_forged_pack_that_says_the_same_is_read(small):
    path, data, changed = small
    changed.write_bytes(forged(rewritten(data, lambda n: (0, b"")), lambda header: None))
    assert np.array_equal(load_pack(changed).nodes, load_pack(path).nodes)


def test_a_memory_of_other_dimensions_names_both(opened, packed):
    wide = opened("wide", AESGConfig(vector_dim=D + 1, value_dim=V))
    bare = opened("bare", AESGConfig(vector_dim=D))
    for memory in (wide, bare):
        with pytest.raises(AESGStorageError, match="vector_dim=8 and value_dim=3, expected those of the memory"):
            memory.load_pack(packed)
        with pytest.raises(AESGStorageError, match="expected those of the memory"):
            memory.import_pack(packed)
        assert memory.storage.node_count == 0


def test_a_pack_that_was_loaded_does_not_need_its_file(birds, opened, packed, tmp_path):
    path = tmp_path / "pack"
    path.write_bytes(packed.read_bytes())
    memory = opened()
    pack = memory.load_pack(path)
    memory.attach_pack(pack)
    before = memory.retrieve(pack.rows.keys[:3], learn=False).ids
    path.write_bytes(b"something else")
    assert memory.retrieve(pack.rows.keys[:3], learn=False).ids.equal(before)
    path.unlink()
    assert len(memory.import_pack(pack)) == len(pack)
