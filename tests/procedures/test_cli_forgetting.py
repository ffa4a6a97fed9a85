"""``aesg due``, ``prune`` and ``consolidate`` on a memory that lives on servers, with nothing but the environment."""

import json

import pytest

from tests.procedures.test_prune_by_hand import QUICK
from tests.served.test_cli_served import aesg, environment
from tests.served.world import V, assert_cache_is_true, assert_in_step, vectors

__all__ = ["aesg", "environment"]
N = 12


@pytest.fixture
def engine(opened):
    """An engine that has twelve concepts; nothing is due before epoch 2."""
    engine = opened("a", QUICK)
    ids = engine.create(vectors(N), vectors(N, 1, V), names=[f"thing {i}" for i in range(N)])
    engine.link(ids[:-1], ids[1:], "CAUSAL", 0.9)
    engine.flush()
    return engine


@pytest.mark.parametrize("procedures", ["auto", "never"])
def test_from_nothing_due_to_everything_gone(engine, aesg, monkeypatch, procedures):
    monkeypatch.setenv("AESG_PROCEDURES", procedures)
    assert aesg("due")[:2] == (1, "nothing is due\n")
    assert aesg("prune")[:2] == (0, "0 of 0 concepts that were due are gone\n")
    code, out, _ = aesg("due", "--epochs", 2, "--json")
    assert (code, sorted(row["name"] for row in json.loads(out)["due"])) == (0, sorted(f"thing {i}" for i in range(N)))
    assert aesg("consolidate")[:2] == (0, "epoch 1 began; 0 of 0 concepts that were due are gone\n")
    begun = aesg("consolidate", "--no-prune", "--json")
    assert (begun[0], json.loads(begun[1])) == (0, {"epoch": 2, "pruned": 0, "due": N})
    code, out, _ = aesg("due", "-n", 3)
    assert (code, out.count("thing"), "relevance" in out) == (0, 3, True)
    assert aesg("prune", "--dry-run")[:2] == (0, f"{N} concepts are due; nothing was changed\n")
    assert json.loads(aesg("prune", "-n", 5, "--json")[1]) == {"pruned": 5, "due": N, "dry_run": False}
    assert aesg("prune")[:2] == (0, "7 of 7 concepts that were due are gone\n")
    engine.refresh()
    assert (engine.recorder.epoch, engine.recorder.concepts) == (2, 0)
    assert_cache_is_true(engine)
    assert_in_step(engine)


def test_consolidation_beside_its_keeper_is_an_error(engine, aesg):
    engine.consolidate()
    engine.flush()
    code, _, said = aesg("consolidate")
    assert (code, "looks after" in said, "othing was changed" in said) == (3, True, True)
    assert json.loads(aesg("stats", "--json")[1])["epoch"] == 1


def test_without_servers_it_says_what_to_set(aesg, monkeypatch):
    for name in ("AESG_GRAPH", "AESG_VECTORS", "AESG_MEMORY"):
        monkeypatch.delenv(name)
    for command in (["due"], ["prune", "--dry-run"], ["consolidate"]):
        code, _, said = aesg(*command)
        assert (code, "AESG_GRAPH" in said) == (3, True)


def test_a_memory_that_is_not_there_is_an_error(aesg, monkeypatch):
    monkeypatch.setenv("AESG_MEMORY", "nobody-made-this")
    for command in (["due"], ["prune"], ["consolidate"]):
        code, _, said = aesg(*command)
        assert (code, "nobody-made-this" in said) == (3, True)
