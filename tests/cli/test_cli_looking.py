"""stats, show, search, neighbors, explain, history: on a closed memory, for people and for machines."""

import numpy as np
import pytest
from cli_world import D, N, digests, keys, values

LOOKS = (
    ["stats"],
    ["show", "{0}"],
    ["search", "--near", "{0}"],
    ["search", "--text", "n"],
    ["neighbors", "{3}"],
    ["explain", "{0}", "{2}"],
    ["history"],
)


def with_ids(arguments, ids):
    return [argument.format(*ids) for argument in arguments]


@pytest.mark.parametrize("arguments", LOOKS, ids=" ".join)
def test_looking_changes_no_byte_and_fits_a_terminal(aesg, path, ids, arguments):
    before = digests(path)
    answer = aesg(*with_ids(arguments, ids))
    assert (answer.code, answer.err) == (0, "")
    assert max(map(len, answer.out.splitlines())) <= 80
    machine = aesg(*with_ids(arguments, ids), "--json")
    assert (machine.code, machine.err) == (0, "")
    assert isinstance(machine.json, dict)
    assert digests(path) == before


@pytest.mark.parametrize("arguments", LOOKS, ids=" ".join)
def test_looking_without_a_cache_changes_no_byte_either(aesg, path, ids, arguments):
    for file in (path / "cache").iterdir():
        file.unlink()
    before = digests(path)
    assert aesg(*with_ids(arguments, ids)).code == 0
    assert digests(path) == before


def test_stats_count(aesg, path):
    said = aesg("stats", "--json").json
    assert (said["concepts"], said["edges"], said["epoch"], said["tombstones"]) == (N + 1, N, 1, 0)
    assert (said["vector_dim"], said["value_dim"], said["mode"]) == (D, 2, "TRAIN")
    assert (said["owner"], said["cache"], said["pending_batches"]) == (None, "good", 0)
    assert all(size > 0 for size in said["bytes"].values())
    people = aesg("stats").out
    assert f"{N + 1} of at most 1,000,000" in people
    assert "no process" in people


def test_show_tells_a_concepts_life_and_vectors(aesg, ids):
    said = aesg("show", ids[0], "--json").json
    assert (said["id"], said["name"], said["kind"], said["edges"]) == (ids[0], "Zebra 0", "concept", 1)
    assert (said["born_epoch"], said["age"], said["use_frequency"], said["stability"]) == (0, 1, 0, 0.5)
    assert said["relevance"] == pytest.approx(0.95)
    np.testing.assert_allclose(said["key"], keys()[0], atol=1e-6)
    np.testing.assert_array_equal(np.float32(said["value"]), values()[0])
    people = aesg("show", ids[0]).out
    assert "[bold]stripes[/bold] & <hooves>" in people
    assert str(ids[0]) in people


def test_texts_cannot_drive_the_terminal(aesg, ids):
    assert "\x1b" not in aesg("show", ids[N]).out
    assert aesg("show", ids[N], "--json").json["name"] == "\x1b[31mcat"


@pytest.mark.parametrize("cached", [True, False])
def test_search_near_a_concept_finds_what_numpy_finds(aesg, path, ids, cached):
    if not cached:
        (path / "cache" / "header.bin").unlink()
    said = aesg("search", "--near", ids[3], "-n", 4, "--json").json
    every = np.concatenate([keys(), -keys()[:1]])
    cosines = every @ keys()[3]
    best = [i for i in np.argsort(-cosines) if i != 3][:4]
    assert [row["id"] for row in said["results"]] == [ids[i] for i in best]
    np.testing.assert_allclose([row["cosine"] for row in said["results"]], cosines[best], atol=1e-6)
    assert said["origin"] == ("the cache" if cached else "the vector store")
    assert said["complete"]


def test_search_by_a_vector_and_a_kind(aesg, ids, tmp_path):
    np.save(tmp_path / "v.npy", 3 * keys()[5:6])
    said = aesg("search", "--vector", tmp_path / "v.npy", "-n", 1, "--json").json
    assert (said["results"][0]["id"], said["results"][0]["cosine"]) == (ids[5], pytest.approx(1, abs=1e-6))
    only = aesg("search", "--vector", tmp_path / "v.npy", "--kind", "cat", "--json").json
    assert [row["id"] for row in only["results"]] == ids[N:]


def test_search_by_text(aesg, ids):
    assert [row["id"] for row in aesg("search", "--text", "zebra", "--json").json["results"]] == ids[:2]
    assert [row["id"] for row in aesg("search", "--text", "HOOVES", "--json").json["results"]] == ids[:1]
    assert len(aesg("search", "--text", "n", "-n", 3, "--json").json["results"]) == 3
    assert [r["id"] for r in aesg("search", "--text", "a", "--kind", "cat", "-n", 1, "--json").json["results"]] == ids[
        N:
    ]
    assert "Zebra 1" in aesg("search", "--text", "zebra").out


def test_search_that_finds_nothing_says_no(aesg):
    answer = aesg("search", "--text", "unicorn")
    assert (answer.code, answer.out) == (1, "nothing found\n")
    machine = aesg("search", "--text", "unicorn", "--json")
    assert (machine.code, machine.json["results"]) == (1, [])


def test_neighbors_come_strongest_first_with_direction_and_name(aesg, ids):
    said = aesg("neighbors", ids[4], "--json").json
    told = [(e["source"], e["target"], e["type"], e["weight"], e["name"]) for e in said["edges"]]
    strong = pytest.approx(0.9)
    assert told[:2] == [(ids[3], ids[4], "CAUSAL", strong, "n3"), (ids[4], ids[5], "CAUSAL", strong, "n5")]
    assert told[2] == (ids[2], ids[4], "SIMILARITY", 0.25, "n2")
    people = aesg("neighbors", ids[4]).out
    assert "->  CAUSAL" in people
    assert "<-  SIMILARITY" in people
    assert aesg("neighbors", ids[N]).out == "it has no edges\n"


def test_explain_tells_the_paths_and_their_energies(aesg, ids):
    said = aesg("explain", ids[2], ids[4], "--json").json
    two_steps, one_step = said["paths"][0], said["paths"][1]
    assert two_steps["ids"] == [ids[2], ids[3], ids[4]]
    assert two_steps["types"] == ["CAUSAL", "CAUSAL"]
    assert (one_step["ids"], one_step["types"]) == ([ids[2], ids[4]], ["SIMILARITY"])
    # Outgoing strengths of the first are 0.9 and 0.25, so it divides by the root of 1.15; the next by 1.
    first = 0.8 / 1.15**0.5
    assert one_step["energy"] == pytest.approx(first * 0.25, rel=1e-5)
    assert two_steps["energy"] == pytest.approx(first * 0.9 * 0.8 * 0.9, rel=1e-5)
    assert sum(p["share"] for p in said["paths"]) == pytest.approx(1)
    people = aesg("explain", ids[4], ids[2]).out
    assert f"-SIMILARITY-> {ids[2]}" in people or f"<-SIMILARITY- {ids[2]}" in people


def test_explain_without_a_path_says_no(aesg, ids):
    answer = aesg("explain", ids[9], ids[0])
    assert (answer.code, answer.out) == (1, "no energy goes from one to the other\n")
    assert aesg("explain", ids[9], ids[0], "--json").json["paths"] == []


def test_history_ends_with_the_latest(aesg, ids):
    events = aesg("history", "-n", 1000, "--json").json["events"]
    assert [e["type"] for e in events] == ["CREATE"] * (N + 1) + ["LINK"] * N + ["CONSOLIDATE"]
    assert [e["id1"] for e in events[: N + 1]] == ids
    assert aesg("history", "-n", 1, "--json").json["events"] == events[-1:]
    assert aesg("history", "--type", "link", "-n", 2, "--json").json["events"] == events[-3:-1]
    assert "CONSOLIDATE" in aesg("history").out
    assert aesg("history", "--type", "PRUNE").out == "nothing has happened yet\n"
