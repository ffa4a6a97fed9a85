"""Metrics: what they are for known cases, beside other libraries, and what they refuse."""

import math
import sys

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage.metrics import structural_similarity
from sklearn.metrics import precision_recall_fscore_support
from torch import nn

from aesg_graph.errors import AESGTrainingError
from aesg_graph.training.evaluation import Evaluator

SAID = ["the cat sat on the mat", "hello world"]
MEANT = ["the cat sat on a mat", "hello world"]

words = st.lists(st.sampled_from(["the", "cat", "sat", "Mat", "on", "é", "我", "."]), max_size=8).map(" ".join)
text_pairs = st.lists(st.tuples(words, words), min_size=1, max_size=6)


# Text


def test_equal_texts_score_full_marks_however_short():
    for text in ("a", "a b c", "the cat sat on the mat", "да здравствует мир"):
        scores = Evaluator.compute_text_metrics([text], [text])
        assert scores["bleu"] == pytest.approx(1.0), text
        assert (scores["rouge"], scores["rouge_l"], scores["accuracy"]) == (1.0, 1.0, 1.0), text


def test_texts_without_a_common_word_score_nothing():
    scores = Evaluator.compute_text_metrics(["red fox"], ["blue whale"])
    assert (scores["bleu"], scores["rouge"], scores["rouge_l"], scores["accuracy"]) == (0, 0, 0, 0)


def test_rouge_is_recall_of_words_and_accuracy_is_exact():
    scores = Evaluator.compute_text_metrics(SAID, MEANT)
    assert scores["rouge"] == pytest.approx((5 / 6 + 1) / 2)
    assert scores["rouge_l"] == pytest.approx((5 / 6 + 1) / 2)
    assert scores["accuracy"] == 0.5
    assert 0.5 < scores["bleu"] < 0.8


def test_saying_more_costs_no_recall_but_costs_the_f_measure():
    scores = Evaluator.compute_text_metrics(["the cat and the dog"], ["the cat"])
    assert scores["rouge"] == 1.0
    assert scores["rouge_l"] == pytest.approx(2 * (2 / 5) / (2 / 5 + 1))


def test_rouge_takes_words_of_any_script_and_ignores_case_and_punctuation():
    assert Evaluator.compute_text_metrics(["Кот сидит."], ["кот сидит"])["rouge"] == 1.0


def test_bleu_keeps_the_case_that_rouge_ignores():
    scores = Evaluator.compute_text_metrics(["THE CAT SAT ON"], ["the cat sat on"])
    assert (scores["bleu"], scores["rouge"]) == (0.0, 1.0)


@settings(max_examples=30, deadline=None)
@given(text_pairs)
def test_text_metrics_stay_in_their_ranges(pairs):
    scores = Evaluator.compute_text_metrics([said for said, _ in pairs], [meant for _, meant in pairs])
    assert all(0 <= scores[name] <= 1 for name in ("bleu", "rouge", "rouge_l", "accuracy"))
    assert scores["perplexity"] >= 1


def test_the_character_proxy_is_named_as_such_and_is_what_users_of_aesg_know():
    from aesg import Evaluator as Theirs

    texts = ["aab", "xyz", "", "ab", "the cat sat on the mat", "Hello"]
    others = ["abb", "abc", "x", "", "the cat sat on a mat", "hello"]
    mine, theirs = (side.compute_text_metrics(texts, others) for side in (Evaluator, Theirs))
    assert mine["perplexity"] == mine["character_perplexity"] == pytest.approx(theirs["perplexity"])


def test_the_character_proxy_of_nothing_is_infinite():
    assert Evaluator.compute_text_metrics([""], ["abc"])["perplexity"] == math.inf


@pytest.mark.parametrize(
    ("predictions", "references", "said"),
    [
        ([], [], "no predictions"),
        (["a", "b"], ["a"], "2 predictions and 1 references"),
        ("ab", ["a", "b"], "predictions: got str"),
        (["a"], [3], r"references\[0\]: got int"),
        (None, ["a"], "predictions: got NoneType"),
    ],
)
def test_text_metrics_refuse_what_is_not_texts(predictions, references, said):
    with pytest.raises(AESGTrainingError, match=said):
        Evaluator.compute_text_metrics(predictions, references)


# Tokens


def test_perplexity_of_even_logits_is_the_size_of_the_vocabulary():
    scores = Evaluator.compute_token_metrics(torch.zeros(2, 3, 7), torch.randint(1, 7, (2, 3)))
    assert scores["perplexity"] == pytest.approx(7.0)
    assert scores["accuracy"] == 0.0  # the first of equals is taken, and no target is it


def test_perplexity_is_e_to_the_cross_entropy_in_any_precision():
    logits, targets = torch.randn(4, 5, 11).bfloat16(), torch.randint(0, 11, (4, 5))
    expected = nn.functional.cross_entropy(logits.float().flatten(0, 1), targets.flatten()).exp()
    assert Evaluator.compute_token_metrics(logits, targets)["perplexity"] == pytest.approx(float(expected), rel=1e-5)


def test_perplexity_of_a_model_that_is_sure_and_wrong_is_large_and_finite():
    logits = torch.tensor([[[200.0, 0.0]]])
    found = Evaluator.compute_token_metrics(logits, torch.tensor([[1]]))["perplexity"]
    assert found == pytest.approx(math.exp(200.0))


def test_padding_does_not_count():
    logits = torch.zeros(1, 3, 5)
    logits[0, :2, 1] = 50.0
    targets = torch.tensor([[1, 1, -100]])
    scores = Evaluator.compute_token_metrics(logits, targets, ignore_index=-100)
    assert scores == {"perplexity": pytest.approx(1.0), "accuracy": 1.0}
    with pytest.raises(AESGTrainingError, match="from -100 to 1, expected 0 to 4"):
        Evaluator.compute_token_metrics(logits, targets)
    with pytest.raises(AESGTrainingError, match="no token counts"):
        Evaluator.compute_token_metrics(logits, torch.full((1, 3), -100), ignore_index=-100)


# Classes


@pytest.mark.parametrize("as_logits", [True, False])
def test_class_metrics_are_those_of_scikit_learn(as_logits):
    chance = np.random.default_rng(0)
    classes, targets = chance.integers(0, 6, 80), chance.integers(0, 5, 80)
    given_ = torch.eye(9)[torch.from_numpy(classes)] if as_logits else torch.from_numpy(classes)
    scores = Evaluator.compute_classification_metrics(given_, torch.from_numpy(targets))
    expected = precision_recall_fscore_support(targets, classes, average="macro", zero_division=0)
    found = [scores[name] for name in ("precision", "recall", "f1")]
    assert found == pytest.approx(expected[:3], abs=1e-6)
    assert scores["accuracy"] == pytest.approx((classes == targets).mean())


def test_one_class_alone_can_be_right():
    scores = Evaluator.compute_classification_metrics(torch.rand(4, 1), torch.zeros(4, dtype=torch.int64))
    assert scores == {"accuracy": 1.0, "precision": 1.0, "recall": 1.0, "f1": 1.0}


@pytest.mark.parametrize(
    ("predictions", "targets", "said"),
    [
        (torch.rand(0, 3), torch.zeros(0, dtype=torch.int64), "no predictions"),
        (torch.rand(4, 3), torch.zeros(5, dtype=torch.int64), "4 predictions and 5 targets"),
        (torch.rand(4, 3), torch.tensor([0, 1, 2, 3]), "from 0 to 3, expected 0 to 2"),
        (torch.rand(4, 3), torch.tensor([0, 1, -1, 2]), "from -1 to 2"),
        (torch.rand(4, 3), torch.rand(4), "targets: got torch.float32, expected whole numbers"),
        (torch.rand(4), torch.tensor([0, 1, 0, 1]), "predictions: got torch.float32, expected whole numbers"),
        (torch.tensor([-1]), torch.tensor([0]), "predictions: got classes from -1"),
        (torch.rand(4, 3, 2), torch.zeros(4, dtype=torch.int64), r"\[4, 3, 2\] and targets \[4\]"),
        (torch.rand(4, 0), torch.zeros(4, dtype=torch.int64), "at least one class"),
        (torch.full((2, 3), torch.nan), torch.tensor([0, 1]), "6 of 6 numbers NaN or infinite"),
        ([0, 1], torch.tensor([0, 1]), "predictions: got list, expected a tensor"),
        (torch.zeros(2, 3, dtype=torch.complex64), torch.tensor([0, 1]), "complex"),
        (torch.zeros(2, 3, dtype=torch.int64), torch.tensor([0, 1]), "logits: got torch.int64"),
    ],
)
def test_class_metrics_refuse_bad_input(predictions, targets, said):
    with pytest.raises(AESGTrainingError, match=said):
        Evaluator.compute_classification_metrics(predictions, targets)


# Images


def test_ssim_is_that_of_scikit_image_down_to_the_size_of_the_window():
    chance = torch.Generator().manual_seed(0)
    for height, width in ((11, 11), (13, 40), (32, 32)):
        true = torch.rand(3, 3, height, width, generator=chance)
        said = (true + 0.2 * torch.randn(true.shape, generator=chance)).clamp(0, 1)
        expected = [
            structural_similarity(
                a.numpy(),
                b.numpy(),
                channel_axis=0,
                gaussian_weights=True,
                sigma=1.5,
                use_sample_covariance=False,
                data_range=1.0,
            )
            for a, b in zip(said, true, strict=True)
        ]
        assert Evaluator.compute_image_metrics(said, true)["ssim"] == pytest.approx(np.mean(expected), abs=1e-5)


def test_images_are_judged_one_by_one_however_many_there_are():
    true, said = torch.rand(70, 1, 12, 12), torch.rand(70, 1, 12, 12)
    each = [Evaluator.compute_image_metrics(a, b)["ssim"] for a, b in zip(said, true, strict=True)]
    assert Evaluator.compute_image_metrics(said, true)["ssim"] == pytest.approx(np.mean(each), abs=1e-6)


def test_image_errors_are_means_over_all_pixels():
    true = torch.full((2, 3, 16, 16), 0.5)
    said = true.clone()
    said[0] += 0.2
    scores = Evaluator.compute_image_metrics(said, true)
    assert scores["mse"] == pytest.approx(0.02)
    assert scores["mae"] == pytest.approx(0.1)
    assert scores["psnr"] == pytest.approx(10 * math.log10(1 / 0.02), abs=1e-4)


def test_equal_images_have_no_error():
    true = torch.rand(3, 20, 20)  # a single image needs no batch
    assert Evaluator.compute_image_metrics(true, true) == {
        "psnr": math.inf,
        "ssim": pytest.approx(1.0),
        "mse": 0.0,
        "mae": 0.0,
    }


def test_a_little_overshoot_is_rounding():
    true = torch.ones(1, 1, 12, 12)
    assert Evaluator.compute_image_metrics(true + 1e-6, true)["mse"] == 0.0


@pytest.mark.parametrize(
    ("predictions", "targets", "said"),
    [
        (torch.rand(1, 3, 10, 30), torch.rand(1, 3, 10, 30), "10 by 30 pixels, expected at least 11 by 11"),
        (torch.rand(1, 3, 16, 16), torch.rand(1, 1, 16, 16), r"\[1, 3, 16, 16\] and targets \[1, 1, 16, 16\]"),
        (torch.rand(0, 3, 16, 16), torch.rand(0, 3, 16, 16), "no dimension of size 0"),
        (torch.rand(16, 16), torch.rand(16, 16), r"\[B, C, H, W\]"),
        (255 * torch.ones(1, 3, 16, 16), torch.rand(1, 3, 16, 16), "predictions: got numbers from 255 to 255"),
        (torch.rand(1, 3, 16, 16), -torch.ones(1, 3, 16, 16), "targets: got numbers from -1 to -1"),
        (torch.full((1, 3, 16, 16), torch.nan), torch.rand(1, 3, 16, 16), "768 of 768 numbers NaN"),
        (torch.ones(1, 3, 16, 16, dtype=torch.uint8), torch.rand(1, 3, 16, 16), "predictions: got torch.uint8"),
    ],
)
def test_image_metrics_refuse_bad_input(predictions, targets, said):
    with pytest.raises(AESGTrainingError, match=said):
        Evaluator.compute_image_metrics(predictions, targets)


# Domains


class MyClassifier(nn.Module):
    """Known by its name."""


class Painter(nn.Module):
    """Known by what it says."""

    domain = "image"


class PlainTransformer(nn.Module):
    """The name says one thing, the attribute another: the attribute counts."""

    domain = "classification"


def test_the_class_attribute_says_the_domain_and_the_name_only_where_there_is_none():
    detect = Evaluator.detect_domain
    assert detect(Painter()) == "image"
    assert detect(PlainTransformer()) == "classification"
    assert detect(MyClassifier()) == "classification"
    assert detect(nn.Linear(1, 1)) == "unknown"


def test_wrappers_are_looked_through():
    assert Evaluator.detect_domain(nn.DataParallel(Painter())) == "image"
    assert Evaluator.detect_domain(torch.compile(Painter(), backend="eager")) == "image"


def test_evaluate_chooses_the_metrics_of_the_domain():
    evaluate = Evaluator().evaluate
    images = torch.rand(2, 3, 16, 16)
    assert set(evaluate(Painter(), images, images)) == {"psnr", "ssim", "mse", "mae"}
    assert set(evaluate(MyClassifier(), torch.rand(5, 3), torch.randint(0, 3, (5,)))) == {
        "accuracy",
        "precision",
        "recall",
        "f1",
    }
    writer = type("AESGGRUText", (nn.Module,), {})()
    assert evaluate(writer, SAID, MEANT)["accuracy"] == 0.5
    assert set(evaluate(writer, torch.rand(2, 3, 5), torch.randint(0, 5, (2, 3)))) == {"perplexity", "accuracy"}


def test_evaluate_refuses_a_model_that_does_not_say_what_it_is_for():
    with pytest.raises(AESGTrainingError, match="class Linear, expected one with a class attribute `domain`"):
        Evaluator().evaluate(nn.Linear(1, 1), torch.rand(2, 3), torch.rand(2, 3))


def test_a_missing_library_is_an_error_that_says_how_to_install_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "sacrebleu.metrics", None)
    with pytest.raises(
        AESGTrainingError, match=r"sacrebleu could not be imported .* pip install 'aesg-graph\[train\]'"
    ):
        Evaluator.compute_text_metrics(SAID, MEANT)
