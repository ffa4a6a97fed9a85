"""The benchmarks of the served engine run at a tiny size, on servers that they start."""

from __future__ import annotations

import math

import procedures
import pytest
import served
from settings import Setting


def test_writing_reading_travelling_hanging_and_checking(tiny: Setting, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(served, "WRITERS", 2)
    monkeypatch.setattr(served, "LESSONS", 320)
    figures = served.measure(tiny)
    assert len(figures) == 9
    assert all(math.isfinite(figure.ours) and figure.ours > 0 and figure.goal is None for figure in figures[1:])
    assert [figure.beside for figure in figures if figure.beside] == ["the embedded engine"] * 2 + ["both servers well"]


def test_spreading_consolidating_and_pruning_inside_neo4j(tiny: Setting) -> None:
    figures = procedures.measure(tiny)
    assert len(figures) == 6
    assert all(math.isfinite(figure.ours) and figure.ours > 0 and figure.goal is None for figure in figures)
    assert [figure.beside for figure in figures if figure.beside] == ["plain Cypher", "aesg.spread"] * 2
