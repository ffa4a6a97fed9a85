"""The benchmark's report: tables of what was measured, and sentences that follow from it."""

from __future__ import annotations

import statistics

from aesg_graph.training.colorization.results import BenchmarkResult, difference, spread

NOTHING = 0.01
"""Below so many dB, emptying a memory changes nothing worth the name."""


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
    return f"{_compared(aesg, baseline)} {_emptied(aesg)}"


def _compared(aesg: BenchmarkResult, baseline: BenchmarkResult) -> str:
    sides = [[run.psnr for run in side.runs] for side in (aesg, baseline)]
    apart = aesg.psnr - baseline.psnr
    figures = f"The network with memory reaches {_dB(aesg)}, the baseline {_dB(baseline)}."
    found = difference(*sides)
    if found is None:
        return f"{figures} One seed has no spread: whether memory helped, this run cannot say."
    wide = max(filter(None, (spread(side) for side in sides)), default=0.0)
    if found == 0:
        return (
            f"{figures} The difference of {apart:+z.2f} dB is within the spread over {len(aesg.runs)} seeds "
            f"({wide:.2f} dB): **memory made no difference that these runs can show.**"
        )
    outcome = "memory helped" if found > 0 else "memory made it worse"
    return (
        f"{figures} The difference of {apart:+z.2f} dB is larger than the spread over {len(aesg.runs)} seeds "
        f"({wide:.2f} dB): **{outcome}.**"
    )


def _emptied(aesg: BenchmarkResult) -> str:
    if not aesg.memory_nodes:
        return "No concept was ever learned, so there was nothing to recall."
    lost = aesg.lost_when_emptied
    mean = statistics.fmean(lost)
    figures = f"Emptying the trained network's memory changes PSNR by {-mean:+z.3f} dB"
    if max(map(abs, lost)) < NOTHING:
        return f"{figures}: the network does not use what it recalls."
    if min(lost) > 0:
        return f"{figures}: the trained network does use what it recalls."
    if max(lost) < 0:
        return f"{figures}: what it recalls misleads the trained network."
    return f"{figures}, up in some seeds and down in others: what it recalls is of no steady use."


def _dB(result: BenchmarkResult) -> str:  # noqa: N802
    return f"{_plus_minus(result.psnr, result.psnr_spread, 2)} dB"


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
        f"| {side.model_name} | {run.seed} | {run.psnr:.2f} | {_or_dash(run.psnr_emptied)} | {run.ssim:.4f} "
        f"| {run.memory_nodes:,} | {', '.join(f'{loss:.5f}' for loss in run.losses)} |"
        for side in sides
        for run in side.runs
    ]
    return [
        "| network | seed | PSNR, dB | memory emptied | SSIM | concepts | training loss of each epoch |",
        "|---|---:|---:|---:|---:|---:|---|",
        *rows,
    ]


def _plus_minus(mean: float, deviation: float | None, digits: int) -> str:
    return f"{mean:.{digits}f}" + ("" if deviation is None else f" ± {deviation:.{digits}f}")


def _or_dash(figure: float | None) -> str:
    return "" if figure is None else f"{figure:.2f}"
