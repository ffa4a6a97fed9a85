"""What text and image models do with inputs: causality, sizes of pictures, and what they refuse."""

import copy

import pytest
import torch
from model_scenes import (
    AUTOENCODER,
    CLASSIFIER,
    COLORIZATION,
    DECODER,
    GRU,
    IMAGE,
    LSTM,
    SEQ2SEQ,
    TEXT,
    TRANSFORMER,
    VOCABULARY,
    B,
    T,
    name,
)

from aesg_graph import AESGMemoryError


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("scene", [GRU, LSTM, DECODER], ids=name)
def test_logits_do_not_depend_on_later_tokens(scene, training, opened):
    model = scene.build(opened())
    model(scene.batch(1))
    model.train(training)
    x = scene.batch()
    changed = x.clone()
    changed[:, 4:] = (x[:, 4:] + 7) % VOCABULARY
    with torch.no_grad():
        before, after = apart(model, x), apart(model, changed)
    torch.testing.assert_close(after[:, :4], before[:, :4])
    assert not torch.allclose(after[:, 4:], before[:, 4:])


def apart(model, x):
    """What a model says, of which nothing stays with it."""
    twin = copy.deepcopy(model)
    with twin.memory, twin.memory.step() as step:
        said = twin(x)
        step.discard()
    return said


def test_the_encoder_sees_later_tokens(opened):
    model = TRANSFORMER.build(opened()).eval()
    x = TRANSFORMER.batch()
    changed = x.clone()
    changed[:, -1] = (x[:, -1] + 7) % VOCABULARY
    assert not torch.allclose(model(x)[:, 0], model(changed)[:, 0])


def test_padding_changes_nothing(opened):
    model = TRANSFORMER.build(opened())
    model(TRANSFORMER.batch(1))
    model.eval()
    x = TRANSFORMER.batch()
    padded = torch.cat([x, torch.zeros(B, 2, dtype=torch.int64)], 1)
    mask = torch.arange(T + 2).ge(T).expand(B, -1)
    torch.testing.assert_close(model(padded, key_padding_mask=mask)[:, :T], model(x), rtol=1e-4, atol=1e-5)


def test_with_a_target_each_step_is_fed_the_token_before_it(opened):
    model = SEQ2SEQ.build(opened())
    model(SEQ2SEQ.batch(1))
    model.eval()
    src, tgt = SEQ2SEQ.batch(), SEQ2SEQ.batch(2)[:, :4]
    before = model(src, tgt)
    assert before.shape == (B, 4, VOCABULARY)
    changed = tgt.clone()
    changed[:, 2] = (tgt[:, 2] + 7) % VOCABULARY
    after = model(src, changed)
    torch.testing.assert_close(after[:, :3], before[:, :3])
    assert not torch.allclose(after[:, 3], before[:, 3])
    assert not torch.allclose(model(SEQ2SEQ.batch(3), tgt), before)


def test_without_a_target_each_step_is_fed_what_the_step_before_found_likeliest(opened):
    model = SEQ2SEQ.build(opened())
    model(SEQ2SEQ.batch(1))
    model.eval()
    src = SEQ2SEQ.batch()
    alone = model(src)
    torch.testing.assert_close(model(src, alone.argmax(-1)), alone, rtol=1e-4, atol=1e-5)


def test_num_layers_is_respected(opened):
    for scene in TEXT:
        counts = [sum(p.numel() for p in scene.build(opened(), num_layers=n).parameters()) for n in (1, 2, 3)]
        assert counts[0] < counts[1] < counts[2]
        assert counts[2] - counts[1] == counts[1] - counts[0]


@pytest.mark.parametrize("size", [(4, 4), (8, 20), (32, 12)])
@pytest.mark.parametrize("channels", [1, 2, 5])
def test_pictures_of_any_size_and_channels_that_the_pooling_admits(size, channels, opened):
    x = torch.rand(2, channels, *size)
    memory = opened()
    assert CLASSIFIER.build(memory, in_channels=channels)(x).shape == (2, 10)
    assert AUTOENCODER.build(memory, in_channels=channels)(x).shape == (2, channels, *size)
    coloured = COLORIZATION.build(memory, in_channels=channels)(x)
    assert coloured.shape == (2, 3, *size)
    assert coloured.min() >= 0
    assert coloured.max() <= 1


def test_a_classifier_takes_sides_that_the_pooling_does_not_divide(opened):
    assert CLASSIFIER.build(opened())(torch.rand(2, 3, 7, 9)).shape == (2, 10)


def test_the_size_of_the_middle_may_be_said_as_users_of_aesg_do(opened):
    memory = opened()
    for scene in IMAGE:
        assert scene.model(4, 2, memory, 16)(scene.batch()).shape == scene.made


# -- bad input ------------------------------------------------------------------------------------------------------

IDS = torch.zeros(B, T, dtype=torch.int64)
BAD_TOKENS = [
    (IDS + VOCABULARY, f"ids from {VOCABULARY} to {VOCABULARY}, expected token ids"),
    (IDS - 1, "ids from -1 to -1, expected token ids"),
    (IDS[0], r"has shape \[6\], expected"),
    (IDS[:0], r"has shape \[0, 6\], expected"),
    (IDS[:, :0], r"has shape \[3, 0\], expected"),
    (IDS.float(), r"has dtype torch\.float32, expected"),
    (IDS.bool(), r"has dtype torch\.bool, expected"),
    (IDS.tolist(), "is a list, expected"),
]


@pytest.mark.parametrize("scene", TEXT, ids=name)
def test_bad_token_ids_are_refused_and_nothing_is_learned(scene, opened):
    model = scene.build(opened())
    for given, message in BAD_TOKENS:
        with pytest.raises(AESGMemoryError, match=message):
            model(given)
    assert model.memory.storage.node_count == 0
    assert model.memory.history() == []


@pytest.mark.parametrize("scene", [DECODER, TRANSFORMER], ids=name)
def test_more_tokens_than_the_model_has_places_for_are_refused(scene, opened):
    model = scene.build(opened())
    assert model(torch.zeros(1, 16, dtype=torch.int64)).shape[1] == 16
    grown = model.memory.storage.node_count
    with pytest.raises(AESGMemoryError, match="has 17 tokens a row, expected at most max_seq_len=16"):
        model(torch.zeros(1, 17, dtype=torch.int64))
    assert model.memory.storage.node_count == grown


def test_a_target_of_other_rows_is_refused(opened):
    model = SEQ2SEQ.build(opened())
    with pytest.raises(AESGMemoryError, match="tgt has 2 rows, expected 3"):
        model(IDS, IDS[:2])
    with pytest.raises(AESGMemoryError, match="tgt has ids from 50"):
        model(IDS, IDS + VOCABULARY)
    assert model.memory.storage.node_count == 0


@pytest.mark.parametrize("scene", IMAGE, ids=name)
def test_bad_pictures_are_refused_and_nothing_is_learned(scene, opened):
    model = scene.build(opened())
    channels = scene.given[1]
    bad = [
        (torch.rand(2, channels + 1, 8, 8), rf"expected floating point numbers \[B, {channels}, H, W\]"),
        (torch.rand(channels, 8, 8), "expected"),
        (torch.rand(0, channels, 8, 8), "empty"),
        (torch.rand(2, channels, 3, 8), "pictures of 3 x 8, expected at least 4 x 4"),
        (torch.zeros(2, channels, 8, 8, dtype=torch.uint8), r"dtype torch\.uint8"),
        ([[1.0]], "is a list"),
    ]
    if scene is not CLASSIFIER:
        bad.append((torch.rand(2, channels, 8, 10), "pictures of 8 x 10, expected a height and a width that 4 divides"))
    for given, message in bad:
        with pytest.raises(AESGMemoryError, match=message):
            model(given)
    assert model.memory.storage.node_count == 0
    assert model.encoder[0][1].num_batches_tracked == 0
