from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from aesg_graph import AESGMemory

pytestmark = pytest.mark.usefixtures("examples")


def demo(examples: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the demo as its users do."""
    command = [sys.executable, "-W", "error", str(examples / "digits.py"), *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)


def test_the_demo_runs_tells_its_story_and_leaves_pictures_a_table_and_the_memory(
    examples: Path, tmp_path: Path
) -> None:
    done = demo(examples, "--quick", "--out", str(tmp_path / "out"), "--memory", str(tmp_path / "memory"))
    assert done.returncode == 0, done.stderr
    assert "aesg tune" not in done.stderr, "a memory that is used rightly is not alarmed"
    told = " ".join(done.stdout.split())
    assert "the same as before it was closed" in told
    final = {
        name: float(re.search(rf"{name} .*? ([\d.]+) ±", done.stdout)[1])  # type: ignore[index]
        for name in ("network alone", "memory on pixels", "as many examples, nearest", "memory on network, stale")
    }
    assert final["memory on pixels"] > 90 > 70 > final["network alone"]
    assert final["memory on pixels"] > final["as many examples, nearest"] > final["memory on network, stale"]

    from matplotlib.image import imread

    for name in ("digits-accuracy.png", "digits-concepts.png"):
        picture = imread(tmp_path / "out" / name)
        assert picture.shape[1] == 1600
        assert picture.std() > 0.05
    assert "| memory on pixels |" in (tmp_path / "out" / "digits-accuracy.md").read_text()

    with AESGMemory(tmp_path / "memory") as memory:
        assert f"It holds {memory.stats()['concepts']} concepts" in told


def test_the_demo_does_not_go_on_with_a_memory_that_already_knows(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    import digits

    assert digits.options(["--memory", str(tmp_path)]).memory == tmp_path
    (tmp_path / "something").touch()
    with pytest.raises(SystemExit):
        digits.options(["--memory", str(tmp_path)])
    assert "expected a new folder" in capsys.readouterr().err


def test_no_picture_that_tests_or_validates_is_ever_learned() -> None:
    from digits_demo.data import split

    validation = set(split(0, validate=True).test.tolist())
    for seed in range(3):
        digits = split(seed)
        train, test = set(digits.train.tolist()), set(digits.test.tolist())
        assert not train & test
        assert not validation & (train | test)
        assert len(train) + len(test) + len(validation) == 1797


def test_tasks_divide_what_is_learned_and_add_up_in_what_is_tested() -> None:
    from digits_demo.data import TASKS, split

    digits = split(0)
    together = np.concatenate([digits.task(number) for number in range(len(TASKS))])
    assert sorted(together.tolist()) == digits.train.tolist()
    assert set(digits.labels[digits.task(1)].tolist()) == {2, 3}
    assert set(digits.labels[digits.seen(1)].tolist()) == {0, 1, 2, 3}
    assert digits.seen(len(TASKS) - 1).tolist() == digits.test.tolist()


def test_labels_that_would_overlap_are_moved_apart_and_others_stay() -> None:
    from digits_demo.curve import apart

    assert apart([90.0, 50.0, 10.0], 5.0, 104.0) == [90.0, 50.0, 10.0]
    assert apart([51.0, 49.0, 10.0], 5.0, 104.0) == [52.5, 47.5, 10.0]
    crowded = apart([103.0, 102.0, 101.5, 100.0], 5.0, 104.0)
    assert crowded == [104.0, 99.0, 94.0, 89.0]


def test_linked_concepts_are_drawn_side_by_side() -> None:
    from digits_demo.sheet import arranged

    order = [3, 8, 0, 6, 1, 9, 4, 7, 2, 5]
    chain = np.diag(np.ones(9), 1)
    spots = arranged((chain + chain.T)[np.ix_(order, order)])
    place = {concept: spots[i] for i, concept in enumerate(order)}
    steps = [np.linalg.norm(place[i] - place[i + 1]) for i in range(9)]
    assert np.mean(steps) < 1.5  # at random it would be 2.3
    assert len({tuple(spot) for spot in spots.tolist()}) == 10


def test_of_nearly_equal_settings_the_one_with_the_smallest_memory_is_chosen() -> None:
    from digits_demo.setting import Chosen
    from digits_demo.tune import choose

    judged = {
        Chosen(0.9): (0.990, 900.0, 0.0),  # the best, and too large
        Chosen(0.8): (0.980, 380.0, 0.0),
        Chosen(0.7): (0.975, 200.0, 0.0),
        Chosen(0.6): (0.960, 100.0, 0.0),
    }
    assert choose(judged) == Chosen(0.7)
