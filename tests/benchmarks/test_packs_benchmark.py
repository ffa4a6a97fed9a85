"""The benchmark of packs at a tiny size, on made-up texts. How fast anything is, is not asserted."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import packs
from helps.texts import Floats
from settings import Setting


def made_up(texts: Sequence[str]) -> Floats:
    """A key of its own for each text that begins with another word."""
    return np.stack(
        [np.random.default_rng(list(text.split()[0].encode())).standard_normal(32, np.float32) for text in texts]
    )


def test_what_a_pack_costs(tiny: Setting) -> None:
    figures = packs.costs(tiny, 300)
    assert [figure.case.split(",")[-1] for figure in figures[:2]] == [" 1 row", " 32 rows"]
    assert all(figure.ours > 0 and figure.goal is None for figure in figures)
    assert [figure.case for figure in figures[2:4]] == ["a pack of 300: written", "a pack of 300: read and verified"]


def test_what_a_pack_brings(tiny: Setting) -> None:
    words = [f"verb{i} does" for i in range(20)]
    pairs = np.stack([np.arange(19), np.arange(1, 20)], axis=1)
    given = packs.Domain([f"noun{i} is" for i in range(20)], words, pairs, words, [f"{w} again" for w in words])
    figures = packs.recalls(tiny, given, made_up)
    assert [figure.other for figure in figures] == [0.0, 0.0, 0.0, 1.0]
    assert all(figure.ours > 0.8 for figure in figures)
    assert all(figure.unit == "share" for figure in figures)
