"""The memory as a torch module: state, copies, pickles, workers, forks, sharing, closing."""

import copy
import io
import logging
import multiprocessing
import os
import pickle
import subprocess
import sys

import numpy as np
import pytest
import torch
from memory_scenes import D, V, axis, config, rows
from torch import nn
from torch.utils.data import DataLoader, Dataset

from aesg_graph import AESGMemory, AESGMemoryError, StoreSettings
from aesg_graph.sync.lock import holder


def elsewhere(place, script, *arguments):
    """Runs a script in another process; what it printed."""
    command = [sys.executable, "-c", script, str(place), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


OPEN_IT = """
import sys
from pathlib import Path
from aesg_graph.engine.core import MemoryEngine
from aesg_graph.errors import AESGError
from aesg_graph.settings import StoreSettings
try:
    engine = MemoryEngine(Path(sys.argv[1]), None, StoreSettings())
    print("opened", engine.recorder.concepts)
    engine.close()
except AESGError as error:
    print(type(error).__name__, error)
"""


# -- state_dict -------------------------------------------------------------------------------------------------------


def test_the_state_is_one_small_uint8_tensor_beside_the_parameters(opened):
    model = nn.Sequential(nn.Linear(4, D), opened())
    empty = model.state_dict()
    model[1].create(rows(500), rows(500, 1, V))
    state = model.state_dict()
    assert set(state) == {"0.weight", "0.bias", "1._extra_state"} == set(empty)
    extra = state["1._extra_state"]
    assert extra.dtype == torch.uint8
    assert extra.dim() == 1
    assert len(extra) < 200, "the concepts stay where they are"


def test_a_state_is_saved_and_loaded_by_torch(opened, tmp_path):
    model = nn.Sequential(nn.Linear(4, D), opened())
    model[1].create(rows(3), rows(3, 1, V))
    torch.save(model.state_dict(), tmp_path / "model.pt")
    state = torch.load(tmp_path / "model.pt", weights_only=True)
    assert model.load_state_dict(state, strict=True).missing_keys == []


def test_a_state_from_before_there_was_a_memory_loads_strictly(opened):
    model = nn.Sequential(nn.Linear(4, D), opened())
    state = model.state_dict()
    del state["1._extra_state"]
    result = model.load_state_dict(state, strict=True)
    assert (result.missing_keys, result.unexpected_keys) == ([], [])
    with pytest.raises(RuntimeError, match=r"0\.weight"):
        model.load_state_dict({k: v for k, v in state.items() if k != "0.weight"}, strict=True)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda memory: None, None),
        (lambda memory: memory.create(rows(1, 5)), "saved with a memory of 1 batches, this one has 2"),
    ],
)
def test_a_memory_at_another_position_is_only_logged(opened, caplog, change, told):
    memory = opened()
    memory.create(rows(3), rows(3, 1, V))
    state = memory.state_dict()
    change(memory)
    with caplog.at_level(logging.WARNING, "aesg_graph"):
        memory.load_state_dict(state, strict=True)
    assert [told in r.getMessage() for r in caplog.records] == ([True] if told else [])


def test_a_state_of_another_memory_and_one_that_cannot_be_read_are_only_logged(opened, caplog):
    memory, other = opened("mine"), opened("other")
    with caplog.at_level(logging.WARNING, "aesg_graph"):
        memory.load_state_dict(other.state_dict(), strict=True)
        assert "saved with the memory 'other'" in caplog.text
        for broken in (torch.zeros(4, dtype=torch.uint8), torch.empty(0, dtype=torch.uint8), "text", None):
            caplog.clear()
            memory.set_extra_state(broken)
            assert "cannot be read" in caplog.text


# -- copies, pickles --------------------------------------------------------------------------------------------------


def test_a_deep_copy_shares_the_engine_and_is_counted(opened, place):
    memory = opened()
    memory.create(rows(3), rows(3, 1, V))
    model = nn.Sequential(nn.Linear(4, D), memory)
    twin = copy.deepcopy(model)
    assert twin[1] is not memory
    assert twin[1].engine is memory.engine
    assert twin[1].storage.node_count == 3
    memory.close()
    assert twin[1](rows(1)).mask.any(), "closing one leaves the other open"
    with pytest.raises(AESGMemoryError, match="closed"):
        memory(rows(1))
    twin[1].close()
    assert holder(place / "memory" / "lock") is None


def test_a_copy_of_a_closed_memory_is_closed(opened):
    memory = opened()
    memory.close()
    twin = copy.deepcopy(memory)
    with pytest.raises(AESGMemoryError, match="closed"):
        twin(rows(1))


def test_a_copy_has_its_own_training_flag(opened):
    memory = opened()
    twin = copy.deepcopy(memory).eval()
    assert memory.training
    twin(rows(2))
    assert memory.storage.node_count == 0
    twin.close()


def test_a_pickled_memory_opens_when_it_is_first_used(opened, place):
    memory = opened(stores=StoreSettings(journal_bytes=1 << 20))
    memory.create(rows(3), rows(3, 1, V))
    memory.set_mode("ONLINE")
    buffer = io.BytesIO()
    torch.save(nn.Sequential(nn.Linear(4, D), memory), buffer)
    assert len(buffer.getvalue()) < 20_000, "the concepts stay where they are"
    memory.close()
    buffer.seek(0)
    twin = torch.load(buffer, weights_only=False)[1]
    assert repr(str(place / "memory")) in repr(twin)
    assert holder(place / "memory" / "lock") is None, "nobody holds it yet"
    assert twin.storage.node_count == 3
    assert twin.mode.value == "ONLINE"
    assert twin.config == config()
    assert twin.engine.settings.journal_bytes == 1 << 20
    twin.close()


def test_a_pickle_opened_beside_the_original_shares_it_and_changes_nothing_of_it(opened):
    memory = opened()
    content = pickle.dumps(memory)
    memory.set_mode("INFERENCE")
    twin = pickle.loads(content)
    assert twin.engine is memory.engine
    assert memory.mode.value == "INFERENCE"
    twin.close()
    assert memory.storage.node_count == 0, "still open"


def test_buffers_of_a_subclass_survive_copies_and_pickles(place):
    memory = Centred(place / "memory", config())
    memory.mean += 1
    for twin in (copy.deepcopy(memory), pickle.loads(pickle.dumps(memory))):
        assert torch.equal(twin.mean, memory.mean)
        assert set(twin.state_dict()) == {"mean", "_extra_state"}
        twin(rows(1))
        twin.close()
    memory.close()


class Centred(AESGMemory):
    """A memory with a buffer of its own."""

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.register_buffer("mean", torch.zeros(D))


# -- other processes --------------------------------------------------------------------------------------------------


class Carrying(Dataset):
    """A data set that carries a model about, without using it."""

    def __init__(self, memory):
        self.model = nn.Sequential(nn.Linear(4, D), memory)

    def __len__(self):
        return 4

    def __getitem__(self, number):
        self.model.train(bool(number % 2))
        return np.array([os.getpid(), number])


@pytest.mark.parametrize("context", ["fork", "spawn"])
@pytest.mark.filterwarnings("ignore:This process.*multi-threaded:DeprecationWarning")
def test_data_loading_workers_that_carry_a_memory_never_lock_it(opened, context):
    memory = opened()
    memory.create(rows(3), rows(3, 1, V))
    loader = DataLoader(Carrying(memory), num_workers=1, multiprocessing_context=context)
    seen = torch.cat(list(loader))[:, 0].unique()
    assert os.getpid() not in seen.tolist()
    memory(rows(3))
    memory.flush()
    assert memory.storage.node_count == 3
    assert holder(memory.engine.directory / "lock").pid == os.getpid()


def use_in_child(memory, told):
    for call in (
        lambda: memory(rows(1)),
        lambda: memory.create(rows(1)),
        memory.stats,
        memory.flush,
        lambda: memory.set_mode("ONLINE"),
        lambda: memory.step().__enter__(),
        lambda: len(memory.history()),
        lambda: memory.storage.node_count,
        lambda: memory.storage.edge_count,
    ):
        try:
            call()
            told.send("it worked")
        except AESGMemoryError as error:
            told.send(error.message)
    memory.close()
    told.send("closed")


@pytest.mark.filterwarnings("ignore:This process.*multi-threaded:DeprecationWarning")
def test_a_forked_child_is_refused_and_leaves_the_parent_alone(opened):
    memory = opened()
    memory.create(rows(3), rows(3, 1, V))
    here, there = multiprocessing.Pipe()
    child = multiprocessing.get_context("fork").Process(target=use_in_child, args=(memory, there))
    with memory.engine._lock:  # as another thread might hold it just when the child is forked
        child.start()
    said = [here.recv() for _ in range(10)]
    child.join(30)
    assert child.exitcode == 0
    assert all("forked child" in message and str(os.getpid()) in message for message in said[:-1]), said
    assert memory(rows(3)).mask.any()
    memory.flush()


def test_a_second_process_is_refused_and_told_who_holds_the_directory(opened, place):
    opened()
    said = elsewhere(place / "memory", OPEN_IT)
    assert said.startswith("AESGStorageError")
    assert f"process {os.getpid()}" in said


FORGETFUL = """
import sys, torch
from aesg_graph import AESGConfig, AESGMemory
memory = AESGMemory(sys.argv[1], AESGConfig(vector_dim=8, value_dim=3, novelty_birth_threshold=2))
memory(torch.eye(8)[0])
memory(torch.eye(8)[1])
print("torch._dynamo" in sys.modules)
"""


def test_a_process_that_forgets_to_close_keeps_everything_and_never_loads_a_compiler(place):
    said = elsewhere(place / "memory", FORGETFUL)
    assert said == "False", "using the operator alone must not load torch's compiler: it takes seconds"
    with AESGMemory(place / "memory") as memory:
        assert memory.storage.node_count == 1
        memory(axis(1))
        assert memory.storage.node_count == 2, "the novelty buffer was kept"
