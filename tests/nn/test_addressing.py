"""Queries are learned, keys hold still, and what is kept is kept only where the memory would learn."""

import copy

import pytest
import torch
from torch import nn
from torch.utils.checkpoint import checkpoint

from aesg_graph import AESGConfigError, AESGMemoryError
from aesg_graph.nn import Addressing

F, D, V = 6, 8, 3
KEYS = ["frozen", "slow", "rekey"]


@pytest.fixture(autouse=True)
def _seeded():
    torch.manual_seed(0)


def retrievals(memory):
    """How often the memory was asked so far."""
    return int(memory._clock)


def used(memory):
    """How often concepts were used in all, once every lesson is taken."""
    memory.flush()
    return int(memory.storage.nodes["use_frequency"].sum())


# -- queries and keys -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("keys", KEYS)
@pytest.mark.parametrize("features", [3, 8, 20])
def test_the_query_begins_as_the_key_and_keeps_angles_as_far_as_there_is_room(opened, keys, features):
    addressing = Addressing(opened(), features, keys=keys)
    x = torch.randn(5, features)
    addressing(x)
    query = addressing.eval()(x)
    assert torch.equal(query, addressing.key(x))
    if features <= D:
        assert torch.allclose(query.norm(dim=-1), (x - x.mean(0)).norm(dim=-1), atol=1e-5)


def test_the_query_has_a_gradient_and_the_key_has_none(opened):
    memory = opened(value_dim=V)
    memory.create(torch.randn(20, D), torch.randn(20, V))
    addressing = Addressing(memory, F, steered_by=2)
    x, steer = torch.randn(5, F, requires_grad=True), torch.randn(5, 2)
    addressing.recall(x, steer=steer).read().square().sum().backward()
    for parameter in (addressing.projection, addressing.steering.weight):
        assert parameter.grad.abs().max() > 0
    assert x.grad.abs().max() > 0
    assert not addressing.key(x).requires_grad


def test_steering_turns_nothing_before_it_is_learned_and_never_the_key(opened):
    addressing = Addressing(opened(), F, steered_by=2).eval()
    x, steer = torch.randn(5, F), torch.randn(5, 2)
    key = addressing.key(x)
    assert torch.allclose(nn.functional.normalize(key, dim=-1), addressing(x, steer), atol=1e-6)
    nn.init.ones_(addressing.steering.weight)
    assert not torch.allclose(addressing(x, steer), addressing(x, torch.zeros_like(steer)))
    assert torch.equal(addressing.key(x), key)


@pytest.mark.parametrize(("learned", "reached"), [(True, True), (False, False)])
def test_it_learns_to_address_a_memory_whose_keys_are_turned_against_what_arrives(opened, learned, reached):
    """What is asked for arrives rotated: only a query that learns the rotation finds it."""
    torch.manual_seed(2)
    count = 12
    # A soft read-out, over many concepts, tells more of them apart: what is not retrieved has no gradient.
    read = {"seeds": count, "top_k": count, "seed_threshold": 0.0, "read_temperature": 0.3}
    memory = opened(value_dim=count, spreading_activation_steps=0, **read)
    known, rotation = torch.randn(count, D), nn.init.orthogonal_(torch.empty(D, D))
    memory.create(known, torch.eye(count))
    memory.set_mode("INFERENCE")
    addressing = Addressing(memory, D, warm_up=0)
    addressing.projection.requires_grad_(learned)
    trust = nn.Parameter(torch.tensor(10.0))
    optimizer = torch.optim.Adam([trust, *(p for p in addressing.parameters() if p.requires_grad)], lr=0.05)

    def logits():
        labels = torch.randint(count, (32,))
        arriving = (known[labels] + 0.1 * torch.randn(32, D)) @ rotation
        return trust * addressing.recall(arriving).read(), labels

    for _ in range(60):
        optimizer.zero_grad()
        nn.functional.cross_entropy(*logits()).backward()
        optimizer.step()
    right = torch.cat([(given.argmax(-1) == wanted).float() for given, wanted in (logits() for _ in range(8))])
    assert (right.mean() > 0.9) == reached
    if not reached:
        assert right.mean() < 0.5


# -- centring ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("parts", [[10, 10, 10], [4, 30], [30], [1] * 30])
def test_the_mean_is_of_the_first_rows_alone_however_they_come(opened, parts):
    addressing = Addressing(opened(), F, warm_up=17)
    x = torch.randn(sum(parts), F) + 3
    for part in x.split(parts):
        addressing(part)
    assert int(addressing.seen) == 17
    assert torch.allclose(addressing.mean, x[:17].mean(0), atol=1e-5)


def test_positions_are_rows_too(opened):
    addressing, x = Addressing(opened(), F), torch.randn(2, 5, F)
    addressing(x)
    assert int(addressing.seen) == 10
    assert torch.allclose(addressing.mean, x.mean((0, 1)), atol=1e-6)


def test_before_any_row_nothing_is_centred_and_looking_moves_no_mean(opened):
    addressing = Addressing(opened(), F).eval()
    x = torch.randn(5, F) + 3
    assert torch.allclose(addressing(x), x @ addressing.projection.T, atol=1e-5)
    addressing.recall(x)
    addressing.train().key(x)
    assert int(addressing.seen) == 0
    assert not addressing.mean.any()


def test_features_that_all_point_one_way_are_told_apart_once_centred(opened):
    addressing = Addressing(opened(), F)
    x = torch.randn(200, F) + 10
    addressing(x)

    def mean_cosine(rows):
        rows = nn.functional.normalize(rows, dim=-1)
        return float((rows @ rows.T).mean())

    assert mean_cosine(x) > 0.9
    assert abs(mean_cosine(addressing.key(x))) < 0.1


# -- what keys come from ----------------------------------------------------------------------------------------------


def trained(addressing, x, calls=3):
    """As if an optimizer had turned the projection, with so many calls in training after it."""
    with torch.no_grad():
        addressing.projection += torch.randn_like(addressing.projection)
    for _ in range(calls):
        addressing(x)


def test_frozen_keys_stay_while_the_query_is_learned(opened):
    addressing, x = Addressing(opened(), F, warm_up=0), torch.randn(5, F)
    before = addressing.key(x)
    trained(addressing, x)
    assert torch.equal(addressing.key(x), before)


def test_slow_keys_follow_a_thousandth_of_the_way_at_each_call_in_training(opened):
    addressing, x = Addressing(opened(), F, keys="slow", warm_up=0), torch.randn(5, F)
    before = addressing.still.clone()
    trained(addressing, x, calls=3)
    far = addressing.projection - before
    assert torch.allclose(addressing.still - before, far * (1 - 0.999**3), atol=1e-6)
    stopped = addressing.still.clone()
    addressing.eval()(x)
    assert torch.equal(addressing.still, stopped)


def test_keys_to_be_rekeyed_are_the_projection_as_it_is_and_rekeying_finds_old_concepts_again(opened):
    memory = opened()
    addressing, x = Addressing(memory, F, keys="rekey", warm_up=0), torch.eye(F)[:4]
    addressing.recall(x, sources=["0", "1", "2", "3"])
    trained(addressing, x, calls=0)
    addressing.eval()
    ids = memory.storage.nodes["id"].tolist()
    stale = addressing.recall(x)
    assert memory.rekey(lambda sources: addressing.key(x[[int(s) for s in sources]])) == len(ids)
    found = addressing.recall(x)
    assert found.explanation.min() > 0.999 > stale.explanation.min()


def test_projections_come_from_torchs_generator(opened):
    made = []
    for _ in range(2):
        torch.manual_seed(3)
        made.append(Addressing(opened(), F).still)
    assert torch.equal(*made)


# -- when it learns ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("mode", "training", "learns"),
    [
        ("TRAIN", True, True),
        ("TRAIN", False, False),
        ("FINETUNE", True, True),
        ("FINETUNE", False, False),
        ("ONLINE", True, True),
        ("ONLINE", False, True),
        ("INFERENCE", True, False),
        ("INFERENCE", False, False),
    ],
)
def test_a_second_retrieval_keeps_the_key_where_the_memory_would_learn_and_only_there(opened, mode, training, learns):
    memory = opened()
    addressing, x = Addressing(memory, F), torch.randn(5, F)
    addressing.recall(x)
    memory.set_mode(mode)
    addressing.train(training)
    before, asked = used(memory), retrievals(memory)
    addressing.recall(x)
    assert retrievals(memory) - asked == (2 if learns else 1)
    assert (used(memory) > before) == learns


def test_a_memory_set_to_eval_alone_learns_nothing_from_a_layer_in_training(opened):
    memory = opened()
    addressing = Addressing(memory, F)
    memory.eval()
    addressing.recall(torch.randn(5, F))
    assert memory.storage.node_count == 0


def test_what_is_kept_is_the_key_not_the_query_and_means_the_value(opened):
    memory = opened(value_dim=V)
    addressing = Addressing(memory, F, warm_up=0)
    x, value = torch.eye(F)[:4], torch.randn(4, V)  # rows that are nothing alike are four concepts
    trained(addressing, x)
    addressing.recall(x, value, sources=["a", "b", "c", "d"])
    kept = memory.retrieve(addressing.key(x), learn=False)
    assert torch.allclose(kept.vectors[:, 0], nn.functional.normalize(addressing.key(x), dim=-1), atol=1e-5)
    assert torch.allclose(kept.values[:, 0], value)
    assert sorted(memory.concept(int(i)).source for i in kept.ids[:, 0]) == ["a", "b", "c", "d"]


def test_lessons_wait_for_the_exit_of_a_step_and_go_where_it_is_discarded(opened):
    memory = opened()
    addressing = Addressing(memory, F)
    with memory.step():
        addressing.recall(torch.randn(5, F))
        memory.discard()
    assert memory.storage.node_count == 0
    with memory.step():
        addressing.recall(torch.randn(5, F))
        assert memory.storage.node_count == 0
    assert memory.storage.node_count > 0


class Recomputed(nn.Module):
    """Recalls, in backward too where it is recomputed."""

    def __init__(self, memory, reentrant=None):
        super().__init__()
        self.before, self.addressing = nn.Linear(4, F), Addressing(memory, F, keys="slow", warm_up=10)
        self.reentrant, self.calls = reentrant, 0

    def inner(self, x):
        self.calls += 1
        return self.addressing.recall(self.before(x)).read()

    def forward(self, x):
        return self.inner(x) if self.reentrant is None else checkpoint(self.inner, x, use_reentrant=self.reentrant)


@pytest.mark.parametrize("reentrant", [True, False])
def test_a_recomputation_in_backward_learns_nothing_moves_no_mean_and_has_the_same_gradient(opened, reentrant):
    outcomes = []
    for how in (reentrant, None):
        torch.manual_seed(1)
        memory = opened(str(how))
        memory.create(torch.randn(6, D))
        model = Recomputed(memory, how)
        x = torch.randn(5, 4, requires_grad=True)
        for _ in range(3):
            x.grad = None
            with memory.step():
                model(x).square().sum().backward()
        assert model.calls == (3 if how is None else 6)
        outcomes.append((used(memory), memory.storage.node_count, model.addressing.state_dict(), x.grad))
    (uses, concepts, state, gradient), (plain_uses, plain_concepts, plain_state, plain_gradient) = outcomes
    assert (uses, concepts) == (plain_uses, plain_concepts)
    for name in ("mean", "seen", "still"):
        assert torch.equal(state[name], plain_state[name])
    assert torch.allclose(gradient, plain_gradient, atol=1e-6)


# -- rows, kinds ------------------------------------------------------------------------------------------------------


def test_rows_that_are_not_valid_recall_nothing_and_teach_nothing(opened):
    memory = opened()
    addressing = Addressing(memory, F, warm_up=0)
    x, valid = torch.randn(2, 3, F), torch.tensor([[True, True, False], [True, False, False]])
    for _ in range(2):
        found = addressing.recall(x, valid=valid)
    assert memory.storage.node_count <= 3
    assert not found.mask[~valid].any()
    assert found.mask[valid].any(-1).all()


def test_layers_of_different_kinds_share_a_memory_and_find_each_their_own(opened):
    memory = opened()
    first, second = Addressing(memory, F, kind="first", warm_up=0), Addressing(memory, F, kind="second", warm_up=0)
    second.load_state_dict(first.state_dict())  # the same keys: nothing but the kind tells them apart
    x = torch.randn(5, F)
    for addressing in (first, second, first, second):
        addressing.recall(x)
    by_kind = [set(addressing.eval().recall(x).activated_nodes) for addressing in (first, second)]
    assert all(by_kind)
    assert not by_kind[0] & by_kind[1]
    assert {memory.concept(id).kind for id in by_kind[0]} == {"first"}


def test_zero_features_ask_nothing_and_their_gradients_are_finite(opened):
    memory = opened()
    memory.create(torch.randn(5, D))
    addressing = Addressing(memory, F, steered_by=2)
    x, steer = torch.zeros(3, F, requires_grad=True), torch.zeros(3, 2)
    found = addressing.recall(x, steer=steer)
    found.read().sum().backward()
    assert not found.mask.any()
    assert torch.isfinite(x.grad).all()


# -- as a module ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("keys", KEYS)
def test_a_state_dict_brings_back_projection_mean_and_keys(opened, keys):
    memory = opened()
    addressing = Addressing(memory, F, keys=keys)
    trained(addressing, torch.randn(20, F))
    torch.manual_seed(9)
    again = Addressing(memory, F, keys=keys)
    again.load_state_dict(addressing.state_dict())
    x = torch.randn(4, F)
    addressing.eval(), again.eval()
    assert torch.equal(again(x), addressing(x))
    assert torch.equal(again.key(x), addressing.key(x))
    assert int(again.seen) == 60


def test_a_copy_shares_the_memory_and_goes_its_own_way(opened):
    memory = opened()
    addressing = Addressing(memory, F)
    twin = copy.deepcopy(addressing)
    twin.recall(torch.randn(5, F))
    assert memory.storage.node_count > 0
    assert int(addressing.seen) == 0
    twin.memory.close()


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16, torch.float16])
def test_other_dtypes_come_back_as_they_came_and_keys_are_wide(opened, dtype):
    memory = opened()
    addressing = Addressing(memory, F).to(dtype)
    x = torch.randn(5, F, dtype=dtype)
    assert addressing.recall(x).read().dtype == dtype
    assert addressing.key(x).dtype == torch.promote_types(dtype, torch.float32)
    assert memory.storage.node_count > 0


def test_autocast_does_not_blur_queries_or_keys(opened):
    addressing, x = Addressing(opened(), F).eval(), torch.randn(5, F)
    query, key = addressing(x), addressing.key(x)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(addressing(x), query)
        assert torch.equal(addressing.key(x), key)


# -- bad input --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"memory": "memory"}, "memory is a str, expected an AESGMemory"),
        ({"features": 0}, "features is 0, expected a whole number of at least 1"),
        ({"features": 2.0}, "features is 2.0, expected a whole number"),
        ({"features": True}, "features is True"),
        ({"keys": "fast"}, "keys is 'fast', expected one of 'frozen', 'slow', 'rekey'"),
        ({"keys": ["slow"]}, "keys is"),
        ({"warm_up": -1}, "warm_up is -1, expected a whole number of at least 0"),
        ({"steered_by": -1}, "steered_by is -1"),
        ({"kind": ""}, "kind is '', expected a string of 1 to 128 characters, or None"),
    ],
)
def test_what_no_addressing_can_be_made_of_is_said(opened, given, message):
    arguments = {"memory": opened(), "features": F, **given}
    with pytest.raises(AESGConfigError) as raised:
        Addressing(**arguments)
    assert message in str(raised.value)


@pytest.mark.parametrize(
    ("x", "options", "message"),
    [
        (torch.zeros(2, F + 1), {}, "x is torch.float32 [2, 7], expected floating point features [..., 6]"),
        (torch.zeros(2, F, dtype=torch.int64), {}, "x is torch.int64 [2, 6]"),
        ([[0.0] * F], {}, "x is a list"),
        (torch.zeros(()), {}, "x is torch.float32 []"),
        (torch.randn(2, F), {"steer": torch.zeros(2, 1)}, "steer is torch.float32 [2, 1], expected floating point"),
        (torch.zeros(0, F), {}, "empty batch"),
        (torch.randn(2, F), {"value": torch.zeros(2, 1)}, "value has shape [2, 1], expected [2, 3]"),
        (torch.randn(2, F), {"value": torch.zeros(1, V)}, "value has shape [1, 3], expected [2, 3]"),
        (torch.randn(2, F), {"valid": torch.ones(2)}, "valid is torch.float32 [2], expected torch.bool [2]"),
        (
            torch.randn(2, F),
            {"valid": torch.ones(3, dtype=torch.bool)},
            "valid is torch.bool [3], expected torch.bool [2]",
        ),
        (torch.randn(2, F), {"valid": [True, True]}, "valid is a list"),
        (torch.full((2, F), torch.nan), {}, "finite"),
    ],
)
def test_bad_input_teaches_nothing_and_moves_no_mean(opened, x, options, message):
    memory = opened(value_dim=V)
    addressing = Addressing(memory, F)
    with pytest.raises(AESGMemoryError) as raised:
        addressing.recall(x, **options)
    assert message in str(raised.value)
    assert memory.storage.node_count == 0
    assert int(addressing.seen) == 0
