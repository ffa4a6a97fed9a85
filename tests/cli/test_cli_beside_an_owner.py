"""Every command while another process has the memory open and learns."""

import json
import xml.etree.ElementTree as ElementTree

import pytest
from cli_world import N, Owner, digests, keys
from sparse_files import copy_tree

LEARNED = 50


@pytest.fixture(scope="module")
def shared(built, tmp_path_factory):
    """A memory that another process has open for the tests that only look: it takes seconds to start."""
    path = copy_tree(built[0], tmp_path_factory.mktemp("shared") / "memory")
    process = Owner(path)
    yield path, process
    process.kill()


@pytest.fixture
def path(request, shared, built, tmp_path):
    """The shared memory, or for a test with an owner of its own another one."""
    own = "fresh" in request.fixturenames
    return copy_tree(built[0], tmp_path / "memory") if own else shared[0]


@pytest.fixture
def owner(shared):
    return shared[1]


@pytest.fixture
def fresh(path):
    process = Owner(path)
    yield process
    process.kill()


def test_looking_shows_what_the_owner_has_learned(aesg, owner):
    before = aesg("stats", "--json").json["concepts"]
    first = int(owner.tell("learn"))
    said = aesg("stats", "--json").json
    assert said["concepts"] == before + LEARNED
    assert f"process {owner.process.pid} on" in said["owner"]
    assert said["cache"] == "in use"
    assert aesg("show", first, "--json").json["name"] == "learned"
    assert len(aesg("neighbors", first + 1, "--json").json["edges"]) == 2
    assert aesg("explain", first, first + 2, "--json").json["paths"][0]["ids"] == [first, first + 1, first + 2]
    assert aesg("history", "-n", 1, "--json").json["events"][0]["type"] == "LINK"
    assert str(owner.process.pid) in aesg("stats").out


def test_search_reads_the_owners_cache(aesg, owner, ids):
    first = int(owner.tell("learn"))
    count = aesg("stats", "--json").json["concepts"]
    said = aesg("search", "--near", ids[0], "-n", 1000, "--json").json
    assert said["origin"] == "the owner's cache"
    assert said["complete"]
    assert len(said["results"]) == count - 1
    assert said["results"][-1]["id"] == ids[N]
    assert first in {row["id"] for row in said["results"]}
    scored = {row["id"]: row["cosine"] for row in said["results"]}
    for i in range(1, N):
        assert scored[ids[i]] == pytest.approx(float(keys()[i] @ keys()[0]), abs=1e-6)
    key = aesg("show", first, "--json").json["key"]
    assert len(key) == 6
    assert [row["id"] for row in aesg("search", "--near", ids[0], "--kind", "cat", "--json").json["results"]] == ids[N:]


def test_an_owner_whose_cache_holds_a_part_is_searched_and_that_is_said(aesg, built, tmp_path):
    there = copy_tree(built[0], tmp_path / "memory")
    process = Owner(there, cache_bytes=4096)  # 64 concepts always fit, more do not
    try:
        process.tell("learn")
        process.tell("learn")
        last = int(process.tell("learn")) + LEARNED - 1
        answer = aesg("search", "--near", last, "-d", there)
        assert answer.code == 0
        assert "does not hold all concepts" in answer.out.replace("\n", " ")
        said = aesg("search", "--near", last, "-n", 1000, "--json", "-d", there).json
        assert not said["complete"]
        assert 0 < len(said["results"]) < N + 3 * LEARNED
        assert aesg("export", tmp_path / "out.jsonl", "--vectors", "-d", there).code == 3
        assert not (tmp_path / "out.jsonl").exists()
    finally:
        process.kill()


def test_check_looks_at_what_is_free_and_says_what_it_skipped(aesg, owner):
    owner.tell("learn")
    answer = aesg("check", "--json")
    assert (answer.code, answer.json["clean"]) == (0, True)
    assert str(owner.process.pid) in answer.json["owner"]
    skipped = [f for f in answer.json["findings"] if f["kind"] == "not looked at"]
    assert len(skipped) == 1
    assert skipped[0]["note"]
    assert "vectors and cache are in use" in skipped[0]["detail"]


@pytest.mark.parametrize("command", [["check", "--repair"], ["optimize"]], ids=" ".join)
def test_what_writes_is_refused_and_the_holder_named(aesg, owner, command):
    answer = aesg(*command)
    assert (answer.code, answer.out) == (3, "")
    assert f"process {owner.process.pid}" in answer.err
    machine = aesg(*command, "--json")
    assert (machine.code, machine.out) == (3, "")
    assert json.loads(machine.err)["subsystem"] == "storage"


def test_looking_disturbs_no_owner_and_no_look_is_disturbed_by_it(aesg, fresh, ids, tmp_path):
    assert fresh.tell("go on") == "going on"
    seen = [aesg("stats", "--json").json["concepts"]]
    for _ in range(5):
        for command in (
            *(["show", ids[0]], ["neighbors", ids[1]], ["search", "--near", ids[0]], ["search", "--text", "n"]),
            *(["explain", ids[0], ids[2]], ["history"], ["check"]),
        ):
            answer = aesg(*command)
            assert (answer.code, answer.err) == (0, ""), command
        seen.append(aesg("stats", "--json").json["concepts"])
    assert seen == sorted(seen)
    assert seen[-1] > seen[0]
    assert fresh.process.poll() is None
    out = tmp_path / "while.graphml"
    assert aesg("export", out, "--vectors").code == 0
    graph = ElementTree.parse(out).getroot()[-1]
    nodes = {node.get("id") for node in graph if node.tag.endswith("node")}
    assert len(nodes) >= seen[-1]
    assert all({e.get("source"), e.get("target")} <= nodes for e in graph if e.tag.endswith("edge"))


def test_a_memory_whose_owner_was_killed_can_be_looked_at_and_is_left_as_it_is(aesg, fresh, path):
    first = int(fresh.tell("learn"))
    fresh.tell("go on")
    fresh.kill()
    before = digests(path)
    assert aesg("stats", "--json").json["owner"] is None
    for command in (
        *(["show", first], ["neighbors", first + 1], ["explain", first, first + 2], ["history"]),
        *(["search", "--text", "n"], ["search", "--near", first]),
    ):
        assert aesg(*command).code == 0
    assert len(aesg("show", first, "--json").json["key"]) == 6
    assert aesg("search", "--near", first, "--json").json["origin"] == "the cache that a killed owner left"
    assert digests(path) == before
    assert aesg("check").code == 0
    assert aesg("check", "--repair").code == 0
    answer = aesg("check", "--json")
    assert (answer.code, answer.json["findings"]) == (0, [])
    assert aesg("stats", "--json").json["pending_batches"] == 0
    said = aesg("search", "--near", first, "--json").json
    assert said["origin"] == "the vector store"
    assert len(said["results"]) == 10
