"""What the benchmark measured, and what may be concluded from it."""

from __future__ import annotations

import statistics
from dataclasses import dataclass


@dataclass(frozen=True)
class Run:
    """One model trained once from one seed, and judged by the pictures that it has not seen.

    psnr in dB; ssim; losses, one an epoch; seconds of training; memory_nodes, concepts at its end; psnr_emptied and
    ssim_emptied, what they are when all concepts are removed (None for a model without memory).
    """

    seed: int
    psnr: float
    ssim: float
    losses: tuple[float, ...]
    seconds: float
    memory_nodes: int = 0
    psnr_emptied: float | None = None
    ssim_emptied: float | None = None


@dataclass(frozen=True)
class BenchmarkResult:
    """All runs of one model, and their means over the seeds."""

    model_name: str
    parameters: int
    runs: tuple[Run, ...]

    @property
    def psnr(self) -> float:
        """Mean peak signal-to-noise ratio, in dB."""
        return statistics.fmean(run.psnr for run in self.runs)

    @property
    def ssim(self) -> float:
        """Mean structural similarity."""
        return statistics.fmean(run.ssim for run in self.runs)

    @property
    def psnr_spread(self) -> float | None:
        """Standard deviation of ``psnr`` over the seeds, in dB; None for one seed."""
        return spread([run.psnr for run in self.runs])

    @property
    def ssim_spread(self) -> float | None:
        """Standard deviation of ``ssim`` over the seeds; None for one seed."""
        return spread([run.ssim for run in self.runs])

    @property
    def memory_nodes(self) -> int:
        """Concepts at the end of training, mean over the seeds, rounded; 0 without memory."""
        return round(statistics.fmean(run.memory_nodes for run in self.runs))

    @property
    def train_time_seconds(self) -> float:
        """Mean seconds of training."""
        return statistics.fmean(run.seconds for run in self.runs)

    @property
    def loss_per_epoch(self) -> list[float]:
        """Mean training loss of each epoch."""
        return [statistics.fmean(losses) for losses in zip(*(run.losses for run in self.runs), strict=True)]

    def of(self, metric: str) -> list[float]:
        """What each seed reached: "psnr" or "ssim"."""
        return [getattr(run, metric) for run in self.runs]

    def changed_when_emptied(self, metric: str) -> list[float]:
        """By how much each seed's "psnr" or "ssim" changes when its memory is emptied; nothing without a memory."""
        pairs = ((getattr(run, metric), getattr(run, f"{metric}_emptied")) for run in self.runs)
        return [after - before for before, after in pairs if after is not None]


def spread(figures: list[float]) -> float | None:
    """The standard deviation of a sample; None for one figure."""
    return statistics.stdev(figures) if len(figures) > 1 else None


def difference(ours: list[float], theirs: list[float]) -> int | None:
    """1 if ours are higher, -1 if lower, 0 if the means differ by no more than either spread; None for one figure."""
    spreads = spread(ours), spread(theirs)
    if spreads[0] is None or spreads[1] is None:
        return None
    apart = statistics.fmean(ours) - statistics.fmean(theirs)
    if abs(apart) <= max(spreads[0], spreads[1]):
        return 0
    return 1 if apart > 0 else -1
