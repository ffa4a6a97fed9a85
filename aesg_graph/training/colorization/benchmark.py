"""ColorizationBenchmark: one network with a memory and one without, trained alike, judged alike, several times."""

from __future__ import annotations

import dataclasses
import json
import logging
import os
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import TensorDataset

from aesg_graph.errors import AESGConfigError, AESGStorageError
from aesg_graph.memory import AESGMemory
from aesg_graph.nn.image import AESGColorizationNet
from aesg_graph.training.colorization.baseline import parameter_count, without_memory
from aesg_graph.training.colorization.pictures import Pictures, gray, load
from aesg_graph.training.colorization.report import report
from aesg_graph.training.colorization.results import BenchmarkResult, Run
from aesg_graph.training.evaluation import Evaluator
from aesg_graph.training.evaluation.extras import extra
from aesg_graph.training.evaluation.images import WINDOW
from aesg_graph.training.trainer import AESGTrainer

DATASETS = ("cifar10", "photographs")
BATCH, RATE, SAMPLES = 32, 1e-3, 8

log = logging.getLogger(__name__)


def _whole(given: Any) -> bool:
    return isinstance(given, int) and not isinstance(given, bool)


def _small(directory: str) -> nn.Module:
    return AESGColorizationNet.small(storage_dir=directory)


class ColorizationBenchmark:
    """Trains a colouring network with memory beside one of equal size without, and says whether memory helped.

    Parameters
    ----------
    dataset_name: "cifar10" where its folder ``cifar-10-batches-py`` lies in ``data_dir``, otherwise the photographs
        bundled with scikit-learn and scikit-image; "photographs" for those at once. Nothing is downloaded.
    max_images: how many pictures, or tiles of photographs, of which a fifth is kept for judging.
    image_size: their height and width in pixels.
    max_epochs: how often each network sees the others.
    output_dir: where ``benchmark_report.md``, ``results.json`` and ``samples/*.png`` are written.
    seeds: both networks are trained once from each.
    model: makes the network with memory, given a directory for that memory; ``AESGColorizationNet.small`` by default.
        Its baseline is the same network with a hidden layer in place of each memory.
    device: where both are trained.

    Raises AESGConfigError for a bad parameter.
    """

    def __init__(
        self,
        dataset_name: str = "cifar10",
        max_images: int = 2000,
        image_size: int = 128,
        max_epochs: int = 3,
        output_dir: str | os.PathLike[str] = "./benchmark_results",
        *,
        seeds: Sequence[int] = (0, 1, 2),
        data_dir: str | os.PathLike[str] = "./data",
        model: Callable[[str], nn.Module] = _small,
        device: str | torch.device = "cpu",
    ) -> None:
        wrong = {}
        if dataset_name not in DATASETS:
            wrong["dataset_name"] = f"got {dataset_name!r}, expected one of {', '.join(DATASETS)}"
        for name, given, least in (
            ("max_images", max_images, 2),
            ("image_size", image_size, WINDOW),
            ("max_epochs", max_epochs, 1),
        ):
            if not _whole(given) or given < least:
                wrong[name] = f"got {given!r}, expected integer >= {least}"
        if not isinstance(seeds, Sequence) or not seeds or not all(map(_whole, seeds)) or len(set(seeds)) < len(seeds):
            wrong["seeds"] = f"got {seeds!r}, expected different integers, at least one"
        if wrong:
            raise AESGConfigError("The benchmark cannot run with these parameters.", wrong)
        self.dataset_name, self.max_images, self.image_size = dataset_name, max_images, image_size
        self.max_epochs, self.seeds = max_epochs, tuple(seeds)
        self.output_dir, self.data_dir = Path(output_dir), Path(data_dir)
        self.model, self.device = model, device

    def run(self) -> dict[str, BenchmarkResult]:
        """Train, judge and write the report; results of the network with memory ("aesg") and of the "baseline".

        AESGStorageError if ``output_dir`` cannot be written to; AESGTrainingError for a model that the benchmark cannot
        use.
        """
        samples = self.output_dir / "samples"
        try:
            samples.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise AESGStorageError(f"{samples}: {error}, expected a folder that can be made") from error
        pictures = load(self.dataset_name, self.max_images, self.image_size, self.data_dir)
        with tempfile.TemporaryDirectory() as directory, torch.random.fork_rng(devices=[]):
            sides = {
                side: [self._run(side, seed, pictures, f"{directory}/{side}-{seed}") for seed in self.seeds]
                for side in ("aesg", "baseline")
            }
        results = {side: outcomes[0].among([outcome.run for outcome in outcomes]) for side, outcomes in sides.items()}
        self._write(results, pictures)
        _draw(samples, pictures.judged, sides["aesg"][0].coloured, sides["baseline"][0].coloured)
        return results

    def _run(self, side: str, seed: int, pictures: Pictures, directory: str) -> Outcome:
        torch.manual_seed(seed)
        model = self.model(directory)
        memories = [module for module in model.modules() if isinstance(module, AESGMemory)]
        try:
            if side == "baseline":
                model = without_memory(model)
            trainer = AESGTrainer(
                model, None, nn.MSELoss(), device=self.device, batch_size=BATCH, learning_rate=RATE, quiet=True
            )
            started = time.perf_counter()
            losses = trainer.fit(TensorDataset(gray(pictures.train), pictures.train), self.max_epochs)
            seconds = time.perf_counter() - started
            coloured = coloured_by(trainer, pictures.judged)
            scores = Evaluator.compute_image_metrics(coloured, pictures.judged)
            concepts = sum(memory.storage.node_count for memory in memories)
            emptied = _emptied(trainer, memories, pictures.judged) if side == "aesg" else {}
        finally:
            for memory in memories:
                memory.close()
        log.info("%s, seed %d: PSNR %.2f dB after %.0f s", side, seed, scores["psnr"], seconds)
        run = Run(seed, scores["psnr"], scores["ssim"], tuple(losses), seconds, concepts, **emptied)
        name = type(model).__name__ + ("" if side == "aesg" else " without memory")
        return Outcome(run, name, parameter_count(model), coloured[:SAMPLES])

    def _write(self, results: dict[str, BenchmarkResult], pictures: Pictures) -> None:
        about = {
            "pictures": pictures.source,
            "trained on": f"{len(pictures.train)} pictures of {self.image_size} by {self.image_size} pixels",
            "judged by": f"{len(pictures.judged)} others",
            "epochs": self.max_epochs,
            "batch": f"{BATCH}; Adam, learning rate {RATE}, mean squared error",
            "seeds": ", ".join(map(str, self.seeds)),
        }
        text = report(results["aesg"], results["baseline"], about)
        (self.output_dir / "benchmark_report.md").write_text(text, encoding="utf-8")
        figures = {"about": about, **{side: _figures(result) for side, result in results.items()}}
        (self.output_dir / "results.json").write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")


@dataclasses.dataclass(frozen=True)
class Outcome:
    """One run, what was trained in it, and the first judged pictures as it coloured them."""

    run: Run
    model_name: str
    parameters: int
    coloured: Tensor

    def among(self, runs: Sequence[Run]) -> BenchmarkResult:
        """This and the runs of other seeds."""
        return BenchmarkResult(self.model_name, self.parameters, tuple(runs))


def coloured_by(trainer: AESGTrainer, true: Tensor) -> Tensor:
    """What the network makes of the gray form of pictures [N, 3, S, S]: as many, in [0, 1]."""
    batches = torch.split(gray(true), BATCH)
    return torch.cat([trainer.predict(batch).cpu() for batch in batches]).clamp(0, 1)


def _emptied(trainer: AESGTrainer, memories: Sequence[AESGMemory], judged: Tensor) -> dict[str, float]:
    """How the network is judged once all its concepts are removed."""
    for memory in memories:
        memory.remove(memory.storage.nodes["id"].astype(np.int64))
    scores = Evaluator.compute_image_metrics(coloured_by(trainer, judged), judged)
    return {f"{name}_emptied": scores[name] for name in ("psnr", "ssim")}


def _figures(result: BenchmarkResult) -> dict[str, Any]:
    derived = ("psnr", "psnr_spread", "ssim", "ssim_spread", "memory_nodes", "train_time_seconds", "loss_per_epoch")
    return {name: getattr(result, name) for name in derived} | dataclasses.asdict(result)


def _draw(folder: Path, true: Tensor, with_memory: Tensor, baseline: Tensor) -> None:
    """Write pictures side by side: original, gray, coloured with memory, coloured by the baseline."""
    for old in folder.glob("sample_*.png"):
        old.unlink()
    shown = len(with_memory)
    rows = torch.cat([true[:shown], gray(true[:shown]).expand(-1, 3, -1, -1), with_memory, baseline], dim=-1)
    pixels = (rows * 255).round().to(torch.uint8).permute(0, 2, 3, 1).numpy()
    for number, row in enumerate(pixels):
        extra("PIL.Image").fromarray(row).save(folder / f"sample_{number:03}.png")
