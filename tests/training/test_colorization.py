"""The benchmark of colouring: its pictures, its baseline, what it concludes, and one whole run at a tiny size."""

import dataclasses
import json
import math
import os
import pickle
import struct

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from aesg_graph import AESGConfig, AESGMemory
from aesg_graph.errors import AESGConfigError, AESGStorageError, AESGTrainingError
from aesg_graph.nn import MemoryConvLayer
from aesg_graph.nn.image import AESGColorizationNet
from aesg_graph.training.colorization import BenchmarkResult, ColorizationBenchmark, Run
from aesg_graph.training.colorization.baseline import TOLERANCE, parameter_count, without_memory
from aesg_graph.training.colorization.cifar import BATCHES, FOLDER, cifar_pictures
from aesg_graph.training.colorization.pictures import bundled, cut, gray, load, parts, photographs
from aesg_graph.training.colorization.report import conclusion
from aesg_graph.training.colorization.results import difference

# Pictures


def test_training_and_judged_tiles_share_no_pixel():
    for name, photograph in bundled().items():
        rows, columns, _ = photograph.shape
        places = np.zeros((rows, columns, 3), np.int64)
        places[..., 0], places[..., 1] = np.mgrid[:rows, :columns]
        seen, kept = parts(places)
        assert seen.size + kept.size == places.size, name
        assert kept.size == pytest.approx(0.2 * places.size, rel=0.01), name
        chance = np.random.default_rng(0)
        tiles = [
            np.unique(np.concatenate(cut(part, 40, 40, 30, chance)).reshape(-1, 3), axis=0) for part in (seen, kept)
        ]
        both = np.concatenate(tiles)
        assert len(np.unique(both, axis=0)) == len(both), name


def test_as_many_tiles_as_asked_for_of_every_photograph():
    pictures = photographs(50, 24)
    assert pictures.train.shape == (40, 3, 24, 24)
    assert pictures.judged.shape == (10, 3, 24, 24)
    assert pictures.train.min() >= 0
    assert pictures.train.max() <= 1
    assert pictures.train.std() > 0.1
    assert {"china", "flower", "astronaut", "chelsea"} <= set(bundled())
    assert "bundled with scikit-learn and scikit-image" in pictures.source


def test_the_same_pictures_come_every_time():
    once, again = photographs(20, 16), photographs(20, 16)
    assert torch.equal(once.train, again.train)
    assert torch.equal(once.judged, again.judged)


def test_tiles_larger_than_the_judged_part_are_scaled_up():
    assert photographs(8, 200).judged.shape == (2, 3, 200, 200)


def test_gray_is_how_bright_a_colour_is():
    colours = torch.tensor([[1.0, 1, 1], [0, 1, 0], [0, 0, 1]]).reshape(3, 3, 1, 1)
    assert gray(colours).flatten().tolist() == pytest.approx([1.0, 0.587, 0.114])


def pickled_by_python_2(pixels):
    """{"data": pixels} in the bytes that Python 2 and the numpy of its day wrote, as the archive holds them."""
    rows, columns = pixels.shape
    return b"".join(
        [
            b"\x80\x02}(U\x04datacnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85U\x01b\x87R(K\x01",
            struct.pack("<cici", b"J", rows, b"J", columns),
            b"\x86cnumpy\ndtype\nU\x02u1K\x00K\x01\x87R(K\x03U\x01|NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb\x89",
            struct.pack("<ci", b"T", pixels.size),
            pixels.tobytes(),
            b"tbu.",
        ]
    )


def write_cifar(root, count):
    folder = root / FOLDER
    folder.mkdir(parents=True)
    pixels = (np.arange(count)[:, None] + np.zeros(3072)).astype(np.uint8)
    for number, name in enumerate(BATCHES):
        (folder / name).write_bytes(pickled_by_python_2(pixels + np.uint8(number * count)))
    return folder


def test_cifar_is_read_where_it_lies(tmp_path):
    write_cifar(tmp_path, 10)
    pictures = load("cifar10", 20, 16, tmp_path)
    assert pictures.train.shape == (16, 3, 16, 16)
    assert pictures.judged.shape == (4, 3, 16, 16)
    assert (pictures.judged[:, 0, 0, 0] * 255).round().tolist() == [16, 17, 18, 19]
    assert "CIFAR-10" in pictures.source


def test_photographs_stand_in_for_a_missing_cifar_and_the_report_says_so(tmp_path):
    pictures = load("cifar10", 10, 16, tmp_path)
    assert "CIFAR-10 was asked for and is not in" in pictures.source
    assert torch.equal(pictures.train, photographs(10, 16).train)


class Harmful:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


@pytest.mark.parametrize("damage", ["harmful", "cut", "other"])
def test_files_that_are_not_those_of_cifar_are_refused_and_run_nothing(tmp_path, damage):
    folder = write_cifar(tmp_path, 4)
    first, run = folder / BATCHES[0], tmp_path / "was-run"
    content = {
        "harmful": pickle.dumps({b"data": Harmful(run)}),
        "cut": first.read_bytes()[:-40],
        "other": pickle.dumps({b"data": np.zeros((3, 100), np.uint8)}),
    }
    first.write_bytes(content[damage])
    with pytest.raises(AESGTrainingError, match=r"data_batch_1: .* expected a batch of CIFAR-10"):
        cifar_pictures(tmp_path, 4)
    assert not run.exists()


# The baseline


class Layered(nn.Module):
    def __init__(self, memory, per_position, cue_size):
        super().__init__()
        self.memory = memory
        self.first = nn.Conv2d(1, 6, 3, padding=1)
        self.layers = nn.ModuleList([MemoryConvLayer(6, 5, memory, per_position=per_position, cue_size=cue_size)])
        self.last = nn.Conv2d(5, 3, 1)

    def forward(self, x, cue=None):
        return torch.sigmoid(self.last(torch.relu(self.layers[0](torch.relu(self.first(x)), cue=cue))))


@pytest.mark.parametrize("cue_size", [None, 9])
@pytest.mark.parametrize("per_position", [False, True])
def test_the_baseline_is_the_same_network_and_asks_no_memory(tmp_path, per_position, cue_size):
    cue = None if cue_size is None else torch.rand((4, 9, 16, 16) if per_position else (4, 9))
    with AESGMemory(tmp_path / "m", AESGConfig(vector_dim=64, novelty_birth_threshold=1)) as memory:
        model = Layered(memory, per_position, cue_size)
        assert model(torch.rand(4, 1, 16, 16), cue).shape == (4, 3, 16, 16)
        known = memory.storage.node_count
        before, kept = parameter_count(model), model.last.weight
        baseline = without_memory(model)
        assert abs(parameter_count(baseline) - before) <= TOLERANCE * before
        assert baseline.last.weight is kept
        assert baseline(torch.rand(4, 1, 16, 16), cue).shape == (4, 3, 16, 16)
        assert memory.storage.node_count == known > 0


def test_the_baseline_of_the_ready_made_network_is_within_a_hundredth(tmp_path):
    model = AESGColorizationNet.small(storage_dir=str(tmp_path))
    before = parameter_count(model)
    after = parameter_count(without_memory(model))
    model.memory.close()
    assert abs(after - before) <= TOLERANCE * before


def test_a_model_without_a_memory_layer_has_no_baseline():
    with pytest.raises(AESGTrainingError, match="Linear without a MemoryConvLayer"):
        without_memory(nn.Linear(2, 2))


# What may be concluded


def result(name, *figures, emptied=None, concepts=7, ssim=(0.5, 0.52, 0.51)):
    """Runs of these PSNR; ``emptied`` is by how much each changes when its memory is emptied, SSIM never does."""
    changes = (None,) * len(figures) if emptied is None else emptied
    runs = [
        Run(
            *(seed, psnr, ssim[seed], (0.2, 0.1), 1.0, concepts),
            psnr_emptied=None if change is None else psnr + change,
            ssim_emptied=None if change is None else ssim[seed],
        )
        for seed, (psnr, change) in enumerate(zip(figures, changes, strict=True))
    ]
    return BenchmarkResult(name, 1000, tuple(runs))


@pytest.mark.parametrize(
    ("ours", "theirs", "found"),
    [
        ([21.0, 21.2], [20.0, 20.2], 1),
        ([20.0, 20.2], [21.0, 21.2], -1),
        ([20.0, 21.0], [20.3, 21.3], 0),
        ([20.0, 20.0], [20.0, 20.0], 0),
        ([20.0, 22.0], [20.0, 20.0], 0),
        ([25.0], [20.0], None),
    ],
)
def test_a_difference_within_the_spread_is_none(ours, theirs, found):
    assert difference(ours, theirs) == found


@pytest.mark.parametrize(
    ("figures", "emptied", "said", "used"),
    [
        ((21.0, 21.2), (-0.5, -0.6), "**Memory helped, by PSNR.**", "does use what it recalls"),
        ((19.0, 19.2), (0.5, 0.6), "**Memory made it worse, by PSNR.**", "misleads"),
        ((20.0, 20.2), (0.14, 0.0), "**Memory made no difference that these runs can show.**", "makes no use"),
        (
            (21.0,),
            (-0.5,),
            "whether memory helped, this run cannot say",
            "changes PSNR by -0.50 dB and SSIM by +0.0000.",
        ),
    ],
)
def test_the_text_follows_from_the_figures(figures, emptied, said, used):
    text = conclusion(result("with", *figures, emptied=emptied), result("without", *(20.0, 20.2)[: len(figures)]))
    assert said in text
    assert used in text


def test_each_metric_has_its_say():
    better = result("with", 20.0, 20.1, emptied=(0.0, 0.0), ssim=(0.8, 0.81))
    worse = result("with", 18.0, 18.1, emptied=(0.0, 0.0), ssim=(0.8, 0.81))
    baseline = result("without", 20.0, 20.1)
    assert "**Memory helped, by SSIM.**" in conclusion(better, baseline)
    assert "SSIM is 0.8050 ± 0.0071 with memory and 0.5100 ± 0.0141 without" in conclusion(better, baseline)
    assert "**Memory helped by SSIM, and made it worse by PSNR.**" in conclusion(worse, baseline)


def test_a_memory_that_learned_nothing_is_said_to_be_empty():
    text = conclusion(result("with", 20.0, 20.1, emptied=(0.0, 0.0), concepts=0), result("without", 20.0, 20.1))
    assert "No concept was ever learned" in text


def test_results_are_means_over_the_seeds():
    both = result("with", 20.0, 22.0, emptied=(-1.0, -2.0), ssim=(0.5, 0.5))
    assert (both.psnr, both.psnr_spread) == (21.0, pytest.approx(math.sqrt(2)))
    assert (both.ssim, both.ssim_spread, both.memory_nodes) == (0.5, 0.0, 7)
    assert both.loss_per_epoch == [0.2, 0.1]
    assert both.changed_when_emptied("psnr") == [-1.0, -2.0]
    assert result("one", 20.0).psnr_spread is None


# The whole


def small_net(directory):
    memory = AESGMemory(directory, AESGConfig(vector_dim=8, novelty_birth_threshold=1))
    return AESGColorizationNet(base_filters=4, num_blocks=2, memory=memory)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    folder = tmp_path_factory.mktemp("benchmark") / "results"
    benchmark = ColorizationBenchmark(
        "photographs", max_images=30, image_size=16, max_epochs=8, output_dir=folder, seeds=(3, 4), model=small_net
    )
    state = torch.random.get_rng_state()
    results = benchmark.run()
    assert torch.equal(torch.random.get_rng_state(), state)
    return folder, results


def test_a_run_gives_both_networks_of_equal_size(finished):
    _, results = finished
    aesg, baseline = results["aesg"], results["baseline"]
    assert abs(aesg.parameters - baseline.parameters) <= 0.01 * aesg.parameters
    assert aesg.memory_nodes > 0
    assert baseline.memory_nodes == 0
    for side in (aesg, baseline):
        assert [run.seed for run in side.runs] == [3, 4]
        assert 3 < side.psnr < 30
        assert -1 <= side.ssim <= 1
        assert side.loss_per_epoch[7] < side.loss_per_epoch[0]


def test_a_run_writes_the_report_the_figures_and_real_pictures(finished):
    folder, results = finished
    text = (folder / "benchmark_report.md").read_text()
    figures = json.loads((folder / "results.json").read_text())
    assert conclusion(results["aesg"], results["baseline"]) in text
    assert "7 photographs" in text
    assert f"{results['baseline'].parameters:,}" in text
    assert figures["aesg"]["psnr"] == results["aesg"].psnr
    assert [run["seed"] for run in figures["baseline"]["runs"]] == [3, 4]
    samples = sorted((folder / "samples").iterdir())
    assert [sample.name for sample in samples] == [f"sample_{number:03}.png" for number in range(6)]
    original, in_gray, _, _ = np.split(np.asarray(Image.open(samples[0])), 4, axis=1)
    assert original.shape == (16, 16, 3)
    assert np.ptp(in_gray, axis=2).max() == 0
    assert np.ptp(original, axis=2).max() > 0


def test_the_same_seed_gives_the_same_figures(finished, tmp_path):
    _, before = finished
    again = ColorizationBenchmark("photographs", 30, 16, 8, tmp_path, seeds=(4,), model=small_net).run()
    for side in ("aesg", "baseline"):
        first, second = (dataclasses.replace(run, seconds=0) for run in (before[side].runs[1], again[side].runs[0]))
        assert first == second


@pytest.mark.parametrize(
    ("parameters", "said"),
    [
        ({"dataset_name": "imagenet"}, "dataset_name.*got 'imagenet', expected one of cifar10, photographs"),
        ({"max_images": 1}, "max_images.*expected integer >= 2"),
        ({"image_size": 8}, "image_size.*expected integer >= 11"),
        ({"max_epochs": 0}, "max_epochs.*expected integer >= 1"),
        ({"max_epochs": 1.5}, "max_epochs.*got 1.5"),
        ({"seeds": ()}, "seeds.*expected different integers, at least one"),
        ({"seeds": (1, 1)}, "seeds"),
        ({"seeds": 3}, "seeds.*got 3"),
        ({"max_epochs": True}, "max_epochs.*got True"),
    ],
)
def test_bad_parameters_are_refused_before_anything_is_written(tmp_path, parameters, said):
    with pytest.raises(AESGConfigError, match=said):
        ColorizationBenchmark(output_dir=tmp_path / "out", **parameters)
    assert not (tmp_path / "out").exists()


def test_an_output_folder_that_cannot_be_made_is_refused_before_training(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(AESGStorageError, match="expected a folder that can be made"):
        ColorizationBenchmark("photographs", output_dir=tmp_path / "file").run()
