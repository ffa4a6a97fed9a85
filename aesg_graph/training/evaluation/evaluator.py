"""Evaluator: metrics of text, classes and images, chosen by what a model is for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, get_args

import torch
from torch import Tensor, nn

from aesg_graph.errors import AESGTrainingError
from aesg_graph.training.evaluation import images, texts
from aesg_graph.training.evaluation.checking import check_classes, check_images, check_texts, check_tokens
from aesg_graph.training.evaluation.extras import extra

Domain = Literal["text", "classification", "image", "unknown"]

KNOWN = tuple(domain for domain in get_args(Domain) if domain != "unknown")
NAMES: tuple[tuple[str, Domain], ...] = (
    ("Classifier", "classification"),
    ("Colorization", "image"),
    ("Autoencoder", "image"),
    ("Transformer", "text"),
    ("GRUText", "text"),
    ("LSTMText", "text"),
    ("Seq2Seq", "text"),
    ("DecoderLM", "text"),
)
"""Parts of class names by which a model without the class attribute ``domain`` is known."""

WRAPPED = ("module", "_orig_mod")
"""Where data-parallel and compiled wrappers keep the model."""


class Evaluator:
    """How good predictions are. Every metric is a float; how each is averaged stands at its method.

    Needs ``pip install 'aesg-graph[train]'``. Everything raises AESGTrainingError for empty input, different lengths
    or shapes, NaN and infinities, and what is outside of its range.
    """

    @staticmethod
    def compute_text_metrics(predictions: Sequence[str], references: Sequence[str]) -> dict[str, float]:
        """What a model wrote, beside what it should have written: one string each.

        ``bleu``: of the whole corpus, 0 to 1 (sacrebleu). ``rouge``: recall of ROUGE-1, mean over pairs, 0 to 1.
        ``rouge_l``: F-measure of ROUGE-L, mean over pairs, 0 to 1. ``accuracy``: share of exact matches.
        ``character_perplexity``, and ``perplexity`` for those who know it by that name: a proxy from letters alone,
        not a language model's perplexity, which :meth:`compute_token_metrics` gives.
        """
        check_texts(predictions, references)
        recall, longest = texts.rouge(predictions, references)
        proxy = texts.character_perplexity(predictions, references)
        return {
            "bleu": texts.bleu(predictions, references),
            "rouge": recall,
            "rouge_l": longest,
            "accuracy": texts.exact_match(predictions, references),
            "perplexity": proxy,
            "character_perplexity": proxy,
        }

    @staticmethod
    def compute_token_metrics(logits: Tensor, targets: Tensor, ignore_index: int | None = None) -> dict[str, float]:
        """What a language model predicts: logits [B, T, V] beside the true tokens [B, T].

        ``perplexity``: e to the mean cross-entropy over all tokens, 1 and above. ``accuracy``: the share of tokens that
        had the highest logit. Tokens equal to ``ignore_index`` (padding) do not count.
        """
        flat, tokens = check_tokens(logits, targets, ignore_index)
        # Of log-probabilities: a probability that vanishes in float32 would make it infinite.
        surprise = nn.functional.cross_entropy(flat.double(), tokens)
        return {
            "perplexity": float(surprise.exp()),
            "accuracy": float((flat.argmax(-1) == tokens).double().mean()),
        }

    @staticmethod
    def compute_classification_metrics(predictions: Tensor, targets: Tensor) -> dict[str, float]:
        """Logits [N, C], or predicted classes [N], beside the true classes [N].

        ``accuracy``: share of samples. ``precision``, ``recall``, ``f1``: macro, the plain mean over the classes that
        were predicted or true at least once; ``f1`` is the mean of the classes' F1. All 0 to 1.
        """
        classes, true, count = check_classes(predictions, targets)
        metrics = extra("torchmetrics.functional.classification")
        scores = {
            "precision": metrics.multiclass_precision,
            "recall": metrics.multiclass_recall,
            "f1": metrics.multiclass_f1_score,
        }
        # torchmetrics takes two classes or more; a second one that never occurs does not count.
        several, true = max(count, 2), true.to(classes.device)
        macro = {name: float(score(classes, true, several, average="macro")) for name, score in scores.items()}
        return {"accuracy": float((classes == true).double().mean()), **macro}

    @staticmethod
    def compute_image_metrics(predictions: Tensor, targets: Tensor) -> dict[str, float]:
        """Images [B, C, H, W] or [C, H, W] in [0, 1], beside those that they should be.

        ``psnr``: dB, of the mean squared error over all images; infinite for equal ones. ``ssim``: in windows of 11
        pixels, mean over windows, channels and images, -1 to 1. ``mse``, ``mae``: mean over all pixels, 0 to 1.
        """
        predicted, true = check_images(predictions, targets)
        squared, absolute = images.errors(predicted, true)
        return {
            "psnr": images.psnr(squared),
            "ssim": images.ssim(predicted, true),
            "mse": squared,
            "mae": absolute,
        }

    @staticmethod
    def detect_domain(model: nn.Module) -> Domain:
        """What a model is for: its class attribute ``domain``, or else a known part of its class's name.

        "unknown" where neither says it. Data-parallel and compiled wrappers are looked through.
        """
        for name in WRAPPED:
            if not _says(model) and isinstance(inner := getattr(model, name, None), nn.Module):
                return Evaluator.detect_domain(inner)
        return _says(model) or "unknown"

    def evaluate(self, model: nn.Module, predictions: Any, references: Any) -> dict[str, float]:
        """The metrics that fit the model's domain; strings or logits for text, tensors for the rest.

        AESGTrainingError for a model whose domain is not known.
        """
        domain = self.detect_domain(model)
        if domain == "unknown":
            raise AESGTrainingError(
                f"got a model of class {type(model).__name__}, expected one with a class attribute `domain`: "
                + ", ".join(KNOWN)
            )
        if domain == "image":
            return self.compute_image_metrics(predictions, references)
        if domain == "classification":
            return self.compute_classification_metrics(predictions, references)
        if isinstance(predictions, torch.Tensor):
            return self.compute_token_metrics(predictions, references)
        return self.compute_text_metrics(predictions, references)


def _says(model: nn.Module) -> Domain | None:
    declared: Domain | None = getattr(type(model), "domain", None)
    if declared in KNOWN:
        return declared
    return next((domain for part, domain in NAMES if part in type(model).__name__), None)
