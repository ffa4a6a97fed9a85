"""The benchmark of models runs at a tiny size. How fast anything is, is not asserted, nor what memory is worth."""

from __future__ import annotations

import math

import model_pairs
import models
import pytest
import reporting
import torch
from settings import Setting

NAMES = [
    "AESGGRUText",
    "AESGLSTMText",
    "AESGSeq2Seq",
    "AESGDecoderLM",
    "AESGTransformer",
    "AESGCNNClassifier",
    "AESGColorizationNet",
    "AESGCNNAutoencoder",
]


@pytest.mark.slow
def test_forward_passes_and_training_of_all_eight(tiny: Setting) -> None:
    figures = models.measure(tiny)
    forward = [f"300 concepts, batch of 8, {name}" for name in [*NAMES, "all eight"]]
    trained = [f"{name} after 1 epochs: {what}" for name in NAMES for what in ("concepts", "held-out loss")]
    assert [figure.case for figure in figures] == [*forward, *trained]
    for figure in figures:
        assert math.isfinite(figure.ours)
        assert figure.ours > 0
        assert figure.other is not None
        assert len(reporting.cells(figure)) == len(reporting.COLUMNS)
    notes = [figure.note for figure in figures if figure.case.endswith("held-out loss")]
    assert all("emptied: " in note for note in notes)


@pytest.mark.parametrize("pair", model_pairs.pairs(), ids=lambda pair: pair.name)
def test_the_data_of_each_model_are_the_same_for_a_seed_and_judged_on_others(pair: model_pairs.Pair) -> None:
    first, again = pair.data(8, 3), pair.data(8, 3)
    for one, other in zip((*first.train, *first.judged), (*again.train, *again.judged), strict=True):
        assert torch.equal(one, other)
    assert len(first.train[0]) == len(first.train[1]) == 8
    kept = {tuple(row.flatten().tolist()) for row in first.judged[0]}
    assert not kept & {tuple(row.flatten().tolist()) for row in first.train[0]}
