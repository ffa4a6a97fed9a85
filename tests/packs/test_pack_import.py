"""Import: a pack's concepts become the memory's own, with new ids."""

import numpy as np
import pytest
from pack_scenes import BIRDS, D, V, rows

from aesg_graph import AESGConfig, AESGMemoryError, AESGStorageError
from aesg_graph.packs import importing


@pytest.mark.parametrize("from_file", [True, False])
def test_everything_that_is_kept_arrives(birds, opened, packed, from_file, monkeypatch):
    monkeypatch.setattr(importing, "BATCH", 7)
    memory = opened()
    memory.create(rows(3, 30))
    pack = memory.load_pack(packed)
    new = memory.import_pack(packed if from_file else pack)
    assert sorted(new) == pack.rows.ids.tolist()
    assert memory.storage.node_count == 3 + len(pack)
    assert memory.storage.edge_count == pack.edges
    for old, id in new.items():
        before, now = pack.concept(old), memory.concept(id)
        for part in ("kind", "name", "text", "source", "encoder", "use_frequency", "contradictions", "stability"):
            assert getattr(now, part) == getattr(before, part)
        assert np.array_equal(now.key, before.key)
        assert np.array_equal(now.value, before.value) if before.value is not None else now.value is None
        assert (now.region_id, now.age) == (None, 0)
        moved = [(new[e.source], new[e.target], e.type, round(e.weight, 6), e.use_count) for e in pack.neighbors(old)]
        found = [(e.source, e.target, e.type, round(e.weight, 6), e.use_count) for e in memory.neighbors(id)]
        assert sorted(found) == sorted(moved)


def test_what_arrived_is_recalled_as_it_was_in_the_pack(birds, opened, packed):
    memory = opened()
    new = memory.import_pack(packed)
    queries = rows(5, 40)
    found, were = memory.retrieve(queries, learn=False), birds[0].retrieve(queries, learn=False)
    assert found.ids.tolist() == [[new.get(i, -1) for i in row] for row in were.ids.tolist()]
    assert np.allclose(found.energies, were.energies, atol=1e-6)


def test_it_stays_after_closing(opened, packed):
    memory = opened()
    count = len(memory.import_pack(packed))
    memory.close()
    assert opened().storage.node_count == count


def test_progress_tells_of_concepts_and_edges(opened, packed):
    said = []
    memory = opened()
    count = len(memory.import_pack(packed, progress=lambda *told: said.append(told)))
    assert ("concepts", count, count) in said
    assert said[-1] == ("edges", memory.storage.edge_count, 0)


def test_unknown_types_of_edges_are_named_before_anything_is_written(opened, packed):
    memory = opened("without", AESGConfig(vector_dim=D, value_dim=V))
    with pytest.raises(AESGMemoryError, match="Unknown relation types EATS: declare them"):
        memory.import_pack(packed)
    assert memory.storage.node_count == 0


def test_a_damaged_pack_is_refused_before_anything_is_written(opened, packed, tmp_path):
    data = bytearray(packed.read_bytes())
    data[len(data) // 2] ^= 1
    (tmp_path / "pack").write_bytes(data)
    memory = opened()
    with pytest.raises(AESGStorageError, match="its checksum differs"):
        memory.import_pack(tmp_path / "pack")
    assert memory.storage.node_count == 0


def test_a_pack_that_changes_while_it_is_imported_is_noticed(opened, packed, tmp_path):
    path = tmp_path / "pack"
    path.write_bytes(packed.read_bytes())
    memory = opened()
    with importing.PackFile(path) as file:
        with path.open("r+b") as changed:
            changed.seek(40)
            changed.write(b"\xff" * 8)
        with pytest.raises(AESGStorageError, match="it was changed while it was read"):
            list(file.concepts())
    assert memory.storage.node_count == 0


def test_the_mode_decides_as_for_create(opened, packed):
    memory = opened()
    memory.set_mode("INFERENCE")
    assert memory.import_pack(packed) == {}
    small = opened("small", AESGConfig(**{**vars_of(BIRDS), "max_concepts": 5, "memory_mode": "ONLINE"}))
    assert small.import_pack(packed) == {}
    assert small.storage.node_count == memory.storage.node_count == 0


def vars_of(config):
    return {"vector_dim": config.vector_dim, "value_dim": config.value_dim, "relations": config.relations}
