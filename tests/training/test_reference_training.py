"""What a user of `aesg` wrote for its trainer works here with the import changed; see test_reference_examples.py."""

import gc

import pytest
import torch
from torch import nn, optim
from torch.utils.data import DataLoader, TensorDataset


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """Examples name folders below the current one."""
    monkeypatch.chdir(tmp_path)
    yield tmp_path
    gc.collect()  # memories that nobody holds any more are closed


def pairs(count, vocabulary=100, length=8):
    return [(torch.randint(0, vocabulary, (length,)), torch.randint(0, vocabulary, (length,))) for _ in range(count)]


@pytest.fixture
def model():
    from aesg_graph import AESGGRUText

    return AESGGRUText.small(vocab_size=100)


def test_three_lines():
    from aesg_graph import AESGTrainer, AESGTransformer

    model = AESGTransformer.small(vocab_size=100)
    trainer = AESGTrainer(model)
    losses = trainer.fit(pairs(8), epochs=2)
    metrics = trainer.evaluate(pairs(8))
    assert len(losses) == 2
    assert f"{losses[-1]:.4f}"
    assert metrics["loss"] > 0


@pytest.mark.parametrize("name", ["AESGGRUText", "AESGLSTMText", "AESGSeq2Seq", "AESGDecoderLM", "AESGTransformer"])
def test_each_text_model_learns_what_is_always_the_same(name):
    import aesg_graph

    torch.manual_seed(0)
    trainer = aesg_graph.AESGTrainer(getattr(aesg_graph, name).small(vocab_size=20), learning_rate=0.01)
    row = torch.arange(6)
    losses = trainer.fit([(row, row + 1)] * 4, epochs=4)
    assert losses[-1] < losses[0]


def test_colorization_by_mean_squared_error():
    from aesg_graph import AESGColorizationNet, AESGTrainer

    trainer = AESGTrainer(AESGColorizationNet.small(), criterion=nn.MSELoss())
    data = [(torch.rand(1, 32, 32), torch.rand(3, 32, 32)) for _ in range(8)]
    assert len(trainer.fit(data, epochs=2)) == 2


def test_classification_by_the_default_criterion():
    from aesg_graph import AESGCNNClassifier, AESGTrainer

    trainer = AESGTrainer(AESGCNNClassifier.small(num_classes=10))
    data = [(torch.rand(3, 32, 32), torch.tensor(label)) for label in range(10)]
    assert len(trainer.fit(data, epochs=2)) == 2


def test_reconstruction():
    from aesg_graph import AESGCNNAutoencoder, AESGTrainer

    trainer = AESGTrainer(AESGCNNAutoencoder.small(), criterion=torch.nn.MSELoss())
    data = [(image, image) for image in [torch.rand(3, 32, 32) for _ in range(8)]]
    assert len(trainer.fit(data, epochs=2)) == 2


def test_every_argument_by_its_name(model):
    from aesg_graph import AESGTrainer

    trainer = AESGTrainer(
        model, optimizer=None, criterion=None, callbacks=None, device="cpu", batch_size=32, learning_rate=1e-3
    )
    assert len(trainer.fit(pairs(8), epochs=1)) == 1


def test_a_model_without_memory_is_trained_with_a_warning():
    from aesg_graph import AESGTrainer

    with pytest.warns(UserWarning, match="no AESGMemory"):
        trainer = AESGTrainer(nn.Linear(3, 2))
    assert len(trainer.fit([(torch.rand(3), torch.tensor(1))] * 4, epochs=1)) == 1


def test_a_loader_a_dataset_or_a_list(model):
    from aesg_graph import AESGTrainer, adapt_data

    trainer = AESGTrainer(model)
    data = pairs(8)
    dataset = TensorDataset(*map(torch.stack, zip(*data, strict=True)))
    for form in (DataLoader(dataset, batch_size=4, shuffle=True), dataset, data):
        assert len(trainer.fit(form, epochs=1)) == 1
        assert isinstance(adapt_data(form, batch_size=4, shuffle=False), DataLoader)


def test_a_loader_with_workers(model):
    from aesg_graph import AESGTrainer

    dataset = TensorDataset(torch.randint(0, 100, (16, 8)), torch.randint(0, 100, (16, 8)))
    loader = DataLoader(dataset, batch_size=8, shuffle=True, num_workers=1)
    assert len(AESGTrainer(model).fit(loader, epochs=1)) == 1


def test_evaluating_and_predicting_teach_nothing_and_leave_the_mode(model):
    from aesg_graph import AESGTrainer

    trainer = AESGTrainer(model)
    trainer.fit(pairs(16), epochs=1)
    known = model.memory.storage.node_count
    model.memory.set_mode("FINETUNE")
    assert set(trainer.evaluate(pairs(16))) == {"loss"}
    assert trainer.predict(torch.randint(0, 100, (4, 8))).shape == (4, 8, 100)
    assert model.memory.storage.node_count == known
    assert model.memory.mode.value == "FINETUNE"


def test_saving_loading_and_resuming(folder, model):
    from aesg_graph import AESGTrainer

    trainer = AESGTrainer(model)
    trainer.fit(pairs(2), epochs=3)
    trainer.save("./checkpoints/epoch_3")
    trainer.load("./checkpoints/epoch_3")
    start_epoch = trainer.resume("./checkpoints/epoch_3")
    assert start_epoch == 3
    assert len(trainer.fit(pairs(2), epochs=2)) == 2
    written = {path.name for path in (folder / "checkpoints" / "epoch_3").iterdir()}
    assert {"config.json", "training_state.json", "memory"} <= written


def test_early_stopping(model):
    from aesg_graph import AESGTrainer, EarlyStopping

    es = EarlyStopping(patience=2, monitor="loss")
    optimizer = optim.SGD(model.parameters(), lr=1e-30)  # nothing gets better
    losses = AESGTrainer(model, optimizer=optimizer, callbacks=[es]).fit([pairs(1)[0]] * 4, epochs=100)
    assert len(losses) < 20


def test_checkpoints_every_second_epoch(folder, model):
    from aesg_graph import AESGTrainer, Checkpoint

    AESGTrainer(model, callbacks=[Checkpoint(save_every=2, path="./checkpoints")]).fit(pairs(4), epochs=4)
    assert {path.name for path in (folder / "checkpoints").iterdir()} == {"epoch_2", "epoch_4"}


def test_a_callback_of_ones_own(model):
    from aesg_graph import AESGTrainer, Callback

    said = []

    class PrintProgress(Callback):
        def on_epoch_end(self, epoch, logs):
            loss = logs.get("loss", "?")
            said.append(f"Epoch {epoch}: loss = {loss:.4f}")

    AESGTrainer(model, callbacks=[PrintProgress()]).fit(pairs(4), epochs=2)
    assert [line.split(":")[0] for line in said] == ["Epoch 0", "Epoch 1"]


def test_every_hook_is_called(model):
    from aesg_graph import AESGTrainer, Callback

    called = []

    class Everything(Callback):
        def on_train_start(self, logs):
            called.append("train_start")

        def on_train_end(self, logs):
            called.append("train_end")

        def on_epoch_start(self, epoch, logs):
            called.append("epoch_start")

        def on_epoch_end(self, epoch, logs):
            called.append("epoch_end")

        def on_batch_start(self, batch, logs):
            called.append("batch_start")

        def on_batch_end(self, batch, logs):
            called.append("batch_end")

    AESGTrainer(model, callbacks=[Everything()]).fit(pairs(4), epochs=1)
    assert called == ["train_start", "epoch_start", "batch_start", "batch_end", "epoch_end", "train_end"]


def test_an_empty_dataset(model):
    from aesg_graph import AESGTrainer, AESGTrainingError

    with pytest.raises(AESGTrainingError) as caught:
        AESGTrainer(model).fit([], epochs=5)
    assert caught.value.subsystem == "trainer"
    assert "Empty dataset provided. Training requires at least one sample." in caught.value.message


def test_an_optimizer_of_ones_own():
    from aesg_graph import AESGTrainer, AESGTransformer

    model = AESGTransformer.medium(vocab_size=100)
    optimizer = optim.AdamW(model.parameters(), lr=5e-4, weight_decay=0.01)
    trainer = AESGTrainer(model, optimizer=optimizer)
    assert trainer.optimizer is optimizer
    assert len(trainer.fit(pairs(4), epochs=1)) == 1


def test_a_loss_of_ones_own():
    from aesg_graph import AESGColorizationNet, AESGTrainer

    trainer = AESGTrainer(AESGColorizationNet.small(), criterion=nn.L1Loss())
    assert len(trainer.fit([(torch.rand(1, 16, 16), torch.rand(3, 16, 16))] * 2, epochs=1)) == 1


def test_on_a_gpu_where_there_is_one():
    from aesg_graph import AESGTrainer, AESGTransformer

    device = "cuda" if torch.cuda.is_available() else "cpu"
    model = AESGTransformer.small(vocab_size=100)
    trainer = AESGTrainer(model, device=device)
    trainer.fit(pairs(4), epochs=1)
    assert {parameter.device.type for parameter in model.parameters()} == {device}


def test_a_loop_by_hand():
    from aesg_graph import AESGGRUText

    model = AESGGRUText.small(vocab_size=50)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    criterion = nn.CrossEntropyLoss()
    x, y = torch.randint(0, 50, (4, 5)), torch.randint(0, 50, (4, 5))
    losses = []
    for _ in range(10):
        model.train()
        model.memory.set_mode("TRAIN")
        model.memory.reset_state()
        optimizer.zero_grad()
        output = model(x)
        loss = criterion(output.reshape(-1, 50), y.reshape(-1))
        loss.backward()
        optimizer.step()
        model.memory.update_topology()
        losses.append(loss.item())
    model.memory.save()
    assert losses[-1] < losses[0]
    assert model.memory.storage.node_count > 0
