"""What `aesg` made is here afterwards: every active concept with its life, every edge, in either engine."""

import os
from pathlib import Path

import numpy as np
import pytest
import torch

from aesg_graph import AESGMemory
from aesg_graph.config import AESGConfig
from aesg_graph.errors import AESGConfigError, AESGError, AESGMemoryError, AESGStorageError
from aesg_graph.interchange.aesg import import_aesg
from tests.interchange.aesg_world import (
    CONCEPTS,
    DIM,
    changed_edges,
    changed_nodes,
    engine_at,
    expected_edges,
    found,
    held,
    looked_at,
    stamps,
    text,
    trimmed,
)


def expect_all(memory, original, nodes=None):
    """The memory has exactly what the source has."""
    nodes = original.active if nodes is None else nodes
    assert memory.concepts.keys() == {text(id) for id in nodes["id"]}
    wanted = expected_edges(nodes, original.edges)
    assert memory.edges.keys() == wanted.keys()
    assert all(abs(memory.edges[pair][0] - weight) < 1e-6 for pair, weight in wanted.items())
    for node in nodes:
        key = node["vector"] / np.linalg.norm(node["vector"])
        np.testing.assert_allclose(memory.keys[text(node["id"])], key, atol=1e-6)


def test_a_directory_as_aesg_left_it_becomes_a_new_memory(original, tmp_path):
    report = import_aesg(original.folder, tmp_path / "memory")
    assert (report.form, report.vector_dim, report.made) == ("directory", DIM, True)
    assert report.added == report.concepts == len(original.active) == CONCEPTS - 1
    memory = held(tmp_path / "memory")
    expect_all(memory, original)
    assert report.edges_added == report.edges == len(memory.edges)
    assert found(report)["inactive"] == 1
    assert not {"dangling", "lost", *(f"list_{how}" for how in ("cycle", "past_end", "astray"))} & found(report).keys()


def test_a_directory_that_aesg_0_3_made_comes_too(tmp_path):
    """Made by aesg 0.3.0 (its records past those in use were cut off): 20 concepts in a chain, three epochs old."""
    report = import_aesg(Path(__file__).parent / "from_aesg_0_3", tmp_path / "memory")
    assert (report.vector_dim, report.added, report.edges_added, report.findings) == (16, 20, 10, ())
    memory = held(tmp_path / "memory")
    assert {memory.head.epoch - life["born"] for life in memory.concepts.values()} == {3}
    assert {round(weight, 6) for weight, _, _ in memory.edges.values()} == {0.5}


def test_a_concepts_life_comes_with_it(original, folder, tmp_path):
    import_aesg(folder, tmp_path / "memory", kind="memory of aesg")
    memory = held(tmp_path / "memory")
    assert memory.head.epoch == 3
    for node in original.active:
        life = memory.concepts[text(node["id"])]
        assert (life["uses"], life["created"]) == (node["use_frequency"], node["created_at"])
        assert life["relevance"] == pytest.approx(float(node["relevance"]))
        assert memory.head.epoch - life["born"] == node["age"]
        assert life["region"] == (4 if node["region_id"] == 4 else -1)
        assert (life["kind"], life["name"]) == ("memory of aesg", f"~{text(node['id'])}")
    weights, confidences, _ = zip(*memory.edges.values(), strict=True)
    assert 0.75 in confidences
    assert max(weights) <= 1


def test_a_memory_made_from_aesg_recalls_and_learns(original, folder, tmp_path):
    import_aesg(folder, tmp_path / "memory")
    with AESGMemory(tmp_path / "memory") as memory:
        asked = torch.from_numpy(original.active["vector"][:3].copy())
        tops = [memory.concept(id).text for id in memory.retrieve(asked, learn=False).ids[:, 0].tolist()]
        assert tops == [text(id) for id in original.active["id"][:3]]
        memory.create(-asked[:1])
        memory(asked)
    assert held(tmp_path / "memory").concepts[tops[1]]["uses"] == original.active["use_frequency"][1] + 1


def test_a_pack_brings_what_is_in_it(original, pack, tmp_path):
    report = import_aesg(pack, tmp_path / "memory")
    assert (report.form, report.added) == ("pack", len(original.active))
    expect_all(held(tmp_path / "memory"), original)


def test_the_source_is_not_written_to(folder, pack, tmp_path):
    before = stamps(folder) | stamps(pack)
    for source in (folder, pack):
        import_aesg(source, tmp_path / f"memory{source.suffix}")
    assert stamps(folder) | stamps(pack) == before


def test_a_memory_that_is_there_keeps_what_it_has(original, folder, tmp_path):
    place = tmp_path / "memory"
    with engine_at(place, AESGConfig(vector_dim=DIM, value_dim=2, survival_min_age=9)) as engine:
        own = engine.create(np.eye(DIM)[:2], [[1, 2], [3, 4]], names=["a", "b"], texts=["own a", "own b"])
        engine.link(own[:1], own[1:], "CAUSAL", 0.5)
        engine.consolidate()
    report = import_aesg(folder, place)
    assert (report.made, report.added, report.there) == (False, len(original.active), 0)
    memory = held(place)
    assert memory.concepts.keys() == {"own a", "own b", *(text(id) for id in original.active["id"])}
    assert memory.concepts["own a"]["name"] == "a"
    assert len(memory.edges) == report.edges_added + 1
    ages = {memory.head.epoch - memory.concepts[text(node["id"])]["born"] - node["age"] for node in original.active}
    assert ages == {0}
    with AESGMemory(place) as again:
        assert again.config.survival_min_age == 9
        np.testing.assert_array_equal(again.concept(int(own[0])).value, [1, 2])


def test_importing_again_adds_nothing(folder, tmp_path):
    first = import_aesg(folder, tmp_path / "memory")
    before = held(tmp_path / "memory")
    again = import_aesg(folder, tmp_path / "memory")
    assert (again.added, again.edges_added, again.there) == (0, 0, first.added)
    after = held(tmp_path / "memory")
    assert (after.concepts, after.edges) == (before.concepts, before.edges)


def test_a_directory_that_has_grown_brings_what_is_new(original, folder, tmp_path):
    grown = trimmed(original.folder, tmp_path / "grown")
    with changed_nodes(folder) as rows:
        rows[20:CONCEPTS] = np.zeros(1, rows.dtype)
    import_aesg(folder, tmp_path / "memory")
    report = import_aesg(grown, tmp_path / "memory")
    assert (report.there, report.added) == (19, len(original.active) - 19)
    expect_all(held(tmp_path / "memory"), original)


def test_edges_that_an_earlier_import_did_not_bring_come_with_the_next(original, folder, tmp_path):
    edges = (folder / "edges.aesg").read_bytes()
    (folder / "edges.aesg").unlink()
    bare = import_aesg(folder, tmp_path / "memory")
    assert (found(bare)["no_edges"], bare.edges_added) == (1, 0)
    (folder / "edges.aesg").write_bytes(edges)
    report = import_aesg(folder, tmp_path / "memory")
    assert (report.added, report.edges_added) == (0, report.edges)
    expect_all(held(tmp_path / "memory"), original)


def test_a_dry_run_tells_the_same_and_writes_nothing(folder, tmp_path):
    dry = import_aesg(folder, tmp_path / "memory", dry_run=True)
    assert (dry.dry_run, dry.made, (tmp_path / "memory").exists()) == (True, False, False)
    real = import_aesg(folder, tmp_path / "memory")
    assert (dry.added, dry.edges_added, dry.findings) == (real.added, real.edges_added, real.findings)


def test_edges_both_ways_become_one_with_the_greatest_weight_and_all_uses(original, tmp_path):
    folder = trimmed(original.folder, tmp_path / "aesg")
    ids = original.nodes["id"]
    with changed_edges(folder) as rows:
        spare = len(original.edges)
        for place, (ends, weight, uses) in enumerate([((0, 5), 0.2, 3), ((5, 0), 0.6, 4), ((0, 5), 0.1, 5)], spare):
            rows[place] = (ids[ends[0]], ids[ends[1]], weight, 0.5, uses, -1)
    import_aesg(folder, tmp_path / "memory")
    weight, confidence, uses = held(tmp_path / "memory").edges[frozenset({text(ids[0]), text(ids[5])})]
    assert (weight, confidence, uses) == (pytest.approx(0.6), 0.5, 12)


# Bad input


@pytest.mark.parametrize("target", ["a memory", "a configuration"])
def test_another_dimension_is_an_error_before_anything_is_written(folder, tmp_path, target):
    config = AESGConfig(vector_dim=DIM + 1)
    if target == "a memory":
        with engine_at(tmp_path / "memory", config):
            pass
        config = None
        before = held(tmp_path / "memory").concepts
    with pytest.raises(AESGStorageError, match=rf"vectors of {DIM} numbers.*vector_dim={DIM + 1}"):
        import_aesg(folder, tmp_path / "memory", config=config)
    if target == "a memory":
        assert held(tmp_path / "memory").concepts == before == {}
    else:
        assert not (tmp_path / "memory").exists()


def test_a_new_memory_is_what_a_configuration_says(folder, tmp_path):
    import_aesg(folder, tmp_path / "memory", config=AESGConfig(vector_dim=DIM, survival_min_age=77))
    with engine_at(tmp_path / "memory") as engine:
        assert engine.config.survival_min_age == 77
    with pytest.raises(AESGMemoryError, match="is a memory already"):
        import_aesg(folder, tmp_path / "memory", config=AESGConfig(vector_dim=DIM))


def test_a_memory_that_is_open_is_refused(folder, tmp_path):
    with engine_at(tmp_path / "memory", AESGConfig(vector_dim=DIM)) as engine:
        with pytest.raises(AESGStorageError, match=r"in use|open"):
            import_aesg(folder, tmp_path / "memory")
        assert engine.recorder.concepts == 0


def test_a_place_with_something_else_in_it_is_refused(folder, tmp_path):
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "one.jpg").write_bytes(b"jpg")
    with pytest.raises(AESGStorageError, match=r"something at .*photos already"):
        import_aesg(folder, tmp_path / "photos")
    assert [file.name for file in (tmp_path / "photos").iterdir()] == ["one.jpg"]


@pytest.mark.parametrize("inside", ["", "new"])
def test_no_memory_is_made_inside_the_source(folder, inside):
    before = stamps(folder)
    with pytest.raises(AESGStorageError, match="outside of the source"):
        import_aesg(folder, folder / inside)
    assert stamps(folder) == before


def test_what_is_no_source_says_so(folder, pack, tmp_path):
    (tmp_path / "empty").mkdir()
    with engine_at(tmp_path / "ours", AESGConfig(vector_dim=DIM)):
        pass
    os.mkfifo(tmp_path / "pipe")
    said = {
        tmp_path / "nothing": "There is nothing at",
        tmp_path / "pipe": "neither a directory nor a file",
        tmp_path / "empty": "has no nodes.aesg",
        tmp_path / "ours": "a memory of this package already; 'aesg copy'",
        folder / "nodes.aesg": "no pack of aesg: it does not begin with AESGPACK",
    }
    for source, message in said.items():
        with pytest.raises(AESGStorageError, match=message):
            looked_at(source)


def test_other_arguments_are_checked(folder, pack):
    for given, error in (
        ({"kind": ""}, AESGMemoryError),
        ({"vector_dim": 0}, AESGMemoryError),
        ({"vector_dim": True}, AESGMemoryError),
        ({"vector_dim": 5}, AESGStorageError),
        ({"target": "served:x"}, AESGConfigError),
    ):
        with pytest.raises(error):
            looked_at(folder, **given)
    with pytest.raises(AESGMemoryError, match="target is None"):
        import_aesg(folder)
    with pytest.raises(AESGError, match="vector_dim=5 was said"):
        looked_at(pack, vector_dim=5)
