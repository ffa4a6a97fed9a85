"""Metrics of written text."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence

from aesg_graph.training.evaluation.extras import extra

WORD = re.compile(r"\w+")


def bleu(predictions: Sequence[str], references: Sequence[str]) -> float:
    """BLEU of the whole corpus, 0 to 1, by sacrebleu with its own tokenizer and smoothing.

    Papineni et al. 2002; Post 2018. Case counts. Where no text has four words, the shorter n-grams alone judge.
    """
    scorer = extra("sacrebleu.metrics").BLEU(effective_order=True)
    score = scorer.corpus_score(list(predictions), [list(references)]).score
    return min(1.0, float(score) / 100)


def rouge(predictions: Sequence[str], references: Sequence[str]) -> tuple[float, float]:
    """ROUGE-1 recall and the F-measure of ROUGE-L, 0 to 1, each the mean over the pairs (Lin 2004), by torchmetrics.

    Words are runs of letters, digits and underscores of any script, in lower case.
    """
    scores = extra("torchmetrics.functional.text").rouge_score(
        list(predictions),
        list(references),
        normalizer=str.lower,
        tokenizer=WORD.findall,
        rouge_keys=("rouge1", "rougeL"),
    )
    return float(scores["rouge1_recall"]), float(scores["rougeL_fmeasure"])


def exact_match(predictions: Sequence[str], references: Sequence[str]) -> float:
    """The share of predictions that are their reference, character by character."""
    return sum(said == meant for said, meant in zip(predictions, references, strict=True)) / len(predictions)


def character_perplexity(predictions: Sequence[str], references: Sequence[str]) -> float:
    """How a model that knows only each reference's letters is surprised by the prediction; 1 and above.

    The model counts the characters of one reference, plus one each (Laplace); the cross-entropy is the mean over all
    characters of all predictions. Pairs with an empty text are left out; infinite where nothing is left. This is the
    proxy that the `aesg` library calls perplexity. It looks at no model: two texts of the same letters in any order
    have the same one. The perplexity of a language model needs its logits.
    """
    surprise, characters = 0.0, 0
    for said, meant in zip(predictions, references, strict=True):
        if said and meant:
            counts = Counter(meant)
            known = len(meant) + len(counts)
            surprise += sum(math.log(known / (counts[character] + 1)) for character in said)
            characters += len(said)
    return math.exp(surprise / characters) if characters else math.inf
