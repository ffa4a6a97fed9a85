"""The benchmark of reorganisation gives its figures at a small size, in a world in which everything occurs."""

import math

import pytest
import reorganisation
from settings import Setting


def test_a_small_world_is_reorganised_and_its_keys_are_found_before_and_after(tmp_path, monkeypatch):
    monkeypatch.setattr(reorganisation, "LIMIT", 40)
    monkeypatch.setattr(reorganisation, "HUBS", 3)
    figures = reorganisation.measure(Setting(tmp_path, (1500,)))
    assert len(figures) == 10
    assert all(math.isfinite(figure.ours) for figure in figures)
    counts = dict(part.rsplit(" ", 1)[::-1] for part in figures[0].note.replace(" split off", " split").split(", "))
    assert all(int(counts[what].replace(",", "")) > 0 for what in ("merged", "split", "regions", "moved"))
    before, after = (figure.ours for figure in figures if "nearest" in figure.case)
    assert before == pytest.approx(1.0)
    assert after == pytest.approx(1.0)
