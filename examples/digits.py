"""Watch a neural network stop forgetting because it has a memory: ``make demo``, or ``python examples/digits.py``."""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

import torch
from digits_demo import curve, experiment, sheet, story
from digits_demo.data import TASKS, Digits, split
from digits_demo.encoders import Pixels
from digits_demo.experiment import Outcome
from digits_demo.memories import score
from digits_demo.setting import Setting
from rich.console import Console
from threadpoolctl import threadpool_limits

from aesg_graph import AESGMemory

DOCS = Path(__file__).resolve().parent.parent / "docs" / "images"


def options(given: list[str]) -> argparse.Namespace:
    """What the user wants."""
    parser = argparse.ArgumentParser(description="Watch a neural network stop forgetting because it has a memory.")
    parser.add_argument("--quick", action="store_true", help="a few seconds' worth, to see that it runs")
    parser.add_argument("--seed", type=int, default=0, help="which test splits and networks (default: 0)")
    parser.add_argument("--out", type=Path, default=Path("demo-output"), help="folder for pictures and table")
    parser.add_argument("--docs", action="store_true", help="write the pictures for the README, to docs/images/")
    parser.add_argument("--memory", type=Path, help="new folder in which the first memory is kept (default: none is)")
    chosen = parser.parse_args(given)
    if chosen.memory is not None and not is_new(chosen.memory):
        parser.error(f"--memory {chosen.memory} is not empty, expected a new folder: the demo begins from nothing")
    return chosen


def is_new(folder: Path) -> bool:
    """Whether a folder is absent or empty."""
    return not folder.exists() or (folder.is_dir() and not any(folder.iterdir()))


def main(given: list[str]) -> None:
    """Run the demo."""
    chosen = options(given)
    # The matrices are tiny: more threads than one only get into each other's way.
    torch.set_num_threads(1)
    threadpool_limits(1)
    console = Console()
    setting = Setting.quick() if chosen.quick else Setting()
    out: Path = DOCS if chosen.docs else chosen.out
    story.before(console)
    with tempfile.TemporaryDirectory(prefix="aesg-demo-") as temporary:
        kept = chosen.memory if chosen.memory is not None else Path(temporary) / "kept"
        with story.watching(console, setting) as (progress, finished):
            outcome = experiment.run(setting, chosen.seed, Path(temporary), kept, progress, finished)
        story.after(console, outcome)
        out.mkdir(parents=True, exist_ok=True)
        digits = split(chosen.seed, train_limit=setting.train_limit)
        reopen(console, outcome, digits, kept, out)
    curve.draw(outcome, out / "digits-accuracy.png")
    (out / "digits-accuracy.md").write_text(story.markdown(outcome) + "\n", encoding="utf-8")
    console.print(f"Pictures and table are in {out}/: digits-accuracy.png, digits-concepts.png, digits-accuracy.md")
    if chosen.quick:
        console.print("This was --quick: it shows that everything runs; for figures that mean something leave it out.")
    console.print(f"This took {outcome.seconds:.0f} s, of which {outcome.processor_seconds:.0f} s of processor time.")


def reopen(console: Console, outcome: Outcome, digits: Digits, kept: Path, out: Path) -> None:
    """The first memory was closed when its split ended. Open it again from disk, test it, and draw what it holds."""
    pixels = Pixels(digits)
    pixels.begin(digits.task(0))
    began = time.perf_counter()
    with AESGMemory(kept) as memory:
        opened = time.perf_counter() - began
        again = score(memory, pixels, digits, digits.seen(len(TASKS) - 1))
        before = float(outcome.final(experiment.PIXELS)[0])
        same = "the same as before it was closed" if again == before else f"BEFORE IT WAS CLOSED IT HAD {before:.2%}"
        stats = memory.stats()
        console.print(
            f"Closed, and opened again from disk in {1000 * opened:.0f} ms, the first memory names {again:.1%} of the "
            f"digits rightly, {same}. It holds {stats['concepts']} concepts and {stats['edges']} edges in epoch "
            f"{stats['epoch']}."
        )
        shades = digits.images[digits.train] - pixels.mean
        sheet.draw(
            sheet.learned(memory, pixels.mean.numpy(), float(shades.norm(dim=1).mean())), out / "digits-concepts.png"
        )
    if again != before:
        raise SystemExit("the memory did not come back from disk as it was")


if __name__ == "__main__":
    main(sys.argv[1:])
