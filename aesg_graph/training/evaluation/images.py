"""Metrics of images [B, C, H, W] in [0, 1], by torchmetrics."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from aesg_graph.errors import AESGTrainingError
from aesg_graph.training.evaluation.extras import extra

SIGMA = 1.5
"""The width of SSIM's Gaussian window, as published;"""
WINDOW = 11
"""it is cut off after 3.5 of them, which gives so many pixels."""
TOGETHER = 64
"""So many images at once: it takes some ten times their room."""


def errors(predictions: Tensor, targets: Tensor) -> tuple[float, float]:
    """Mean squared and mean absolute error over all pixels and channels of all images."""
    difference = (predictions - targets).double()
    return float(difference.square().mean()), float(difference.abs().mean())


def psnr(squared_error: float) -> float:
    """Peak signal-to-noise ratio in dB, of the mean squared error over all images; infinite for equal images."""
    return math.inf if squared_error == 0 else -10 * math.log10(squared_error)


def ssim(predictions: Tensor, targets: Tensor) -> float:
    """Structural similarity in windows of 11 by 11 pixels, mean over windows, channels and images; -1 to 1.

    Wang et al. 2004. Only windows that lie inside the image count. AESGTrainingError for smaller images.
    """
    height, width = predictions.shape[-2:]
    if min(height, width) < WINDOW:
        raise AESGTrainingError(f"got images of {height} by {width} pixels, expected at least {WINDOW} by {WINDOW}")
    measure = extra("torchmetrics.functional.image").structural_similarity_index_measure
    # One value for each pixel as the middle of a window; the outermost windows look at reflections of the border.
    border = WINDOW // 2
    total = 0.0
    for said, true in zip(torch.split(predictions, TOGETHER), torch.split(targets, TOGETHER), strict=True):
        _, windows = measure(said, true, sigma=SIGMA, data_range=1.0, return_full_image=True)
        inside = windows[..., border:-border, border:-border]
        total += float(inside.double().mean()) * len(said)
    return total / len(predictions)
