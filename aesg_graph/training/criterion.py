"""The default criterion: cross-entropy that takes whole sequences."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from aesg_graph.errors import AESGTrainingError


def sequence_cross_entropy(output: Any, target: Any) -> Tensor:
    """Cross-entropy of logits ``[B, C]`` with classes ``[B]``, ``[B, T, C]`` with ``[B, T]``, ``[B, C, ...]`` with
    ``[B, ...]``, or of logits with class probabilities of the same shape; the mean over everything but C.

    Where ``[B, T, C]`` and ``[B, C, T]`` are both possible (T = C) the first is meant. Target -100 is left out, as in
    torch. AESGTrainingError for shapes that do not go together.
    """
    if not isinstance(output, Tensor) or not isinstance(target, Tensor):
        raise AESGTrainingError(
            f"The default criterion takes two tensors, got {type(output).__name__} and {type(target).__name__}; give "
            "the trainer a criterion of your own"
        )
    if target.is_floating_point():
        if output.shape != target.shape or output.dim() < 2:
            raise _unfit(output, target)
        classes = output.shape[-1]
        return cross_entropy(output.reshape(-1, classes), target.reshape(-1, classes))
    if output.dim() >= 2 and output.shape[:-1] == target.shape:
        return cross_entropy(output.reshape(-1, output.shape[-1]), target.reshape(-1).to(torch.int64))
    if output.dim() > 2 and (output.shape[0], *output.shape[2:]) == tuple(target.shape):
        return cross_entropy(output, target.to(torch.int64))
    raise _unfit(output, target)


def _unfit(output: Tensor, target: Tensor) -> AESGTrainingError:
    return AESGTrainingError(
        f"The default criterion, cross-entropy, got output {list(output.shape)} and {target.dtype} target "
        f"{list(target.shape)}, expected logits [B, C] with classes [B], or [B, T, C] with [B, T]; for other tasks "
        "give the trainer a criterion, such as torch.nn.MSELoss()"
    )
