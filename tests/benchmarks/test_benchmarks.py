"""Every benchmark runs at a tiny size and gives figures of the right shape. How fast anything is, is not asserted."""

from __future__ import annotations

import json
import math
from pathlib import Path

import bulk
import consolidation
import learning
import memory_use
import numpy as np
import opening
import pytest
import reporting
import retrieve
import run
import scaling
import worlds
from aesg.config import AESGConfig as OtherConfig
from aesg.memory.controller import AESGMemory as OtherMemory
from measuring import Figure, at_least, at_most
from settings import Setting


def check(figures: list[Figure], cases: list[str]) -> None:
    """They are about ``cases``, in this order, and are numbers that a table can hold."""
    assert [figure.case for figure in figures] == cases
    for figure in figures:
        assert math.isfinite(figure.ours)
        assert figure.unit == "MB" or figure.ours > 0
        assert figure.goal is None  # goals are for larger sizes
        if figure.ratio_is:
            assert figure.ratio is not None
            assert figure.ratio > 0
        assert len(reporting.cells(figure)) == len(reporting.COLUMNS)


def test_retrieval_beside_both(tiny: Setting) -> None:
    figures = retrieve.measure(tiny)
    check(figures, ["300 concepts, 1 row"] * 2 + ["300 concepts, 32 rows"] * 2)
    assert [f.beside for f in figures] == ["aesg", "plain top-k", "aesg, a call a row", "plain top-k"]
    assert "its calls timed" in figures[0].note


def test_bulk_creation_without_and_with_values_and_links(tiny: Setting) -> None:
    figures = bulk.measure(tiny)
    stages = ["accepted", "through to both stores"]
    edges = len(tiny.world(300).sources)
    kinds = ["300 concepts, values of width 10", "300 concepts, no values", f"{edges:,} edges"]
    check(figures, [f"{kind}: {stage}" for kind in kinds for stage in stages])
    assert tiny.shared(300).exists()


def test_consolidation_of_what_is_not_due_what_is_used_and_what_is_due(tiny: Setting) -> None:
    kinds = ["nothing due", "faded but well used", "all due: accepted", "all due: through to both stores"]
    check(consolidation.measure(tiny), [f"300 concepts, {kind}" for kind in kinds])


def test_opening_with_a_good_cache_and_a_rebuilt_one(tiny: Setting) -> None:
    kinds = ["good cache", "good cache, until the first answer", "cache built from the stores"]
    check(opening.measure(tiny), [f"300 concepts, {kind}" for kind in kinds])


def test_learning_beside_retrieval(tiny: Setting) -> None:
    figures = learning.measure(tiny)
    check(figures, ["300 concepts, familiar queries", "300 concepts, queries that are all new"])


@pytest.mark.slow
def test_memory_of_a_process_that_serves_reads(tiny: Setting) -> None:
    figures = memory_use.measure(tiny)
    kinds = [
        "opened",
        f"after {memory_use.QUERIES} reads",
        "and with the vector shard opened",
        "of that the shard",
    ]
    check(figures, [f"300 concepts, {kind}" for kind in kinds])
    assert all((figure.other or 1) > 0 for figure in figures)


def test_a_figure_knows_its_ratio_and_whether_its_goal_is_met() -> None:
    faster = Figure("a", 0.001, "s", "b", 2.0, "faster", at_least(1000))
    assert (faster.ratio, faster.met) == (2000, True)
    dearer = Figure("a", 3.0, "s", "b", 1.0, "cost", at_most(2))
    assert (dearer.ratio, dearer.met) == (3, False)
    rate = Figure("a", 50_000, "/s", "b", 25_000, "faster", at_least(100_000, "ours"))
    assert (rate.ratio, rate.met) == (2, False)
    alone = Figure("a", 1.0, "MB")
    assert (alone.ratio, alone.met) == (None, None)
    assert reporting.cells(faster)[1:] == ("1 ms", "b", "2 s", "2,000 x as fast", "at least 1000 x", "yes")


def test_a_world_has_distinct_edges_and_nearly_the_degree_that_it_says() -> None:
    world = worlds.world(2000, 8)
    pairs = {frozenset(pair) for pair in zip(world.sources.tolist(), world.targets.tolist(), strict=True)}
    assert len(pairs) == len(world.sources)
    assert all(len(pair) == 2 for pair in pairs)
    degrees = np.bincount(np.concatenate([world.sources, world.targets]), minlength=2000)
    assert degrees.max() == worlds.DEGREE
    assert degrees.mean() > worlds.DEGREE - 0.1
    np.testing.assert_allclose(np.linalg.norm(world.keys, axis=1), 1, rtol=1e-5)


def test_the_other_library_is_the_same_whether_filled_by_calls_or_by_arrays(tmp_path: Path) -> None:
    world = worlds.world(500, 8)
    by_calls, how = worlds.others(tmp_path / "calls", world)
    assert "through its own API" in how
    by_arrays = OtherMemory(str(tmp_path / "arrays"), OtherConfig(vector_dim=8, max_concepts=1000))
    worlds.fill_by_arrays(by_arrays, world)
    ours, its = by_arrays.storage, by_calls.storage
    worlds.expect_equal(ours.nodes, its.nodes)
    worlds.expect_equal(ours.edges, its.edges)
    assert ours.node_count == its.node_count == 500
    assert ours.edge_count == its.edge_count == 2 * len(world.sources)
    query = world.queries(1)[0]
    assert retrieve.ask_other(by_arrays, query) == retrieve.ask_other(by_calls, query)
    ours.edges["weight"][7] = 0
    with pytest.raises(RuntimeError, match="weight"):
        worlds.expect_equal(ours.edges, its.edges)


def test_a_large_other_memory_is_filled_by_arrays_and_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worlds, "LOOP_LIMIT", 0.0)
    memory, how = worlds.others(tmp_path, worlds.world(2500, 4))
    assert "by array writes" in how
    assert memory.storage.node_count == 2500


def test_results_of_several_runs_come_together_in_one_file(tmp_path: Path) -> None:
    def figures(ours: float) -> list[Figure]:
        return [Figure("100 concepts, 1 row", ours, "s", "plain top-k", 1.0, "cost")]

    reporting.keep(tmp_path, "retrieve", "Retrieval", figures(3.0))
    reporting.keep(tmp_path, "bulk", "Bulk", [Figure("100 concepts", 5.0, "/s")])
    results = reporting.keep(tmp_path, "retrieve", "Retrieval", figures(0.5))
    assert json.loads((tmp_path / "results.json").read_text()) == json.loads(json.dumps(results))
    text = (tmp_path / "results.md").read_text()
    assert text.index("## Bulk") > text.index("## Retrieval")
    assert "| 100 concepts, 1 row | 500 ms | plain top-k | 1 s | 0.5 x |  |  |" in text
    assert "3 s" not in text
    assert "cores" in text


def test_the_command_measures_writes_and_draws(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    asked = ["--quick", "--sizes", "200,400", "--only", "retrieve,opening", "--results", str(tmp_path / "results")]
    run.main([*asked, "--directory", str(tmp_path)])
    printed = capsys.readouterr().out
    assert retrieve.TITLE in printed
    assert "plain top-k" in printed
    results = reporting.load(tmp_path / "results")
    assert list(results) == ["retrieve", "opening"]
    curves = scaling.curves([figure for figure in results["retrieve"]["figures"] if ", 1 row" in figure["case"]])
    assert list(curves) == list(scaling.STYLES)
    assert all([size for size, _ in points] == [200, 400] for points in curves.values())
    assert (tmp_path / "results" / "scaling.png").read_bytes()[1:4] == b"PNG"
    assert [path.name for path in tmp_path.iterdir()] == ["results"]  # what was built is gone


@pytest.mark.parametrize("wrong", [["--only", "sorting"], ["--sizes", "7"], ["--sizes", "many"]])
def test_the_command_refuses_what_it_does_not_know(wrong: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as refused:
        run.main(wrong)
    assert refused.value.code == 2
    assert wrong[0] in capsys.readouterr().err
