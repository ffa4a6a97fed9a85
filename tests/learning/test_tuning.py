"""What is proposed for a sample: by rule, from what real memories do, and changing nothing."""

import json
import tempfile
from dataclasses import replace

import numpy as np
import pytest
import torch

from aesg_graph import AESGConfig, AESGMemory, StoreSettings, fit_config
from aesg_graph.engine import tuning
from aesg_graph.errors import AESGConfigError, AESGMemoryError, AESGStorageError
from aesg_graph.learning.tuning import Candidate, Trial, at_the_knee, divided, smallest_as_good, unbeaten

D = 8
FEW = {"thresholds": (0.5, 0.8), "births": (1, 3)}


def clusters(count=120, themes=6, noise=0.1, seed=0, dim=D):
    """Queries around a few directions that are far from each other, and which direction each belongs to."""
    rng = np.random.default_rng(seed)
    centres = np.linalg.qr(rng.normal(size=(dim, dim)))[0][:themes]
    labels = rng.integers(0, themes, count)
    return (centres[labels] + noise * rng.normal(size=(count, dim))).astype(np.float32), labels


def trial(concepts, judged, error=0.0, threshold=0.6, birth=1, valued=True):
    candidate = Candidate(threshold, birth, False)
    return Trial(candidate, concepts, 0.9 if valued else judged, 0.0, judged if valued else None, error)


def by_hand(place, config, queries, values, passes):
    """What a person gets who teaches one part of a sample to a memory and asks it the other."""
    taught, held = divided(len(queries))
    keys, means = torch.tensor(queries), None if values is None else torch.tensor(values)
    with AESGMemory(place, config, stores=StoreSettings(graph="embedded", vectors="embedded")) as memory:
        for _ in range(passes):
            for start in range(0, len(taught), config.batch_size):
                rows = taught[start : start + config.batch_size]
                memory.retrieve(keys[rows], value=None if means is None else means[rows])
                memory.update_topology()
        found = memory.retrieve(keys[held], value=None if means is None else means[held], learn=False)
        agreed = None
        if means is not None:
            agreed = torch.cosine_similarity(found.read(), means[held]).clamp_min(0).mean().item()
        return memory.storage.node_count, found.explanation.mean().item(), found.novel.float().mean().item(), agreed


@pytest.mark.parametrize("valued", [False, True])
def test_a_trial_is_what_a_memory_does_with_the_same_sample(tmp_path, valued):
    queries, labels = clusters(90, noise=0.25)
    queries += 0.6
    values = np.eye(6, dtype=np.float32)[labels] if valued else None
    config = AESGConfig(
        vector_dim=D, value_dim=6 * valued, batch_size=7, fan=1.0, consolidation_epoch_interval=2, survival_min_age=1
    )
    fit = fit_config(queries, values, config=config, passes=2, **FEW)
    assert {t.candidate.centred for t in fit.trials} == ({False, True} if valued else {True})
    for i, tried in enumerate(fit.trials):
        candidate = tried.candidate
        same = replace(
            config,
            novelty_explanation_threshold=candidate.explanation_threshold,
            novelty_birth_threshold=candidate.birth_threshold,
        )
        asked = queries - queries.mean(axis=0) if candidate.centred else queries
        concepts, explanation, novel, agreement = by_hand(tmp_path / str(i), same, asked, values, 2)
        assert (tried.concepts, tried.novel) == (concepts, pytest.approx(novel))
        assert tried.explanation == pytest.approx(explanation, abs=1e-5)
        assert tried.agreement == (None if agreement is None else pytest.approx(agreement, abs=1e-5))


def test_the_same_sample_gets_the_same_proposal():
    queries, labels = clusters(noise=0.4)
    one, other = (fit_config(queries, labels=labels, **FEW) for _ in range(2))
    assert one.as_dict() == other.as_dict()
    assert str(one) == str(other)


def test_clusters_become_a_concept_each_whether_or_not_somebody_names_them():
    queries, labels = clusters(noise=0.1)
    for given in (None, labels):
        fit = fit_config(queries, labels=given)
        assert (fit.chosen.concepts, fit.chosen.novel) == (6, 0.0)
        assert fit.chosen.explanation > 0.9
        assert fit.remarks == ()
    assert fit.chosen.agreement > 0.99


def test_crowded_queries_are_centred_and_others_are_not():
    queries, labels = clusters()
    assert not fit_config(queries, **FEW).centre
    crowded = queries + 3 * np.ones(D, np.float32)
    fit = fit_config(crowded, **FEW)
    assert fit.centre
    assert fit.mean_cosine > 0.9
    np.testing.assert_allclose(fit.mean, crowded.mean(axis=0), rtol=1e-6)
    assert "mean = " in fit.proposal()
    assert fit_config(crowded, labels=labels, thresholds=(0.8,), births=(1,)).centre, "the answers are better so"


def test_a_sample_in_which_nothing_comes_again_is_remarked_upon():
    queries = np.random.default_rng(0).normal(size=(60, 64))
    fit = fit_config(queries, **FEW)
    assert any("little in this sample comes again" in remark for remark in fit.remarks)
    assert "note: " in str(fit)


def test_values_that_have_nothing_to_do_with_the_queries_are_remarked_upon():
    queries, labels = clusters(200)
    shuffled = np.random.default_rng(0).permutation(labels)
    assert any("say little about their values" in line for line in fit_config(queries, labels=shuffled, **FEW).remarks)
    assert fit_config(queries, labels=labels, **FEW).remarks == ()


def test_noisy_labels_ask_for_more_than_one_witness():
    queries, labels = clusters(400, noise=0.1)
    rng = np.random.default_rng(1)
    wrong = np.where(rng.random(400) < 0.3, rng.integers(0, 6, 400), labels)
    fit = fit_config(queries, labels=wrong, thresholds=(0.8,), births=(1, 5))
    assert fit.config.novelty_birth_threshold == 5


def test_only_the_two_thresholds_differ_from_the_configuration_that_was_given():
    queries, _ = clusters(30)
    config = AESGConfig(vector_dim=D, value_dim=2, memory_mode="INFERENCE", storage_directory="somewhere", top_k=4)
    fit = fit_config(queries, config=config, thresholds=(0.7,), births=(2,))
    assert set(config.differences(fit.config)) == {"novelty_explanation_threshold", "novelty_birth_threshold"}
    assert fit.chosen.concepts > 0, "tried in TRAIN"
    assert "top_k=4" in fit.proposal()
    said = {"AESGConfig": AESGConfig}
    exec(fit.proposal(), said)
    assert said["config"] == fit.config


@pytest.mark.parametrize("place", [lambda path: path, lambda path: path / "none"], ids=["in memory", "on disk"])
def test_nothing_is_left_behind_and_no_server_is_asked(tmp_path, monkeypatch, caplog, place):
    monkeypatch.setattr(tuning, "IN_MEMORY", place(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setenv("AESG_GRAPH", "neo4j://127.0.0.1:1")
    monkeypatch.setenv("AESG_VECTORS", "http://127.0.0.1:1")
    monkeypatch.setenv("AESG_MEMORY", "mine")
    queries = np.random.default_rng(0).normal(size=(400, D)).astype(np.float32)
    before = queries.copy()
    fit_config(queries, thresholds=(0.99,), births=(1,))  # nearly all are born, which a memory of yours would tell
    assert list(tmp_path.iterdir()) == []
    assert caplog.records == []
    np.testing.assert_array_equal(queries, before)


def test_of_a_large_sample_some_rows_are_drawn():
    queries, labels = clusters(200)
    fit = fit_config(queries, labels=labels, most=50, thresholds=(0.7,), births=(1,))
    assert (fit.taught, fit.held_out) == (40, 10)


def test_as_good_as_the_best_is_within_its_standard_error():
    trials = [trial(900, 0.98, 0.02), trial(70, 0.965), trial(60, 0.961), trial(50, 0.95), trial(5, 0.4)]
    assert smallest_as_good(trials).concepts == 60
    assert smallest_as_good([replace(t, error=0.0) for t in trials]).concepts == 900


def test_the_knee_is_where_more_concepts_explain_little_more():
    curve = [trial(n, n / (n + 10), valued=False) for n in (1, 5, 20, 50, 100, 500)]
    assert at_the_knee(curve).concepts == 50
    assert at_the_knee([trial(0, 0.0, valued=False)]).concepts == 0


def test_a_memory_that_does_not_settle_is_proposed_only_where_none_does():
    growing = [replace(trial(n, judged, valued=False), novel=0.6) for n, judged in ((10, 0.9), (500, 0.95))]
    settled = replace(trial(60, 0.7, valued=False), novel=0.5)
    assert at_the_knee([*growing, settled]) == settled
    assert at_the_knee(growing).concepts == 10


def test_of_equals_the_one_in_the_middle_is_proposed():
    trials = [trial(6, 0.9, threshold=t) for t in (0.8, 0.5, 0.6, 0.7, 0.9)]
    for rule in (smallest_as_good, at_the_knee):
        assert rule(trials).candidate.explanation_threshold == 0.7


def test_the_table_shows_what_is_not_beaten_and_marks_the_proposal():
    trials = [trial(5, 0.5), trial(5, 0.6, birth=2), trial(9, 0.6), trial(9, 0.7), trial(10, 0.65)]
    assert [(t.concepts, t.agreement) for t in unbeaten(trials)] == [(5, 0.6), (9, 0.7)]
    queries, labels = clusters(60)
    fit = fit_config(queries, labels=labels, **FEW)
    lines = fit.table(everything=True).splitlines()
    assert len(lines) == 1 + len(fit.trials) == 9
    assert sum(line.startswith("*") for line in lines) == 1
    shown = fit.table().splitlines()
    assert sum(line.startswith("*") for line in shown) == 1
    assert f"(and {8 - len(shown[1:-1])} that do no better" in shown[-1]
    assert max(map(len, str(fit).splitlines())) <= 88
    assert json.loads(json.dumps(fit.as_dict()))["chosen"]["concepts"] == fit.chosen.concepts


def test_numbers_of_numpy_are_numbers():
    fit = fit_config(GOOD, thresholds=np.array([0.5, 0.7]), births=np.array([1, 2]), passes=np.int64(1))
    assert len(json.loads(json.dumps(fit.as_dict()))["trials"]) == 4


def test_a_plot_is_drawn_where_it_can_be(tmp_path, monkeypatch):
    queries, labels = clusters(60)
    fit = fit_config(queries, labels=labels, **FEW)
    fit.plot(tmp_path / "tuning.png")
    from matplotlib.image import imread

    picture = imread(tmp_path / "tuning.png")
    assert picture.shape[1] == 1200
    assert picture.std() > 0.05
    for path in (tmp_path / "no" / "folder.png", tmp_path / "tuning.unknown"):
        with pytest.raises(AESGStorageError, match="The plot cannot be written"):
            fit.plot(path)
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path / "empty")
    for bare in (".", "", "..", ".png", "picture", tmp_path):
        with pytest.raises(AESGStorageError, match=r"The plot cannot be written.*expected a name as tuning\.png"):
            fit.plot(bare)
    for none in (None, 5, b"picture.png"):
        with pytest.raises(AESGMemoryError, match="expected the name of a picture"):
            fit.plot(none)
    assert list(tmp_path.glob("empty/*")) == []
    monkeypatch.setitem(__import__("sys").modules, "matplotlib", None)
    with pytest.raises(AESGConfigError, match=r"aesg-graph\[plots\]"):
        fit.plot(tmp_path / "again.png")


GOOD, NAMES = clusters(40)


@pytest.mark.parametrize(
    ("given", "error", "said"),
    [
        ({"sample": None}, AESGMemoryError, r"sample has shape \[\], expected \[N, D\]"),
        ({"sample": GOOD[0]}, AESGMemoryError, r"sample has shape \[8\], expected \[N, D\]"),
        ({"sample": GOOD[:0]}, AESGMemoryError, "empty"),
        ({"sample": GOOD[:19]}, AESGMemoryError, "19 rows, expected at least 20"),
        ({"sample": np.where(GOOD.max() == GOOD, np.nan, GOOD)}, AESGMemoryError, "nan"),
        ({"sample": GOOD.astype(str)}, AESGMemoryError, "expected real numbers"),
        ({"sample": [[1.0, 2.0], [3.0]]}, AESGMemoryError, "sample is not a regular array"),
        ({"labels": [[1, 2], [3]]}, AESGMemoryError, "labels is not a regular array"),
        ({"sample": np.ones((40, D))}, AESGMemoryError, "one query again and again"),
        ({"sample": np.zeros((40, D))}, AESGMemoryError, "one query again and again"),
        ({"values": np.ones((39, 2))}, AESGMemoryError, "39 rows, expected 40"),
        ({"values": np.ones(40)}, AESGMemoryError, r"values has shape \[40\]"),
        ({"values": np.ones((40, 2)), "labels": NAMES}, AESGMemoryError, "both given"),
        ({"labels": NAMES[:39]}, AESGMemoryError, r"shape \[39\] of int64, expected \[40\]"),
        ({"labels": NAMES + 0.5}, AESGMemoryError, "float64, expected"),
        ({"labels": np.arange(40)}, AESGMemoryError, "labels that repeat"),
        ({"config": AESGConfig(vector_dim=9)}, AESGMemoryError, r"expected \[N, 9\]"),
        ({"config": AESGConfig(vector_dim=D), "labels": NAMES}, AESGMemoryError, "expected value_dim=0"),
        ({"thresholds": (0.5, 1.5)}, AESGConfigError, "novelty_explanation_threshold"),
        ({"births": (0,)}, AESGConfigError, "novelty_birth_threshold"),
        ({"births": 3}, AESGConfigError, "no sequence"),
        ({"config": {"vector_dim": D}}, AESGConfigError, "config is a dict"),
        ({"births": ()}, AESGConfigError, "no candidates"),
        ({"passes": 0}, AESGConfigError, "passes is 0"),
        ({"most": 5}, AESGConfigError, "most is 5"),
    ],
)
def test_what_is_no_sample_is_refused_before_anything_is_tried(given, error, said):
    def never(what, done, total):
        raise AssertionError("a candidate was tried")

    with pytest.raises(error, match=said):
        fit_config(**({"sample": GOOD, "progress": never} | given))


def test_labels_may_be_texts_in_lists_and_fewer_than_the_memory_has_room_for():
    named = [f"theme {label}" for label in NAMES]
    config = AESGConfig(vector_dim=D, value_dim=10)
    fit = fit_config(GOOD.tolist(), labels=named, config=config, thresholds=(0.7,), births=(1,))
    assert fit.config.value_dim == 10
    assert fit.chosen.agreement > 0.99
    assert fit_config(GOOD, labels=named, thresholds=(0.7,), births=(1,)).config.value_dim == 6
