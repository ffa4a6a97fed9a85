"""The benchmark's report: tables of what was measured, and sentences that follow from it."""

from __future__ import annotations

import statistics
from dataclasses import dataclass

from aesg_graph.training.colorization.results import BenchmarkResult, difference, spread


@dataclass(frozen=True)
class Metric:
    """Something that is measured, and how it is written."""

    name: str
    title: str
    digits: int
    unit: str = ""

    def shown(self, figure: float, *, signed: bool = False) -> str:
        """One figure with its unit."""
        return f"{figure:{'+z' if signed else ''}.{self.digits}f}{self.unit}"

    def mean(self, figures: list[float]) -> str:
        """Mean and spread."""
        return _plus_minus(statistics.fmean(figures), spread(figures), self.digits) + self.unit


METRICS = (Metric("psnr", "PSNR", 2, " dB"), Metric("ssim", "SSIM", 4))


def report(aesg: BenchmarkResult, baseline: BenchmarkResult, about: dict[str, object]) -> str:
    """The whole report, in Markdown. ``about`` is what was run, by name."""
    return "\n".join(
        [
            "# Colouring gray pictures, with and without memory",
            "",
            *(f"- {name}: {value}" for name, value in about.items()),
            "",
            conclusion(aesg, baseline),
            "",
            "## Means over the seeds",
            "",
            *_means(aesg, baseline),
            "",
            "± is the standard deviation over the seeds. Higher is better for both; PSNR is taken of the mean squared",
            "error over all judged pictures, SSIM is the mean over windows of 11 by 11 pixels.",
            "",
            "## Every run",
            "",
            *_runs(aesg, baseline),
            "",
            "`samples/` shows judged pictures, from left to right: as they are, in gray, coloured with memory, and",
            f"coloured by the baseline (seed {aesg.runs[0].seed}).",
            "",
        ]
    )


def conclusion(aesg: BenchmarkResult, baseline: BenchmarkResult) -> str:
    """Whether memory helped, as far as the figures go. A difference within the spread is none."""
    found = {metric: difference(aesg.of(metric.name), baseline.of(metric.name)) for metric in METRICS}
    compared = (_compared(metric, aesg, baseline, found[metric]) for metric in METRICS)
    return " ".join([*compared, f"**{_verdict(found)}**", _emptied(aesg)])


def _compared(metric: Metric, aesg: BenchmarkResult, baseline: BenchmarkResult, found: int | None) -> str:
    mine, theirs = aesg.of(metric.name), baseline.of(metric.name)
    apart = metric.shown(statistics.fmean(mine) - statistics.fmean(theirs), signed=True)
    figures = f"{metric.title} is {metric.mean(mine)} with memory and {metric.mean(theirs)} without"
    if found is None:
        return f"{figures}."
    size = "larger than" if found else "within"
    return f"{figures}: the difference of {apart} is {size} the spread over {len(mine)} seeds."


def _verdict(found: dict[Metric, int | None]) -> str:
    if None in found.values():
        return "One seed has no spread: whether memory helped, this run cannot say."
    better, worse = (" and ".join(metric.title for metric in found if found[metric] == sign) for sign in (1, -1))
    if better and worse:
        return f"Memory helped by {better}, and made it worse by {worse}."
    if better or worse:
        return f"Memory {'helped' if better else 'made it worse'}, by {better or worse}."
    return "Memory made no difference that these runs can show."


def _emptied(aesg: BenchmarkResult) -> str:
    if not aesg.memory_nodes:
        return "No concept was ever learned, so there was nothing to recall."
    changes = {metric: aesg.changed_when_emptied(metric.name) for metric in METRICS}
    shown = " and ".join(f"{m.title} by {m.shown(statistics.fmean(each), signed=True)}" for m, each in changes.items())
    figures = f"Emptying the trained network's memory changes {shown}"
    found = {difference(each, [0.0] * len(each)) for each in changes.values()}
    if None in found:
        return f"{figures}."
    if -1 in found and 1 in found:
        return f"{figures}: what it recalls helps it in one way and misleads it in the other."
    if -1 in found:
        return f"{figures}: it does use what it recalls."
    if 1 in found:
        return f"{figures}: what it recalls misleads it."
    return f"{figures}, which is within the spread: it makes no use of what it recalls that these runs can show."


def _means(*sides: BenchmarkResult) -> list[str]:
    rows = [
        f"| {side.model_name} | {side.parameters:,} | {_plus_minus(side.psnr, side.psnr_spread, 2)} "
        f"| {_plus_minus(side.ssim, side.ssim_spread, 4)} | {side.memory_nodes:,} | {side.train_time_seconds:.1f} |"
        for side in sides
    ]
    return [
        "| network | parameters | PSNR, dB | SSIM | concepts | training, s |",
        "|---|---:|---:|---:|---:|---:|",
        *rows,
    ]


def _runs(*sides: BenchmarkResult) -> list[str]:
    rows = [
        f"| {side.model_name} | {run.seed} | {run.psnr:.2f} | {_or_nothing(run.psnr_emptied, 2)} "
        f"| {run.ssim:.4f} | {_or_nothing(run.ssim_emptied, 4)} | {run.memory_nodes:,} "
        f"| {', '.join(f'{loss:.5f}' for loss in run.losses)} |"
        for side in sides
        for run in side.runs
    ]
    return [
        "| network | seed | PSNR, dB | emptied | SSIM | emptied | concepts | training loss of each epoch |",
        "|---|---:|---:|---:|---:|---:|---:|---|",
        *rows,
    ]


def _plus_minus(mean: float, deviation: float | None, digits: int) -> str:
    return f"{mean:.{digits}f}" + ("" if deviation is None else f" ± {deviation:.{digits}f}")


def _or_nothing(figure: float | None, digits: int) -> str:
    return "" if figure is None else f"{figure:.{digits}f}"
