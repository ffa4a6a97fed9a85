"""What holds for all eight models with memory."""

import copy

import pytest
import torch
from model_scenes import ALL, IMAGE, RECURRENT, TEXT, TRANSFORMER, VOCABULARY, asked, counting, name, taught

from aesg_graph import AESGConfig, AESGConfigError, StoreSettings

each = pytest.mark.parametrize("scene", ALL, ids=name)


@each
def test_shapes_in_and_out(scene, opened):
    assert scene.build(opened())(scene.batch()).shape == scene.made


@each
def test_each_row_recalls_for_itself(scene, opened):
    model = scene.build(opened())
    model(scene.batch(1))
    model.eval()
    assert model.memory.storage.node_count > 1
    batch, order = scene.batch(), torch.tensor([2, 0, 1])
    together = model(batch)
    torch.testing.assert_close(model(batch[order]), together[order])
    torch.testing.assert_close(model(batch[1:2]), together[1:2], rtol=1e-4, atol=1e-5)


@each
def test_what_memory_holds_is_heard(scene, opened):
    model = scene.build(opened())
    model.eval()
    empty = model(scene.batch())
    model.train()
    model(scene.batch())
    model.eval()
    assert not torch.allclose(model(scene.batch()), empty)


@each
def test_memory_grows_in_training_and_not_in_evaluation(scene, opened):
    model = scene.build(opened())
    model.eval()(scene.batch())
    assert model.memory.storage.node_count == 0
    model.train()(scene.batch())
    grown = model.memory.storage.node_count
    assert grown > 1
    model.memory.set_mode("INFERENCE")
    model(scene.batch(2))
    assert model.memory.storage.node_count == grown


@each
def test_lessons_of_a_step_that_fails_are_dropped(scene, opened):
    model = scene.build(opened())

    def failing():
        with model.memory.step():
            model(scene.batch())
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        failing()
    assert model.memory.storage.node_count == 0


@each
def test_every_parameter_learns_and_so_does_the_addressing(scene, opened):
    model = scene.build(opened())
    model(scene.batch())  # so that there is something to recall
    model(scene.batch(1)).square().mean().backward()
    silent = [n for n, p in model.named_parameters() if p.grad is None or not p.grad.isfinite().all()]
    assert silent == []
    assert all(p.grad.abs().sum() > 0 for n, p in model.named_parameters() if n.endswith("addressing.projection"))


@each
def test_memory_may_be_held_by_two_copies_and_weights_by_a_file(scene, opened, tmp_path):
    model = scene.build(opened())
    model(scene.batch())
    twin = copy.deepcopy(model)
    assert twin.memory.engine is model.memory.engine
    other = scene.build(model.memory)
    with torch.no_grad():
        for parameter in other.parameters():
            parameter.add_(1.0)
    torch.save(model.state_dict(), tmp_path / "weights.pt")
    other.load_state_dict(torch.load(tmp_path / "weights.pt"))
    expected = model.eval()(scene.batch(1))
    assert torch.equal(twin.eval()(scene.batch(1)), expected)
    assert torch.equal(other.eval()(scene.batch(1)), expected)
    twin.memory.close()


@each
def test_half_precision_where_autocast_says_so(scene, opened):
    model = scene.build(opened())
    with torch.autocast("cpu", torch.bfloat16):
        made = model(scene.batch())
    made.float().mean().backward()
    assert made.isfinite().all()
    assert model.memory.storage.node_count > 0


@each
def test_the_evaluator_can_tell_what_a_model_is_for(scene):
    domain = "text" if scene in TEXT else "classification" if name(scene) == "AESGCNNClassifier" else "image"
    assert scene.model.domain == domain


@pytest.mark.parametrize("scene", RECURRENT, ids=name)
@pytest.mark.parametrize("query_every", [1, 2, 4])
def test_memory_is_asked_once_a_step_for_the_whole_batch_or_less_often(scene, query_every, place):
    with counting(place / "memory") as memory:
        scene.build(memory, query_every=query_every, num_layers=3)(scene.batch())
        rows, steps = scene.given
        assert asked == [rows] * -(-steps // query_every)
        assert taught == asked


@pytest.mark.parametrize("scene", [s for s in ALL if s not in RECURRENT], ids=name)
def test_without_recurrence_memory_is_asked_once_a_layer(scene, place):
    with counting(place / "memory") as memory:
        scene.build(memory)(scene.batch())
        rows = scene.given[0] * (scene.given[1] if name(scene) == "AESGDecoderLM" else 1)
        assert asked == [rows] * scene.structure.get("num_layers", 1)


@pytest.mark.parametrize("scene", [*IMAGE, TRANSFORMER], ids=name)
def test_each_position_may_recall_for_itself(scene, place):
    with counting(place / "memory") as memory:
        model = scene.build(memory, per_position=True)
        assert model(scene.batch()).shape == scene.made
        assert asked == [scene.given[0] * 6] * scene.structure.get("num_layers", 1)  # six tokens, or cells of 2 x 3


@pytest.mark.parametrize("scene", ALL, ids=name)
def test_a_memory_with_values_learns_what_inputs_mean_and_says_that(scene, opened):
    model = scene.build(opened(value_dim=4))
    per_step = name(scene) in ("AESGGRUText", "AESGLSTMText", "AESGSeq2Seq", "AESGDecoderLM")
    shape = (*scene.given[:2], 4) if per_step else (scene.given[0], 4)
    model(scene.batch(), value=torch.randn(shape))
    found = model.memory.retrieve(torch.randn(20, 8), learn=False)
    assert bool(found.has_value[found.mask].all())
    assert model.memory.storage.node_count > 0


# -- sizes ----------------------------------------------------------------------------------------------------------

SIZES = {"small": (128, 1, 64), "medium": (256, 2, 128), "large": (512, 4, 256)}
SMALLER = {"base_filters": 4, "num_blocks": 2}
"""Large convolutions take long to make, and their sizes are looked at in the first test."""


@pytest.mark.parametrize("scene", TEXT, ids=name)
@pytest.mark.parametrize("size", SIZES)
def test_text_models_come_in_the_sizes_that_users_know(scene, size, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    model = getattr(scene.model, size)(vocab_size=VOCABULARY)
    with model.memory as memory:
        assert (model.hidden_size, model.num_layers, memory.vector_dim) == SIZES[size]
        assert memory.config.max_concepts == 100_000
        assert memory.directory == str(tmp_path / "aesg_memory" / f"{model.folder}-{memory.vector_dim}")
        assert model(torch.zeros(2, 3, dtype=torch.int64)).shape == (2, 3, VOCABULARY)


@pytest.mark.parametrize("scene", IMAGE, ids=name)
def test_image_models_come_in_the_sizes_that_users_know(scene, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    for size, filters, blocks, dim in (("small", 32, 3, 64), ("medium", 64, 4, 128)):
        model = getattr(scene.model, size)()
        with model.memory as memory:
            assert model.widths == [filters * 2**n for n in range(blocks)]
            assert memory.vector_dim == dim
            assert memory.directory == str(tmp_path / "aesg_memory" / f"{model.folder}-{dim}")
    model = scene.model.large(**SMALLER)
    assert model.memory.vector_dim == 256
    model.memory.close()


def test_folders_of_models_and_sizes_never_collide():
    assert len({scene.model.folder for scene in ALL}) == len(ALL)


@each
def test_place_and_configuration_may_be_given(scene, place):
    given = {"vocab_size": VOCABULARY} if scene in TEXT else {}
    config = AESGConfig(vector_dim=8, seeds=2)
    structure = {} if scene in TEXT else SMALLER
    model = scene.model.small(
        storage_dir=place / "here", config=config, stores=StoreSettings(cache_bytes=1 << 20), **given, **structure
    )
    with model.memory as memory:
        assert memory.directory == str(place / "here")
        assert memory.config == config
        assert memory.engine.settings.cache_bytes == 1 << 20


def test_the_directory_of_a_configuration_is_taken(place):
    config = AESGConfig(vector_dim=8, storage_directory=str(place / "said"))
    with TRANSFORMER.model.small(VOCABULARY, config=config).memory as memory:
        assert memory.directory == str(place / "said")


def test_layers_learn_concepts_of_kinds_of_their_own(opened):
    model = TRANSFORMER.build(opened(), num_layers=3)
    model(TRANSFORMER.batch())
    ids = [row["id"] for row in model.memory.storage.nodes]
    assert {model.memory.concept(int(id)).kind for id in ids} == {"layer 1", "layer 2", "layer 3"}


# -- training -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("scene", TEXT, ids=name)
def test_a_text_model_learns_a_small_task(scene, opened):
    model, x = scene.build(opened()), scene.batch()
    losses = losses_of(model, x, lambda made: torch.nn.functional.cross_entropy(made.mT, x))
    assert losses[-1] < 0.8 * losses[0]


@pytest.mark.parametrize("scene", IMAGE, ids=name)
def test_an_image_model_learns_a_small_task(scene, opened):
    model, x = scene.build(opened()), scene.batch()
    goal = torch.zeros(scene.made)
    goal[:, 0] = 1.0
    losses = losses_of(model, x, lambda made: (made - goal).square().mean())
    assert losses[-1] < 0.8 * losses[0]


def losses_of(model, x, criterion, steps=6):
    """The loss in each step of a short training."""
    optimizer, losses = torch.optim.Adam(model.parameters(), lr=0.03), []
    for _ in range(steps):
        optimizer.zero_grad()
        with model.memory.step():
            loss = criterion(model(x))
            loss.backward()
            optimizer.step()
        model.memory.update_topology()
        losses.append(loss.item())
    return losses


# -- bad input ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("count", [0, -3, 2.5, True, None])
def test_a_vocabulary_or_classes_below_one_are_refused_before_anything_is_made(count, place):
    for scene in TEXT:
        with pytest.raises(AESGConfigError, match="vocab_size must be >= 1, got"):
            scene.model.small(vocab_size=count, storage_dir=place / "none")
    with pytest.raises(AESGConfigError, match="num_classes must be >= 1, got"):
        IMAGE[0].model.small(num_classes=count, storage_dir=place / "none")
    assert not (place / "none").exists()


@each
def test_what_a_model_cannot_be_made_of_is_refused(scene, opened):
    memory = opened()
    wrong = {key: 0 for key in scene.structure if key not in ("dropout", "nhead")}
    wrong |= {"keys": "other", "memory": None}
    for key, value in wrong.items():
        with pytest.raises(AESGConfigError, match=r"expected|must be >= 1"):
            scene.model(**{"memory": memory, **scene.structure, key: value})


@each
def test_a_bad_configuration_is_refused(scene, place):
    given = {"vocab_size": VOCABULARY} if scene in TEXT else {}
    with pytest.raises(AESGConfigError, match="config is a dict, expected an AESGConfig"):
        scene.model.small(storage_dir=place / "none", config={"vector_dim": 8}, **given)
    assert not (place / "none").exists()
