"""``aesg backup``, ``restore`` and ``copy`` between directories."""

import contextlib
import json
import subprocess
import sys
import time
from collections import Counter

import numpy as np
import pytest
from cli_world import CONFIG, Owner, digests

from aesg_graph.config import AESGConfig
from aesg_graph.engine import MemoryEngine
from aesg_graph.engine.checking import check
from aesg_graph.engine.moving import Place, backup_open
from aesg_graph.settings import StoreSettings
from aesg_graph.stores.edge import EdgeVectorStore
from aesg_graph.stores.portable import EdgeRows
from aesg_graph.stores.sqlite.portable import SqliteRows
from aesg_graph.sync import Journal, MemoryDirectory


def everything(path):
    """All rows and vectors of a closed memory, exact."""
    rows = SqliteRows(path / "graph.db", CONFIG.vocabulary)
    store = EdgeVectorStore.open(path / "vectors", CONFIG.vector_dim, CONFIG.value_dim)
    try:
        page, gone, points = rows.page(-1, 1000), rows.removed(-1, 1000), store.page(-1, 1000)
        labels = store.labels(points.ids)
        head, concepts = rows.standing().head, page.concepts
    finally:
        rows.close()
        store.close()
    e = page.edges
    order = np.lexsort((e.targets, e.types, e.sources))
    edges = EdgeRows(*(column[order] for column in vars(e).values()))
    tables = {"c": concepts.table, "e": edges, "t": gone, "v": points}
    told = {f"{name}.{k}": plain(v) for name, table in tables.items() for k, v in vars(table).items()}
    stamps = {"writers": concepts.writers.tolist(), "sequences": concepts.sequences.tolist()}
    return told | stamps | {"head": (head.name, head.epoch, head.config), "labels": plain(labels[2]), "k": labels[1]}


def plain(column):
    return column.tolist() if isinstance(column, np.ndarray) else list(column)


def test_a_backup_is_restored_exactly(aesg, path, tmp_path):
    taken = aesg("backup", path, tmp_path / "backup", "--json")
    assert taken.code == 0
    assert (taken.json["concepts"], taken.json["edges"], taken.json["vectors"]) == (11, 10, 11)
    put_back = aesg("restore", tmp_path / "backup", tmp_path / "again", "--json")
    assert put_back.code == 0
    assert everything(tmp_path / "again") == everything(path)
    assert check(tmp_path / "again").findings == ()


def test_a_copy_is_exact_and_learns_on_under_a_number_of_its_own(aesg, path, tmp_path):
    before = everything(path)
    said = aesg("copy", path, tmp_path / "copy")
    assert said.code == 0
    assert "11 concepts and 10 edges" in said.out
    assert everything(tmp_path / "copy") == before
    engine = MemoryEngine(tmp_path / "copy", None, StoreSettings())
    (new,) = engine.create(np.eye(1, CONFIG.vector_dim)).tolist()
    engine.close()
    assert new >> 43 not in {id >> 43 for id in before["c.ids"]}
    assert check(tmp_path / "copy").clean


def recorded(path):
    """How many batches were acknowledged in a directory so far."""
    with contextlib.closing(Journal.open(path / "journal.db", read_only=True)) as journal:
        return journal.last_sequence


def test_what_waits_in_the_journal_is_in_the_backup(aesg, path, tmp_path):
    owner = Owner(path)
    owner.tell("go on")
    while (batches := recorded(path)) < 13:  # a few were there
        time.sleep(0.01)
    owner.kill()
    assert aesg("copy", path, tmp_path / "copy").code == 0
    assert everything(tmp_path / "copy") == everything(path)
    assert len(everything(path)["c.ids"]) >= 11 + 20 * ((batches - 5) // 2)
    assert check(tmp_path / "copy").clean


def test_a_directory_that_is_in_use_is_not_taken_and_says_by_whom(aesg, path, tmp_path):
    owner = Owner(path)
    try:
        said = aesg("backup", path, tmp_path / "backup")
    finally:
        owner.kill()
    assert said.code == 3
    assert f"in use by process {owner.process.pid}" in said.err
    assert not (tmp_path / "backup").exists()


def test_a_process_backs_up_the_memory_that_it_has_open(path, tmp_path, aesg):
    engine = MemoryEngine(path, None, StoreSettings())
    engine.create(np.eye(2, CONFIG.vector_dim), names=["late", "later"])
    done = backup_open(engine, tmp_path / "backup")
    engine.create(np.eye(1, CONFIG.vector_dim), names=["too late"])
    engine.close()
    assert done.held.concepts == done.held.vectors == 13
    assert aesg("restore", tmp_path / "backup", tmp_path / "again").code == 0
    names = everything(tmp_path / "again")["c.names"]
    assert "later" in names
    assert "too late" not in names
    assert check(tmp_path / "again").findings == ()


def damaged(folder, how):
    """Damage a backup; the name of the file that was damaged."""
    part = folder / "part-000000.npz"
    manifest = folder / "manifest.json"
    match how:
        case "truncated":
            part.write_bytes(part.read_bytes()[:-7])
        case "flipped":
            data = bytearray(part.read_bytes())
            data[len(data) // 2] ^= 1
            part.write_bytes(data)
        case "missing":
            part.unlink()
        case "manifest edited":
            manifest.write_text(manifest.read_text().replace('"concepts": 11', '"concepts": 12'))
        case "manifest truncated":
            manifest.write_bytes(manifest.read_bytes()[:-9])
        case "no manifest":
            manifest.unlink()
    return (manifest if "manifest" in how else part).name


@pytest.mark.parametrize(
    "how", ["truncated", "flipped", "missing", "manifest edited", "manifest truncated", "no manifest"]
)
def test_a_damaged_backup_is_refused_by_the_name_of_the_file_and_nothing_is_written(aesg, path, tmp_path, how):
    aesg("backup", path, tmp_path / "backup")
    name = damaged(tmp_path / "backup", how)
    said = aesg("restore", tmp_path / "backup", tmp_path / "again")
    assert said.code == 3
    assert name in said.err
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["backup", "memory"]


def test_what_is_there_is_never_written_over(aesg, path, tmp_path):
    aesg("backup", path, tmp_path / "backup")
    before = digests(path), digests(tmp_path / "backup")
    assert aesg("backup", path, tmp_path / "backup").code == 3
    for more in ((), ("--replace",)):
        assert aesg("restore", tmp_path / "backup", path, *more).code == 3
    assert aesg("copy", path, path).code == 3
    assert digests(path)["graph.db"] == before[0]["graph.db"]
    assert digests(tmp_path / "backup") == before[1]
    (tmp_path / "empty").mkdir()
    assert aesg("restore", tmp_path / "backup", tmp_path / "empty").code == 0


def test_a_place_without_a_memory_is_an_error_and_stays_without_one(aesg, tmp_path, monkeypatch):
    monkeypatch.delenv("AESG_GRAPH", raising=False)
    assert aesg("backup", tmp_path / "nothing", tmp_path / "backup").code == 3
    assert not (tmp_path / "nothing").exists()
    said = aesg("backup", "served:digits", tmp_path / "backup", "--json")
    assert said.code == 3
    assert "AESG_GRAPH" in json.loads(said.err)["error"]
    assert aesg("backup", "served:a/b", tmp_path / "backup").code == 3
    assert aesg("copy", "served:digits@nowhere", tmp_path / "backup").code == 3
    assert not (tmp_path / "backup").exists()


LITTLE_ROOM = """
import resource, sys
from aesg_graph.engine.moving import Place, backup, moves
from aesg_graph.sync.backup import taking

class Limited(taking.Taking):
    def take(self):
        resource.setrlimit(resource.RLIMIT_FSIZE, (2000, resource.RLIM_INFINITY))
        return super().take()

moves.Taking = Limited
try:
    backup(Place.named(sys.argv[1]), sys.argv[2])
finally:
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
"""


def test_a_full_disk_leaves_no_backup(path, tmp_path):
    command = [sys.executable, "-c", LITTLE_ROOM, path, tmp_path / "backup"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert "AESGStorageError: Cannot write part-000000.npz" in done.stderr
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["memory"]


@pytest.mark.parametrize("command", ["backup", "restore", "copy"])
def test_help_says_how_places_are_named_and_shows_an_example(aesg, command):
    said = aesg(command, "--help")
    assert said.code == 0
    assert "served:NAME@FILE" in said.out
    assert f"Example: aesg {command}" in said.out


def test_copying_into_a_memory_renumbers_what_is_taken_and_keeps_the_rest(aesg, path, tmp_path):
    aesg("copy", path, tmp_path / "twice")
    before = everything(path)
    other = MemoryEngine(tmp_path / "other", CONFIG, StoreSettings())
    (own,) = other.create(np.eye(1, CONFIG.vector_dim), names=["own"]).tolist()
    other.consolidate()
    other.consolidate()
    other.close()

    assert aesg("copy", path, tmp_path / "other", "--into", "--json").json["renumbered"] == 0
    once = everything(tmp_path / "other")
    assert once["c.ids"] == sorted([own, *before["c.ids"]])
    kept = [place for place, id in enumerate(once["c.ids"]) if id != own]
    assert [once["c.names"][i] for i in kept] == before["c.names"]
    assert [once["c.relevance"][i] for i in kept] == before["c.relevance"]
    later = once["head"][1] - before["head"][1]
    assert [once["c.born_epoch"][i] - later for i in kept] == before["c.born_epoch"]
    assert (once["e.sources"], once["e.weights"]) == (before["e.sources"], before["e.weights"])
    assert [once["v.keys"][i] for i in kept] == before["v.keys"]

    assert aesg("copy", tmp_path / "twice", tmp_path / "other", "--into", "--json").json["renumbered"] == 11
    twice = everything(tmp_path / "other")
    assert sorted(twice["c.names"]) == sorted([*once["c.names"], *before["c.names"]])
    assert len(twice["e.sources"]) == 2 * len(before["e.sources"])
    assert ends(twice) == {pair: 2 for pair in ends(before)}
    assert check(tmp_path / "other").findings == ()
    engine = MemoryEngine(tmp_path / "other", None, StoreSettings())
    assert engine.recorder.concepts == 23
    engine.close()


def ends(told):
    """How many edges join concepts of two names."""
    names = dict(zip(told["c.ids"], told["c.names"], strict=True))
    return Counter((names[a], names[b]) for a, b in zip(told["e.sources"], told["e.targets"], strict=True))


def test_what_does_not_fit_into_a_memory_is_refused_before_anything_is_written(aesg, path, tmp_path):
    wider = AESGConfig(vector_dim=CONFIG.vector_dim + 1, value_dim=CONFIG.value_dim)
    other = AESGConfig(vector_dim=CONFIG.vector_dim, value_dim=CONFIG.value_dim, relations={"CAUSES": (1.0, 0.0)})
    for name, config in (("wide", wider), ("other", other)):
        engine = MemoryEngine(tmp_path / name, config, StoreSettings())
        ids = engine.create(np.eye(2, config.vector_dim))
        if name == "other":
            engine.link(ids[:1], ids[1:], "CAUSES")
        engine.close()
    before = digests(path)["graph.db"]
    for name, what in (("wide", "vector_dim"), ("other", "CAUSES")):
        said = aesg("copy", tmp_path / name, path, "--into")
        assert said.code == 3
        assert what in said.err
    assert digests(path)["graph.db"] == before
    assert aesg("copy", path, tmp_path / "nowhere", "--into").code == 3
    assert not (tmp_path / "nowhere").exists()


def test_a_place_on_servers_takes_its_settings_from_the_environment_or_a_file(tmp_path, monkeypatch):
    for name, value in {"GRAPH": "bolt://here:7687", "VECTORS": "http://here:6333", "PASSWORD": "hush"}.items():
        monkeypatch.setenv(f"AESG_{name}", value)
    here = Place.named("served:digits")
    assert (here.path, here.settings.memory, here.settings.graph) == (None, "digits", "bolt://here:7687")
    for name in ("GRAPH", "VECTORS", "PASSWORD"):
        monkeypatch.delenv(f"AESG_{name}")
    (tmp_path / "there.env").write_text("AESG_GRAPH=bolt://there:7687\nAESG_VECTORS=http://there:6333\n")
    there = Place.named(f"served:digits@{tmp_path / 'there.env'}")
    assert (there.settings.graph, there.settings.vectors) == ("bolt://there:7687", "http://there:6333")
    assert there.settings.password is None


def test_the_directory_of_a_served_memory_stands_for_that_memory(tmp_path, monkeypatch):
    monkeypatch.setenv("AESG_GRAPH", "bolt://here:7687")
    monkeypatch.setenv("AESG_VECTORS", "http://here:6333")
    directory = MemoryDirectory.create_or_open(tmp_path / "mine", 4, 0)
    Journal.create(directory.journal, directory.identity).close()
    directory.complete(4, 0, "digits", "served")
    directory.close()
    assert Place.named(str(tmp_path / "mine")) == Place.named("served:digits")
    assert Place.named(str(tmp_path / "other")).settings.engine == "embedded"
