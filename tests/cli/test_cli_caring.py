"""check, optimize, export: on a closed memory."""

import json
import os
import pty
import sqlite3
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from itertools import pairwise

import numpy as np
import pytest
from cli_world import CONFIG, D, N, digests, keys, values

from aesg_graph.config import AESGConfig
from aesg_graph.engine import MemoryEngine
from aesg_graph.engine.reading import MemoryReader
from aesg_graph.errors import AESGMemoryError, AESGStorageError
from aesg_graph.interchange import export
from aesg_graph.operations import Describe
from aesg_graph.settings import StoreSettings
from aesg_graph.stores.edge import EdgeVectorStore
from aesg_graph.sync import Journal

GRAPHML = "{http://graphml.graphdrawing.org/xmlns}"


def damage(path, ids):
    """Two concepts lose their vectors, for good."""
    (path / "cache" / "header.bin").unlink()
    store = EdgeVectorStore.open(path / "vectors", D, 2)
    store.delete(np.array(ids[2:4]))
    store.close()


# -- check ------------------------------------------------------------------------------------------------------------


def test_check_of_a_good_memory_says_so_and_changes_nothing(aesg, path):
    before = digests(path)
    answer = aesg("check")
    assert (answer.code, answer.out) == (0, f"{N + 1} concepts, {N} edges: all agree\n")
    machine = aesg("check", "--json")
    assert machine.json == {
        "directory": str(path),
        "owner": None,
        "clean": True,
        "concepts": N + 1,
        "edges": N,
        "findings": [],
    }
    assert digests(path) == before


def test_check_finds_and_repair_mends(aesg, path, ids):
    damage(path, ids)
    found = aesg("check", "--json")
    assert found.code == 1
    assert not found.json["clean"]
    (finding,) = found.json["findings"]
    assert (finding["kind"], finding["count"], finding["ids"]) == ("concepts without a vector", 2, ids[2:4])
    assert (finding["note"], finding["mended"]) == (False, False)
    people = aesg("check")
    assert people.code == 1
    assert "WRONG: 2 concepts without a vector" in people.out
    assert "1 disagreement; 'aesg check --repair' mends" in people.out.replace("\n", " ")
    assert max(map(len, people.out.splitlines())) <= 80
    mended = aesg("check", "--repair")
    assert mended.code == 0
    assert "mended: 2 concepts without a vector" in mended.out
    assert aesg("check", "--json").json["findings"] == []
    assert aesg("show", ids[2]).code == 3


def test_check_whose_repair_cannot_mend_all_says_no(aesg, path, ids):
    (path / "cache" / "header.bin").unlink()
    store = EdgeVectorStore.open(path / "vectors", D, 2)
    store.delete(np.array(ids))
    store.close()
    answer = aesg("check", "--repair", "--json")
    assert (answer.code, answer.json["clean"]) == (1, False)
    assert "copy" in aesg("check", "--repair").out


def test_people_at_a_terminal_see_how_far_it_is(path):
    screen, terminal = pty.openpty()
    command = [sys.executable, "-m", "aesg_graph.cli", "check", "-d", str(path)]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=terminal, text=True)
    os.close(terminal)
    shown = os.read(screen, 1 << 16).decode()
    os.close(screen)
    assert (done.returncode, done.stdout) == (0, f"{N + 1} concepts, {N} edges: all agree\n")
    assert "comparing" in shown
    assert f"{N + 1}/{N + 1}" in shown


# -- optimize ---------------------------------------------------------------------------------------------------------


def test_optimize_of_a_small_memory_has_nothing_to_do(aesg):
    answer = aesg("optimize")
    assert answer.code == 0
    assert answer.out.startswith("there was nothing to do: the index covers 0 of 11")


def test_optimize_covers_every_vector_and_the_memory_answers_as_before(tmp_path, aesg):
    count = 3000
    drawn = np.random.default_rng(0).standard_normal((count, 16)).astype(np.float32)
    engine = MemoryEngine(tmp_path / "large", AESGConfig(vector_dim=16), StoreSettings())
    ids = engine.create(drawn)
    engine.close()
    large = ["-d", str(tmp_path / "large")]
    before = aesg("search", "--near", ids[5], "--json", *large).json["results"]
    said = aesg("optimize", "--json", *large).json
    assert (said["points"], said["indexed"], said["done"]) == (count, count, True)
    assert said["seconds"] > 0
    assert aesg("check", *large).code == 0
    for cached in (True, False):
        if not cached:
            (tmp_path / "large" / "cache" / "header.bin").unlink()
        after = aesg("search", "--near", ids[5], "--json", *large).json["results"]
        assert [row["id"] for row in after] == [row["id"] for row in before]


def test_optimize_sends_what_waits_first(aesg, path, ids):
    journal = Journal.open(path / "journal.db")
    journal.append([Describe(np.array(ids[:1]), ("pending",), None)], 1.0)
    journal.close()
    assert aesg("stats", "--json").json["pending_batches"] == 1
    assert "lessons wait in the journal (batches: 1)" in aesg("show", ids[0]).out
    assert aesg("optimize").code == 0
    assert aesg("stats", "--json").json["pending_batches"] == 0
    assert aesg("show", ids[0], "--json").json["name"] == "pending"
    assert aesg("check").code == 0


# -- export -----------------------------------------------------------------------------------------------------------


def lines(path):
    return [json.loads(line) for line in path.read_bytes().splitlines()]


def test_json_lines_hold_everything(aesg, ids, tmp_path):
    out = tmp_path / "all.jsonl"
    said = aesg("export", out, "--vectors", "--json").json
    assert (said["concepts"], said["edges"], said["left_out"], said["format"]) == (N + 1, N, 0, "jsonl")
    assert said["bytes"] == out.stat().st_size
    told = lines(out)
    head, concepts, edges = told[0], told[1 : N + 2], told[N + 2 :]
    assert head["type"] == "memory"
    assert AESGConfig(**head["config"]) == CONFIG
    assert [c["id"] for c in concepts] == ids
    assert concepts[0]["text"] == "[bold]stripes[/bold] & <hooves>"
    np.testing.assert_allclose([c["key"] for c in concepts[:N]], keys(), atol=1e-6)
    np.testing.assert_array_equal(np.float32([c["value"] for c in concepts[:N]]), values())
    assert "value" not in concepts[N]
    assert {(e["source"], e["target"], e["relation"]) for e in edges} == {
        *((a, b, "CAUSAL") for a, b in pairwise(ids[:N])),
        (ids[2], ids[4], "SIMILARITY"),
    }
    assert aesg("export", out).code == 0
    assert all("key" not in line for line in lines(out))


def test_graphml_is_what_other_tools_read(aesg, ids, tmp_path):
    out = tmp_path / "all.xml"
    assert aesg("export", out, "--format", "graphml", "--vectors").code == 0
    root = ElementTree.parse(out).getroot()
    names = {key.get("id"): key.get("attr.name") for key in root.iter(GRAPHML + "key")}
    graph = root.find(GRAPHML + "graph")
    nodes = {
        node.get("id"): {names[data.get("key")]: data.text for data in node} for node in graph.iter(GRAPHML + "node")
    }
    assert list(nodes) == [str(id) for id in ids]
    assert nodes[str(ids[0])]["text"] == "[bold]stripes[/bold] & <hooves>"
    assert nodes[str(ids[N])]["name"] == "\ufffd[31mcat"
    np.testing.assert_allclose(np.float32(nodes[str(ids[1])]["key"].split()), keys()[1], atol=1e-6)
    edges = list(graph.iter(GRAPHML + "edge"))
    assert len(edges) == N
    assert all(edge.get("source") in nodes and edge.get("target") in nodes for edge in edges)
    told = {names[data.get("key")]: data.text for data in edges[0]}
    assert (told["relation"], float(told["weight"])) == ("CAUSAL", pytest.approx(0.9))


def test_an_edge_that_leads_nowhere_is_left_out(aesg, path, tmp_path):
    connection = sqlite3.connect(path / "graph.db")
    connection.execute("INSERT INTO edges SELECT source, type, 5, 1, 1, 0, 0, 0 FROM edges LIMIT 1")
    connection.commit()
    connection.close()
    said = aesg("export", tmp_path / "all.graphml", "--json").json
    assert (said["edges"], said["left_out"]) == (N, 1)
    assert "lead to no concept: 1 edges" in aesg("export", tmp_path / "all.graphml").out


def test_a_failed_export_leaves_what_was_there(path, tmp_path):
    out = tmp_path / "all.jsonl"
    out.write_text("old")

    def fail(done, total):
        raise KeyboardInterrupt

    with MemoryReader(path) as reader:
        with pytest.raises(KeyboardInterrupt):
            export(reader, out, "jsonl", progress=fail)
        with pytest.raises(AESGStorageError, match="directory"):
            export(reader, tmp_path, "jsonl")
        with pytest.raises(AESGStorageError, match="Cannot write"):
            export(reader, tmp_path / "no" / "such.jsonl", "jsonl")
        with pytest.raises(AESGStorageError, match="Cannot write"):
            export(reader, out / "under a file", "jsonl")
        with pytest.raises(AESGMemoryError, match="expected one of graphml, jsonl"):
            export(reader, out, "csv")
    assert out.read_text() == "old"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["all.jsonl", "memory"]


def test_export_wants_to_know_the_format(aesg, tmp_path):
    answer = aesg("export", tmp_path / "all.txt")
    assert answer.code == 2
    assert "--format graphml or --format jsonl" in answer.err
    assert not (tmp_path / "all.txt").exists()
