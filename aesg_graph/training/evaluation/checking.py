"""What the metrics accept. Everything here raises AESGTrainingError with what was given and what was expected."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from aesg_graph.errors import AESGTrainingError

OVERSHOOT = 1e-3
"""How far outside of [0, 1] an image may lie: resizing and rounding overshoot a little."""


def check_texts(predictions: Any, references: Any) -> None:
    """Two sequences of strings, equally many, at least one."""
    for name, texts in (("predictions", predictions), ("references", references)):
        if isinstance(texts, str) or not isinstance(texts, Sequence):
            raise AESGTrainingError(f"{name}: got {_kind(texts)}, expected a list of strings")
        for row, text in enumerate(texts):
            if not isinstance(text, str):
                raise AESGTrainingError(f"{name}[{row}]: got {_kind(text)}, expected a string")
    if len(predictions) != len(references):
        raise AESGTrainingError(
            f"got {len(predictions)} predictions and {len(references)} references, expected one reference a prediction"
        )
    if not predictions:
        raise AESGTrainingError("got no predictions, expected at least one")


def check_images(predictions: Any, targets: Any) -> tuple[Tensor, Tensor]:
    """Two batches of images of one shape, as [B, C, H, W] float32 in [0, 1] on the device of the predictions."""
    predictions, targets = check_tensor("predictions", predictions), check_tensor("targets", targets)
    if predictions.shape != targets.shape:
        raise AESGTrainingError(
            f"got predictions {_shape(predictions)} and targets {_shape(targets)}, expected equal shapes"
        )
    if predictions.dim() not in (3, 4) or not predictions.numel():
        raise AESGTrainingError(
            f"got images {_shape(predictions)}, expected [B, C, H, W] or [C, H, W] with no dimension of size 0"
        )
    return _pixels("predictions", predictions), _pixels("targets", targets).to(predictions.device)


def check_classes(predictions: Any, targets: Any) -> tuple[Tensor, Tensor, int]:
    """Predicted classes [N], true classes [N], and how many classes there are, of logits [N, C] or classes [N]."""
    predictions, targets = check_tensor("predictions", predictions), check_tensor("targets", targets)
    _whole("targets", targets)
    if targets.dim() != 1 or predictions.dim() not in (1, 2):
        raise AESGTrainingError(
            f"got predictions {_shape(predictions)} and targets {_shape(targets)}, expected logits [N, C] or classes "
            "[N], and classes [N]"
        )
    _equally_many(predictions, targets)
    if predictions.dim() == 2:
        count = predictions.shape[1]
        return check_logits(predictions).argmax(-1), _below("targets", targets, count), count
    _whole("predictions", predictions)
    predicted, true = _below("predictions", predictions, None), _below("targets", targets, None)
    return predicted, true, int(max(predicted.max(), true.max())) + 1


def check_tokens(logits: Any, targets: Any, ignore_index: int | None) -> tuple[Tensor, Tensor]:
    """Logits [N, V] in float32 and true tokens [N] of those positions that count, of [B, T, V] and [B, T]."""
    logits, targets = check_tensor("logits", logits), check_tensor("targets", targets)
    _whole("targets", targets)
    if logits.dim() not in (2, 3) or targets.shape != logits.shape[:-1]:
        raise AESGTrainingError(
            f"got logits {_shape(logits)} and targets {_shape(targets)}, expected [B, T, V] and [B, T], or [N, V] and "
            "[N]"
        )
    flat, tokens = logits.reshape(-1, logits.shape[-1]), targets.reshape(-1).to(logits.device)
    if ignore_index is not None:
        flat, tokens = flat[tokens != ignore_index], tokens[tokens != ignore_index]
    if not tokens.numel():
        raise AESGTrainingError(f"got targets {_shape(targets)} of which no token counts, expected at least one")
    return check_logits(flat), _below("targets", tokens, flat.shape[1])


def check_tensor(name: str, given: Any) -> Tensor:
    """A real tensor, cut off from its graph."""
    if not isinstance(given, Tensor):
        raise AESGTrainingError(f"{name}: got {_kind(given)}, expected a tensor")
    if given.is_complex():
        raise AESGTrainingError(f"{name}: got complex numbers, expected real ones")
    return given.detach()


def check_logits(given: Tensor) -> Tensor:
    """Finite numbers in float32."""
    if not given.is_floating_point():
        raise AESGTrainingError(f"logits: got {given.dtype}, expected floating-point numbers")
    if not given.shape[-1]:
        raise AESGTrainingError(f"logits: got {_shape(given)}, expected at least one class")
    return _finite("logits", given.float())


def _pixels(name: str, given: Tensor) -> Tensor:
    if not given.is_floating_point():
        raise AESGTrainingError(f"{name}: got {given.dtype}, expected floating-point numbers in [0, 1]")
    images = _finite(name, given.float())
    low, high = float(images.min()), float(images.max())
    if low < -OVERSHOOT or high > 1 + OVERSHOOT:
        raise AESGTrainingError(f"{name}: got numbers from {low:.4g} to {high:.4g}, expected [0, 1]")
    return (images if images.dim() == 4 else images.unsqueeze(0)).clamp(0, 1)


def _finite(name: str, given: Tensor) -> Tensor:
    bad = int((~torch.isfinite(given)).sum())
    if bad:
        raise AESGTrainingError(f"{name}: got {bad} of {given.numel()} numbers NaN or infinite, expected finite ones")
    return given


def _whole(name: str, given: Tensor) -> None:
    if given.is_floating_point() or given.dtype == torch.bool:
        raise AESGTrainingError(f"{name}: got {given.dtype}, expected whole numbers")


def _below(name: str, classes: Tensor, count: int | None) -> Tensor:
    low, high = int(classes.min()), int(classes.max())
    if low < 0 or (count is not None and high >= count):
        allowed = "0 and above" if count is None else f"0 to {count - 1}"
        raise AESGTrainingError(f"{name}: got classes from {low} to {high}, expected {allowed}")
    return classes.long()


def _equally_many(predictions: Tensor, targets: Tensor) -> None:
    if len(predictions) != len(targets):
        raise AESGTrainingError(
            f"got {len(predictions)} predictions and {len(targets)} targets, expected one target a prediction"
        )
    if not len(targets):
        raise AESGTrainingError("got no predictions, expected at least one")


def _shape(tensor: Tensor) -> str:
    return f"[{', '.join(map(str, tensor.shape))}]"


def _kind(given: Any) -> str:
    return type(given).__name__
