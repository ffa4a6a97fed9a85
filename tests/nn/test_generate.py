"""Generation: what is chosen, where it ends, and that it teaches nothing."""

import pytest
import torch
from model_scenes import DECODER, SEQ2SEQ, VOCABULARY, B, counting, name, taught

from aesg_graph import AESGConfigError, AESGMemoryError
from aesg_graph.nn.text.sampling import Sampling

PROMPT = torch.tensor([[1, 2, 3], [4, 5, 6], [7, 8, 9]])


@pytest.fixture
def decoder(opened):
    model = DECODER.build(opened())
    model(DECODER.batch(1))
    return model


@pytest.fixture
def seq2seq(opened):
    model = SEQ2SEQ.build(opened())
    model(SEQ2SEQ.batch(1))
    return model


def test_each_token_follows_from_all_before_it(decoder):
    written = decoder.generate(PROMPT, 8, temperature=0.0)
    assert written.shape == (B, 11)
    assert torch.equal(written[:, :3], PROMPT)
    with torch.no_grad():
        likeliest = decoder.eval()(written[:, :-1]).argmax(-1)
    assert torch.equal(likeliest[:, 2:], written[:, 3:])


def test_a_decoder_that_was_fed_its_source_generates_what_it_says_itself(seq2seq):
    written = seq2seq.generate(PROMPT, 3)
    assert torch.equal(written, seq2seq.eval()(PROMPT).argmax(-1))
    assert seq2seq.generate(PROMPT, 7).shape == (B, 7)


def test_the_same_generator_draws_the_same(decoder, seq2seq):
    for write in (
        lambda seed: decoder.generate(PROMPT, 8, temperature=3.0, generator=torch.Generator().manual_seed(seed)),
        lambda seed: seq2seq.generate(PROMPT, 8, temperature=3.0, generator=torch.Generator().manual_seed(seed)),
    ):
        assert torch.equal(write(1), write(1))
        assert not torch.equal(write(1), write(2))


def test_a_row_ends_with_its_stop_token_and_is_padded(decoder):
    free = decoder.generate(PROMPT, 8, temperature=0.0)
    stop = int(free[0, 3])  # the first row stops at once
    written = decoder.generate(PROMPT, 8, temperature=0.0, stop_token=stop, pad_token=49)
    for row, other in zip(written[:, 3:].tolist(), free[:, 3:].tolist(), strict=True):
        end = other.index(stop) + 1 if stop in other else len(row)
        assert row[:end] == other[:end][: len(row)]
        assert set(row[end:]) <= {49}


def test_generation_ends_when_every_row_has_ended(decoder, seq2seq):
    for model in (decoder, seq2seq):
        with torch.no_grad():
            model.output.weight.zero_()
            model.output.bias.zero_()
            model.output.bias[5] = 1.0
    assert decoder.generate(PROMPT, 8, temperature=0.0, stop_token=5).tolist() == [[*row, 5] for row in PROMPT.tolist()]
    assert seq2seq.generate(PROMPT, 8, stop_token=5).tolist() == [[5]] * B


@pytest.mark.parametrize("mode", ["TRAIN", "FINETUNE", "INFERENCE"])
def test_generation_teaches_nothing(mode, decoder, seq2seq):
    for model in (decoder, seq2seq):
        model.memory.set_mode(mode)
        held, told = model.memory.storage.node_count, model.memory.history()
        model.train()
        model.generate(PROMPT, 6)
        assert model.memory.storage.node_count == held
        assert model.memory.history() == told
        assert model.training
        assert all(module.training for module in model.modules())


@pytest.mark.parametrize("scene", [DECODER, SEQ2SEQ], ids=name)
def test_online_each_step_is_learned_once(scene, place):
    with counting(place / "memory", memory_mode="ONLINE") as memory:
        model = scene.build(memory, num_layers=1).eval()
        model.generate(PROMPT, 4)
        assert taught == ([9, 3, 3, 3] if scene is DECODER else [3, 3, 3, 3])
        assert memory.storage.node_count > 0


def test_a_failed_generation_leaves_the_model_in_training(decoder):
    decoder.memory.close()
    with pytest.raises(AESGMemoryError, match="closed"):
        decoder.generate(PROMPT, 2)
    assert all(module.training for module in decoder.modules())


# -- choosing -------------------------------------------------------------------------------------------------------

LOGITS = torch.log(torch.tensor([[0.5, 0.25, 0.15, 0.1], [0.1, 0.15, 0.25, 0.5]]))


def drawn(sampling, draws=5000):
    """How often each id is drawn, as shares [2, 4]."""
    ids = sampling.choose(LOGITS.repeat_interleave(draws, 0), torch.Generator().manual_seed(0))
    return torch.nn.functional.one_hot(ids.reshape(2, draws), 4).double().mean(1)


def test_drawing_follows_the_probabilities():
    torch.testing.assert_close(drawn(Sampling()), LOGITS.exp().double(), atol=0.04, rtol=0)


def test_a_low_temperature_sharpens_and_a_high_one_flattens():
    sharp, flat = drawn(Sampling(0.25)), drawn(Sampling(100.0))
    assert sharp[0, 0] > 0.9
    assert flat.max() < 0.3


@pytest.mark.parametrize(
    ("sampling", "shares"),
    [
        (Sampling(top_k=2), [2 / 3, 1 / 3, 0, 0]),
        (Sampling(top_k=99), [0.5, 0.25, 0.15, 0.1]),
        (Sampling(top_p=0.6), [2 / 3, 1 / 3, 0, 0]),
        (Sampling(top_p=0.5), [1, 0, 0, 0]),
        (Sampling(top_p=1.0), [0.5, 0.25, 0.15, 0.1]),
        (Sampling(top_k=3, top_p=0.8), [2 / 3, 1 / 3, 0, 0]),
        (Sampling(top_k=1), [1, 0, 0, 0]),
        (Sampling(top_p=1e-9), [1, 0, 0, 0]),
        (Sampling(1e-30), [1, 0, 0, 0]),
        (Sampling(0.0), [1, 0, 0, 0]),
    ],
)
def test_only_the_likeliest_are_drawn(sampling, shares):
    expected = torch.tensor([shares, shares[::-1]], dtype=torch.float64)
    found = drawn(sampling)
    torch.testing.assert_close(found, expected, atol=0.04, rtol=0)
    assert torch.equal(found == 0, expected == 0)


# -- bad input ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"temperature": -1.0}, "temperature is -1.0, expected"),
        ({"temperature": float("nan")}, "temperature is nan, expected"),
        ({"top_k": 0}, "top_k is 0, expected"),
        ({"top_k": 1.5}, "top_k is 1.5, expected"),
        ({"top_p": 0.0}, "top_p is 0.0, expected"),
        ({"top_p": 1.1}, "top_p is 1.1, expected"),
        ({"stop_token": VOCABULARY}, "stop_token is 50, expected a token id from 0 to 49"),
        ({"pad_token": -1}, "pad_token is -1, expected"),
    ],
)
def test_what_cannot_be_chosen_by_is_refused(asked, message, decoder, seq2seq):
    for model in (decoder, seq2seq):
        with pytest.raises(AESGConfigError, match=message):
            model.generate(PROMPT, 2, **asked)


def test_bad_prompts_and_lengths_are_refused(decoder, seq2seq):
    for model in (decoder, seq2seq):
        with pytest.raises(AESGConfigError, match="is 0, expected a whole number of at least 1"):
            model.generate(PROMPT, 0)
        with pytest.raises(AESGMemoryError, match="ids from 51 to 59"):
            model.generate(PROMPT + VOCABULARY, 2)
    with pytest.raises(AESGMemoryError, match="has 3 tokens and max_new_tokens is 14, expected at most max_seq_len=16"):
        decoder.generate(PROMPT, 14)
    assert decoder.generate(PROMPT, 13).shape == (B, 16)
