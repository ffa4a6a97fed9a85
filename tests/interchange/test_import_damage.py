"""Files of `aesg` that are damaged: what can be repaired comes and is told of, the rest is an error naming the file."""

import hashlib
from pathlib import Path

import numpy as np
import pytest

from aesg_graph.engine.moving import Place, sources
from aesg_graph.errors import AESGStorageError
from aesg_graph.interchange.aesg import import_aesg
from aesg_graph.interchange.aesg.layout import EDGE_TYPE, EVENT_TYPE, node_type
from tests.interchange.aesg_world import (
    CONCEPTS,
    DIM,
    MERGED,
    NODE,
    RECORDS,
    Changed,
    changed_edges,
    changed_nodes,
    found,
    header,
    held,
    looked_at,
    text,
)

SOUND = {"inactive", "edge_inactive", "joined"}
"""What is told of the files as `aesg` left them, at most."""


def amiss(report):
    """What is told that is not told of the files as `aesg` left them."""
    return {what: count for what, count in found(report).items() if what not in SOUND}


def test_files_as_aesg_left_them_have_nothing_amiss(folder, pack):
    assert amiss(looked_at(folder)) == {}
    assert amiss(looked_at(pack)).keys() <= {"dangling"}, "edges to the merged concept, which is not in the pack"


# Concepts


def test_inactive_records_are_left_out(original, folder):
    with changed_nodes(folder) as rows:
        rows["active"][[0, 3]] = 0
    report = looked_at(folder)
    assert found(report)["inactive"] == 3
    assert report.concepts == len(original.active) - 2
    assert original.nodes["id"][MERGED] in next(f.first for f in report.findings if f.what == "inactive")


def test_an_id_that_is_said_twice_with_one_vector_is_one_concept_the_one_used_most(folder, tmp_path):
    with changed_nodes(folder) as rows:
        rows[CONCEPTS] = rows[2]
        rows["uses"][CONCEPTS] = 500
        id = rows["id"][2]
    report = import_aesg(folder, tmp_path / "memory")
    assert found(report)["repeated"] == 1
    assert held(tmp_path / "memory").concepts[text(id)]["uses"] == 500


def test_an_id_of_two_concepts_with_other_vectors_stays_two_and_edges_go_to_the_one_used_more(folder, tmp_path):
    with changed_nodes(folder) as rows:
        rows["id"][3] = rows["id"][12]
        rows["uses"][[3, 12]] = 2, 50
        rows["age"][3] = 1
        shared = text(rows["id"][12])
    before = looked_at(folder)
    assert found(before)["same_id"] == 1
    assert before.concepts == CONCEPTS - 1
    report = import_aesg(folder, tmp_path / "memory")
    with sources.opened(Place.named(str(tmp_path / "memory"))) as source:
        page = source.graph.page(-1, 1000)
    table, edges = page.concepts.table, page.edges
    uses = {int(u): int(i) for i, u, t in zip(table.ids, table.use_frequency, table.texts, strict=True) if t == shared}
    ends = np.concatenate([edges.sources, edges.targets])
    assert uses.keys() == {2, 50}
    assert (uses[50] in ends, uses[2] in ends) == (True, False)
    assert import_aesg(folder, tmp_path / "memory").there == report.added == CONCEPTS - 1


def test_one_id_for_all_is_every_concept_and_again_adds_none(original, folder, tmp_path):
    with changed_nodes(folder) as rows:
        rows["id"][:CONCEPTS] = 0
    report = import_aesg(folder, tmp_path / "memory")
    assert (report.added, report.edges_added) == (len(original.active), 0)
    assert found(report)["same_id"] == 1
    assert import_aesg(folder, tmp_path / "memory").there == report.added


@pytest.mark.parametrize(("number", "what"), [(np.nan, "not_finite"), (-np.inf, "not_finite"), (0, "zero_vector")])
def test_vectors_without_a_direction_are_left_out_with_their_edges(original, folder, number, what):
    with changed_nodes(folder) as rows:
        rows["vector"][10] = number
    report = looked_at(folder)
    assert amiss(report).keys() == {what, "edge_left_out"}
    assert report.concepts == len(original.active) - 1


@pytest.mark.parametrize(
    ("field", "value", "kept"),
    [
        ("created", 2**60, True),
        ("modified", 0, True),
        ("relevance", np.nan, True),
        ("active", 99, True),
        ("age", -1, True),
    ],
)
def test_one_field_without_sense_is_put_right(original, folder, tmp_path, field, value, kept):
    with changed_nodes(folder) as rows:
        rows[field][5] = np.array(value).astype(rows.dtype[field])
        id = rows["id"][5]
    report = import_aesg(folder, tmp_path / "memory")
    assert report.added == len(original.active)
    assert amiss(report) == ({} if field == "age" else {"put_right": 1})
    life = held(tmp_path / "memory").concepts[text(id)]
    assert 1e9 <= life["created"] <= 4e9
    assert 0 <= life["relevance"] <= 1


def test_a_record_of_nonsense_is_left_out(original, folder):
    with changed_nodes(folder) as rows:
        rows.view(np.uint8).reshape(RECORDS, -1)[5] = np.random.default_rng(1).integers(0, 256, NODE.itemsize)
    report = looked_at(folder)
    assert report.concepts == len(original.active) - 1
    assert found(report)["damaged"] == 1
    assert found(report)["lost"] == 1, "the log says that it was created"


def test_numbers_that_signal_are_as_quiet_as_others(original, folder):
    signalling = np.array([0x7FA00000], np.uint32).view(np.float32)[0]
    with changed_nodes(folder) as rows:
        rows["vector"].view(np.uint32)[3, 0] = rows["relevance"].view(np.uint32)[5] = signalling.view(np.uint32)
    with changed_edges(folder) as rows:
        rows["weight"].view(np.uint32)[50] = rows["confidence"].view(np.uint32)[60] = signalling.view(np.uint32)
    told = amiss(looked_at(folder))
    assert told == {
        "not_finite": 1,
        "put_right": 1,
        "edge_left_out": told["edge_left_out"],
        "edge_damaged": 1,
        "clipped": 1,
    }


def test_ids_of_any_size_are_kept(folder, tmp_path):
    with changed_nodes(folder) as rows:
        rows["id"][0] = 2**64 - 1
    import_aesg(folder, tmp_path / "memory")
    assert text(2**64 - 1) in held(tmp_path / "memory").concepts


# The files


def test_a_directory_that_was_cut_brings_the_whole_records(original, folder):
    with open(folder / "nodes.aesg", "r+b") as file:
        file.truncate(NODE.itemsize * 20 + 30)
    with open(folder / "edges.aesg", "r+b") as file:
        file.truncate(EDGE_TYPE.itemsize * 30 + 1)
    (folder / "meta.npy").unlink()
    report = looked_at(folder)
    assert report.concepts == 19  # one was merged away
    told = found(report)
    assert (told["nodes_cut"], told["edges_cut"], told["meta_absent"]) == (30, 1, 1)
    assert told["lost"] == len(original.nodes) - 20
    assert told["dangling"] > 0
    assert told["list_past_end"] > 0


@pytest.mark.parametrize("meta", [None, b"", b"\x93NUMPY\x01\x00", b"no numpy at all" * 20])
def test_the_dimension_is_found_without_meta(original, folder, meta):
    (folder / "meta.npy").unlink()
    if meta is not None:
        (folder / "meta.npy").write_bytes(meta)
    report = looked_at(folder)
    assert (report.vector_dim, report.concepts) == (DIM, len(original.active))
    assert amiss(report) == {"meta_absent" if meta is None else "meta_unreadable": 1}


def test_a_stale_meta_is_told_of(original, folder):
    with changed_nodes(folder) as rows:
        rows[CONCEPTS] = rows[0]
        rows["id"][CONCEPTS] = 77
        rows["head"][CONCEPTS] = -1
    assert amiss(looked_at(folder)) == {"meta_stale": 1}


def test_a_meta_that_says_another_dimension_is_not_believed(original, folder):
    data = (folder / "meta.npy").read_bytes()
    place = data.index(b"vector_dim") + len("vector_dim") + 2
    assert data[place] == DIM
    (folder / "meta.npy").write_bytes(data[:place] + bytes([DIM + 1]) + data[place + 1 :])
    report = looked_at(folder)
    assert report.vector_dim == DIM
    assert amiss(report) == {"meta_wrong": 1}


def test_what_a_meta_holds_is_never_run(folder, tmp_path):
    class Runs:
        def __reduce__(self):
            return open, (str(tmp_path / "run"), "w")

    np.save(folder / "meta.npy", np.array({"vector_dim": DIM, "node_count": CONCEPTS, "run": Runs()}, object))
    assert looked_at(folder).vector_dim == DIM
    assert not (tmp_path / "run").exists()


def test_several_short_records_are_not_taken_for_a_long_one(folder):
    (folder / "meta.npy").unlink()
    with open(folder / "nodes.aesg", "r+b") as file:
        file.truncate(NODE.itemsize * 35)
    assert (NODE.itemsize * 5 - 53) % 4 == 0, "five records end as one of a larger dimension does"
    assert looked_at(folder).vector_dim == DIM


def test_two_dimensions_that_would_fit_have_to_be_told_apart(tmp_path):
    folder, now = tmp_path / "one", 1_700_000_000
    folder.mkdir()
    short, long = np.zeros(1, NODE), np.zeros(1, node_type(40))
    for row in (short, long):
        row["id"], row["vector"][:] = 5, 1
        row["created"] = row["modified"] = now
        row["relevance"] = row["stability"] = row["active"] = 1
    # The vector of the one long record holds what a short record would say of its life.
    long["vector"][0].view(np.uint8)[: NODE.itemsize - 8] = short.view(np.uint8)[8:]
    (folder / "nodes.aesg").write_bytes(long.tobytes() + b"cut")
    with pytest.raises(AESGStorageError, match=rf"vector_dim={DIM}, 40 would all fit.*--vector-dim"):
        looked_at(folder)
    assert looked_at(folder, vector_dim=40).concepts == 1
    with pytest.raises(AESGStorageError, match=f"vector_dim={DIM}, 40, and vector_dim=9 was said"):
        looked_at(folder, vector_dim=9)


@pytest.mark.parametrize("told", [7, 15, 17, 64])
def test_a_dimension_that_the_files_speak_against_is_not_believed(told, tmp_path):
    with pytest.raises(AESGStorageError, match=f"makes sense with vector_dim=16, and vector_dim={told} was said"):
        import_aesg(Path(__file__).parent / "from_aesg_0_3", tmp_path / "memory", vector_dim=told)
    assert not (tmp_path / "memory").exists()


def test_several_records_are_not_taken_for_a_long_one(folder):
    with pytest.raises(AESGStorageError, match=f"makes sense with vector_dim={DIM}, and"):
        looked_at(folder, vector_dim=(NODE.itemsize * 5 - 53) // 4)
    assert looked_at(folder, vector_dim=DIM).vector_dim == DIM


def test_where_no_dimension_is_plain_the_user_decides(folder):
    with changed_nodes(folder) as rows:
        rows["created"][2:] = 0
    (folder / "meta.npy").unlink()
    with pytest.raises(AESGStorageError, match="no vector_dim makes sense"):
        looked_at(folder)
    assert looked_at(folder, vector_dim=DIM).vector_dim == DIM


def test_a_directory_without_concepts_says_so(folder):
    with changed_nodes(folder) as rows:
        rows[:] = np.zeros(1, rows.dtype)
    with pytest.raises(AESGStorageError, match=r"nodes\.aesg holds no concept"):
        looked_at(folder)


def test_a_directory_whose_concepts_are_all_inactive_says_so(folder):
    with changed_nodes(folder) as rows:
        rows["active"] = 0
    with pytest.raises(AESGStorageError, match="holds no active concept"):
        looked_at(folder)


def test_bytes_that_are_no_records_are_an_error(folder):
    (folder / "nodes.aesg").write_bytes(np.random.default_rng(0).bytes(50_000))
    with pytest.raises(AESGStorageError, match=r"nodes\.aesg: no vector_dim makes sense"):
        looked_at(folder)


def test_a_torn_log_is_told_of(original, folder):
    with open(folder / "evolution.aesglog", "ab") as file:
        file.write(b"torn")
    with Changed(folder / "evolution.aesglog", EVENT_TYPE) as rows:
        rows["type"][-1] = 200
    with open(folder / "evolution.aesglog", "ab") as file:
        file.write(b"torn")
    report = looked_at(folder)
    assert amiss(report) == {"log_torn": 4, "log_damaged": 1}
    assert report.concepts == len(original.active)


# Edges


def test_dangling_edges_are_left_out(folder):
    sound = looked_at(folder)
    with changed_edges(folder) as rows:
        rows["target"][4] = 987_654_321_987
    report = looked_at(folder)
    assert amiss(report) == {"dangling": 1}
    assert report.edges == sound.edges - 1


@pytest.mark.parametrize(
    ("next_edge", "told"),
    [("itself", {"list_cycle"}), (10**9, {"list_past_end"}), (-7, {"list_past_end"}), (40, {"list_astray"})],
)
def test_edges_are_read_by_their_records_whatever_their_lists_say(folder, tmp_path, next_edge, told):
    sound = looked_at(folder)
    with changed_edges(folder) as rows:
        rows["next"][9] = 9 if next_edge == "itself" else next_edge
    report = looked_at(folder)
    assert amiss(report).keys() >= told
    assert amiss(report).keys() <= told | {"list_unreached"}
    assert (report.edges, report.concepts) == (sound.edges, sound.concepts)


def test_a_head_past_the_end_is_told_of(folder):
    sound = looked_at(folder)
    with changed_nodes(folder) as rows:
        rows["head"][2] = 10**7
    report = looked_at(folder)
    assert amiss(report) == {"list_past_end": 1, "list_unreached": 1}
    assert report.edges == sound.edges


def test_edges_without_a_number_for_a_weight_are_left_out_and_others_are_clipped(folder, tmp_path):
    with changed_edges(folder) as rows:
        rows["weight"][[0, 2, 4]] = np.nan, 7, -1
        rows["confidence"][6] = np.nan
        rows["target"][8] = rows["source"][8]
    report = import_aesg(folder, tmp_path / "memory")
    assert amiss(report) == {"edge_damaged": 1, "clipped": 3, "self_loop": 1}
    weights, confidences, _ = zip(*held(tmp_path / "memory").edges.values(), strict=True)
    assert (min(weights), max(weights), max(confidences)) == (0, 1, 1)


# Packs


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ({"magic": b"AESGPICK"}, "does not begin with AESGPACK"),
        ({"version": 2}, "'aesg pack import' reads it"),
        ({"version": 77}, "version 77, expected 1"),
        ({"dim": DIM + 1}, "is damaged: its header says"),
        ({"dim": 0, "nodes": 1}, "is damaged: its header says"),
        ({"nodes": 0xFFFFFFFF, "dim": 0xFFFFFFFF}, "is damaged: its header says 4294967295 nodes"),
        ({"edges": 0xFFFFFFFF}, "is damaged: its header says"),
        ({"digest": bytes(32)}, "SHA-256"),
    ],
)
def test_a_pack_whose_header_is_not_true_is_an_error(pack, said, message):
    header(pack, **said)
    with pytest.raises(AESGStorageError, match=message) as error:
        looked_at(pack)
    assert str(pack) in str(error.value)


def test_a_pack_whose_payload_was_changed_is_an_error(pack):
    data = bytearray(pack.read_bytes())
    data[200] ^= 1
    pack.write_bytes(data)
    with pytest.raises(AESGStorageError, match="SHA-256"):
        looked_at(pack)


@pytest.mark.parametrize("size", [0, 5, 30, 56, 300, -1, +1])
def test_a_pack_of_another_length_is_an_error(pack, size):
    data = pack.read_bytes()
    pack.write_bytes(data + b"\0" if size == 1 else data[:size])
    with pytest.raises(AESGStorageError):
        looked_at(pack)


def test_edges_that_lead_out_of_a_pack_are_left_out(original, pack):
    data = bytearray(pack.read_bytes())
    rows = np.frombuffer(data, EDGE_TYPE, -1, 56 + len(original.active) * NODE.itemsize)
    before = looked_at(pack)
    rows["target"][0] = 42
    pack.write_bytes(data)
    header(pack, digest=hashlib.sha256(data[56:]).digest())
    report = looked_at(pack)
    assert found(report)["dangling"] == found(before).get("dangling", 0) + 1
    assert report.edges == before.edges - 1
