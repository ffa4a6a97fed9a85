"""Packs of a memory on servers: chosen by a Cypher predicate, attached beside it, and taken from engine to engine."""

import json
import os
from dataclasses import replace

import numpy as np
import pytest

from aesg_graph import AESGMemory, AESGMemoryError, AESGStorageError
from aesg_graph.cli.app import app
from aesg_graph.engine.reading import MemoryReader
from aesg_graph.packs import Filters, PackManager, Source, export_pack, load_pack
from tests.served.world import CONFIG, V, vectors

NAMES = [f"name {i}" for i in range(8)]


@pytest.fixture
def engine(opened):
    """Eight concepts in a ring, some of them used."""
    engine = opened("a")
    ids = engine.create(vectors(8), vectors(8, 1, V), names=NAMES, kind="word")
    engine.link(ids, np.roll(ids, -1), "CAUSAL", 0.5)
    for _ in range(2):
        engine.link(ids[:3], ids[1:4], "CAUSAL")
    engine.flush()
    return engine


def test_a_predicate_chooses_concepts(engine, tmp_path):
    packs = PackManager(engine)
    done = packs.export(tmp_path / "some", Filters(where="c.name IN ['name 1', 'name 2', 'name 6'] // these"))
    assert (done.concepts, done.edges) == (3, 1)
    pack = load_pack(tmp_path / "some")
    assert sorted(pack.rows.names) == ["name 1", "name 2", "name 6"]
    assert pack.links.uses.tolist() == [2]
    linked = Filters(where="EXISTS { (c)-[r:CAUSAL]->() WHERE r.use_count = 2 }", kind="word")
    assert packs.export(tmp_path / "used", linked).concepts == 3


def test_a_predicate_can_write_nothing_and_a_wrong_one_leaves_no_file(engine, tmp_path):
    packs, before = PackManager(engine), engine.residency.graph.count()
    wrong = "c.name = ", "true) SET c.name = 'x' WITH c WHERE (true", "c.name = $secret"
    for predicate in wrong:
        with pytest.raises(AESGStorageError, match="Cannot read"):
            packs.export(tmp_path / "pack", Filters(where=predicate))
    with pytest.raises(AESGMemoryError, match="nothing to pack: no concept of 8 passes where='false'"):
        packs.export(tmp_path / "pack", Filters(where="false"))
    assert not [name for name in os.listdir(tmp_path) if "pack" in name]
    assert engine.residency.graph.count() == before


@pytest.fixture
def aesg(served, monkeypatch, capsys):
    """Run a command where the environment names the servers; its exit code and what it printed."""
    for name, value in (
        *(("GRAPH", served.graph), ("VECTORS", served.vectors), ("USER", served.user)),
        ("PASSWORD", served.password.get_secret_value()),
    ):
        monkeypatch.setenv(f"AESG_{name}", value)
    monkeypatch.delenv("AESG_DIRECTORY", raising=False)

    def run(*arguments):
        with pytest.raises(SystemExit) as ended:
            app([str(argument) for argument in arguments], prog_name="aesg")
        said = capsys.readouterr()
        return ended.value.code or 0, said.out, said.err

    return run


def test_operators_need_no_directory(engine, served, tmp_path, aesg):
    out = tmp_path / "out.aesgpack"
    code, said, _ = aesg(
        "pack", "export", out, "-d", f"served:{served.memory}", "--where", "c.name > 'name 4'", "--json"
    )
    assert (code, json.loads(said)["concepts"]) == (0, 3)
    assert load_pack(out).provenance["memory"] == served.memory


def test_operators_take_a_pack_into_servers(engine, served, tmp_path, aesg, monkeypatch):
    out = tmp_path / "out.aesgpack"
    PackManager(engine).export(out)
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path / "empty")
    code, said, _ = aesg("pack", "import", out, "-d", f"served:{served.memory}", "--json")
    assert (code, json.loads(said)) == (0, {"concepts": 8, "edges": 8, "left_out": 0})
    code, _, said = aesg("pack", "import", out, "-d", "served:unborn")
    assert (code, "unborn" in said) == (3, True)
    monkeypatch.setenv("AESG_MEMORY", served.memory)
    assert aesg("pack", "import", out)[0] == 0
    with MemoryReader(None, served) as reader:
        counts = reader.graph.count()
        vectors_there = reader.outlook().fetch(reader.graph.page(-1, 100).concepts.ids)
    assert (counts.concepts, counts.edges, len(vectors_there)) == (24, 24, 24)
    assert os.listdir() == []


def test_a_pack_goes_from_servers_to_files_and_back(engine, opened, served, tmp_path):
    with MemoryReader(None, served) as reader:
        export_pack(Source.of_reader(reader), tmp_path / "all", Filters())
    with AESGMemory(tmp_path / "files", replace(CONFIG)) as memory:
        new = memory.import_pack(tmp_path / "all")
        assert len(new) == memory.storage.edge_count == 8
        memory.export_pack(tmp_path / "again")
    arrived = PackManager(engine).take_in(tmp_path / "again")
    engine.flush()
    assert (len(arrived), engine.residency.graph.count().edges) == (8, 16)
    assert sorted(engine.inspector.concept(int(i)).name for i in arrived.new_ids) == NAMES


def test_an_attached_pack_answers_beside_a_memory_on_servers(engine, tmp_path):
    packs = PackManager(engine)
    packs.export(tmp_path / "pack")
    query = engine.query(vectors(8))
    alone = engine.recall(query)
    packs.attach(packs.load(tmp_path / "pack"), 10)
    joined = engine.attachments.join(query, engine.recall(query))
    assert np.array_equal(joined.ids, alone.ids)  # an equal twin: the memory's own stand
    assert np.array_equal(joined.energies, alone.energies)
