"""Export: what goes into a pack, what filters leave out, and what is left on disk when it fails."""

import os
import resource

import numpy as np
import pytest
from pack_scenes import D, N, V, rows

from aesg_graph import AESGMemoryError, AESGStorageError
from aesg_graph.packs import exporting


def test_a_pack_holds_every_concept_and_edge_as_it_is(birds, packed):
    memory = birds[0]
    pack = memory.load_pack(packed)
    born = [int(i) for i in memory.storage.nodes["id"]]
    assert (pack.name, len(pack), pack.vector_dim, pack.value_dim) == ("birds", len(born), D, V)
    assert pack.rows.ids.tolist() == sorted(born)
    for id in born:
        mine, theirs = memory.concept(id), pack.concept(id)
        for part in (
            "kind",
            "name",
            "text",
            "source",
            "encoder",
            "use_frequency",
            "contradictions",
            "region_id",
            "age",
        ):
            assert getattr(mine, part) == getattr(theirs, part)
        assert np.array_equal(mine.key, theirs.key)
        assert np.array_equal(mine.value, theirs.value) if mine.value is not None else theirs.value is None
        assert mine.relevance == theirs.relevance
        mine, theirs = memory.neighbors(id), pack.neighbors(id)
        ends = [(e.source, e.target, e.type, e.use_count) for e in mine]
        assert ends == [(e.source, e.target, e.type, e.use_count) for e in theirs]
        # the cache and the store each round a weight that was strengthened, to float32
        assert [e.weight for e in mine] == pytest.approx([e.weight for e in theirs], abs=1e-7)
    assert pack.edges == memory.storage.edge_count
    assert {r.name: (r.forward, r.backward) for r in pack.relations}["EATS"] == (0.7, 0.2)
    assert pack.provenance["memory"] == "memory"
    assert pack.provenance["filters"] == {}


def test_nodes_are_one_read_only_array(birds, packed):
    pack = birds[0].load_pack(packed)
    assert len(pack.nodes) == pack.concepts == len(pack)
    assert pack.nodes["vector"].shape == (len(pack), D)
    with pytest.raises(ValueError, match="read-only"):
        pack.nodes["relevance"] = 0


def test_pages_of_any_size_make_the_same_pack(birds, packed, tmp_path, monkeypatch):
    monkeypatch.setattr(exporting, "PAGE", 7)
    monkeypatch.setattr(exporting, "EDGES_AT_ONCE", 3)
    birds[0].export_pack(tmp_path / "birds.aesgpack")
    one, other = birds[0].load_pack(packed), birds[0].load_pack(tmp_path / "birds.aesgpack")
    assert len(other.header.chunks) > 10
    for name in ("ids", "keys", "values", "has_value", "relevance", "uses", "ages", "regions"):
        assert np.array_equal(getattr(one.rows, name), getattr(other.rows, name))
    assert (one.rows.names, one.rows.texts) == (other.rows.names, other.rows.texts)
    assert np.array_equal(one.links.sources, other.links.sources)
    assert np.array_equal(one.links.weights, other.links.weights)


def test_a_kind_is_packed_with_the_edges_inside_it(birds, tmp_path):
    memory, ids = birds
    done = memory.export_pack(tmp_path / "pack", kind="bird", name="my birds")
    pack = memory.load_pack(tmp_path / "pack")
    assert (done.concepts, pack.name, pack.header.kinds) == (N // 2, "my birds", ("bird",))
    assert pack.provenance["filters"] == {"kind": "bird"}
    assert set(pack.rows.ids) == set(ids[: N // 2].tolist())
    assert np.isin(pack.links.sources, pack.rows.ids).all()
    assert done.edges == pack.edges == (N // 2 - 1) + 5


def test_relevance_is_todays(opened, tmp_path):
    memory = opened()
    old = memory.create(rows(3, 0))
    for _ in range(20):
        memory.cognitive_engine.consolidate()
    new = memory.create(rows(2, 1))
    memory.export_pack(tmp_path / "new.aesgpack", min_relevance=0.5)
    memory.export_pack(tmp_path / "all.aesgpack", min_relevance=0.1)
    assert set(memory.load_pack(tmp_path / "new.aesgpack").rows.ids) == set(new.tolist())
    everything = memory.load_pack(tmp_path / "all.aesgpack")
    assert everything.concept(int(old[0])).relevance == pytest.approx(0.95**20)
    assert everything.concept(int(old[0])).age == 20


def test_a_region_is_packed(opened, tmp_path):
    from aesg_graph.operations import Regions

    memory = opened()
    ids = memory.create(rows(4, 0)).numpy()
    memory.engine.recorder.record([Regions(ids, np.array([0, 1, 1, -1]))])
    memory.export_pack(tmp_path / "one", region_id=1)
    pack = memory.load_pack(tmp_path / "one")
    assert pack.rows.ids.tolist() == ids[1:3].tolist()
    assert pack.concept(int(ids[1])).region_id == 1


@pytest.mark.parametrize("wanted", [{"kind": "fish"}, {"region_id": 7}, {"kind": "bird", "region_id": 7}])
def test_an_empty_selection_is_an_error_and_leaves_no_file(birds, tmp_path, wanted):
    with pytest.raises(AESGMemoryError, match=r"nothing to pack: no concept of \d+ passes"):
        birds[0].export_pack(tmp_path / "none.aesgpack", **wanted)
    with pytest.raises(AESGMemoryError, match="nothing to pack"):
        birds[0].export_pack(tmp_path / "new" / "folder" / "none.aesgpack", **wanted)
    assert os.listdir(tmp_path) == []


def test_the_folder_of_a_pack_is_made(birds, tmp_path):
    path = tmp_path / "new" / "folder" / "birds.aesgpack"
    birds[0].export_pack(path)
    assert birds[0].load_pack(path).name == "birds"


def test_an_empty_memory_cannot_be_packed(opened, tmp_path):
    with pytest.raises(AESGMemoryError, match="the memory is empty"):
        opened().export_pack(tmp_path / "none.aesgpack")


@pytest.mark.parametrize(
    ("wanted", "error"),
    [
        ({"min_relevance": 1.5}, AESGMemoryError),
        ({"min_relevance": float("nan")}, AESGMemoryError),
        ({"min_relevance": True}, AESGMemoryError),
        *(({"region_id": bad}, AESGMemoryError) for bad in (-1, True, 1.0, "1", 1 << 63)),
        ({"kind": ""}, AESGMemoryError),
        ({"where": " "}, AESGMemoryError),
        *(({"name": bad}, AESGMemoryError) for bad in ("", " ", 7, "a\nb", "\udc80", "a" * 256)),
    ],
)
def test_bad_filters_are_refused(birds, tmp_path, wanted, error):
    (given,) = wanted
    with pytest.raises(error, match=f"^{given} is .*expected"):
        birds[0].export_pack(tmp_path / "pack", **wanted)
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("path", [None, 5, "a\0b", "~nobody-of-this-name/pack"])
def test_what_names_no_file_is_refused(birds, path):
    for call in (birds[0].export_pack, birds[0].load_pack):
        with pytest.raises(AESGMemoryError, match=r"path is .*expected the name of a pack"):
            call(path)


def test_a_file_that_no_pack_can_be_called_after_needs_a_name(birds, tmp_path):
    path = tmp_path / os.fsdecode(b"\xff.aesgpack")
    with pytest.raises(AESGMemoryError, match=r"name is .*expected a printable text"):
        birds[0].export_pack(path)
    birds[0].export_pack(path, name="birds")
    assert birds[0].load_pack(path).name == "birds"


def test_a_predicate_needs_a_store_that_speaks_cypher(birds, tmp_path):
    with pytest.raises(AESGMemoryError, match="where= is a Cypher predicate"):
        birds[0].export_pack(tmp_path / "pack", where="c.use_frequency > 3")
    assert os.listdir(tmp_path) == []


def test_what_is_there_is_replaced_only_when_asked(birds, tmp_path):
    path = tmp_path / "pack"
    path.write_text("a diary")
    with pytest.raises(AESGStorageError, match=r"something is there; --overwrite \(overwrite=True\) replaces it"):
        birds[0].export_pack(path)
    assert path.read_text() == "a diary"
    birds[0].export_pack(path, overwrite=True)
    assert len(birds[0].load_pack(path)) == len(birds[0].storage.nodes)


def test_a_place_that_cannot_be_written_is_an_error(birds, tmp_path):
    (tmp_path / "file").write_text("no folder")
    for path in (tmp_path / "file" / "pack", tmp_path):
        with pytest.raises(AESGStorageError, match=r"Cannot (write|make)"):
            birds[0].export_pack(path, overwrite=True)


@pytest.fixture
def small_disk():
    """No file of this process grows beyond 4 kB."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, hard))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_full_disk_in_the_middle_leaves_no_half_file(birds, tmp_path, small_disk):
    with pytest.raises(AESGStorageError, match=r"Cannot write to .*birds\.aesgpack"):
        birds[0].export_pack(tmp_path / "birds.aesgpack")
    assert os.listdir(tmp_path) == []


def test_progress_tells_of_concepts_and_edges(birds, tmp_path):
    said = []
    birds[0].export_pack(tmp_path / "pack", progress=lambda *told: said.append(told))
    total = birds[0].storage.node_count
    assert ("concepts", total, total) in said
    assert said[-1] == ("edges", birds[0].storage.edge_count, birds[0].storage.edge_count)


def test_lessons_so_far_are_in(opened, tmp_path):
    memory = opened()
    for seed in range(5):
        memory.create(rows(10, seed))
    memory.export_pack(tmp_path / "pack")
    assert len(memory.load_pack(tmp_path / "pack")) == 50


def test_a_closed_memory_refuses(opened, tmp_path, packed):
    memory = opened()
    pack = memory.load_pack(packed)
    memory.close()
    for call in (
        lambda: memory.export_pack(tmp_path / "pack"),
        lambda: memory.load_pack(packed),
        lambda: memory.attach_pack(pack),
        lambda: memory.detach_pack("birds"),
        lambda: memory.import_pack(pack),
    ):
        with pytest.raises(AESGMemoryError, match="closed"):
            call()
