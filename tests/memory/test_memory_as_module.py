"""The memory as a torch module: state, copies, pickles, workers, forks, sharing, closing."""

import copy
import gc
import io
import logging
import multiprocessing
import os
import pickle
import subprocess
import sys
import threading

import numpy as np
import pytest
import torch
from memory_scenes import D, V, axis, config, rows, tiny_cache, written
from torch import nn
from torch.utils.data import DataLoader, Dataset

from aesg_graph import AESGConfigError, AESGMemory, AESGMemoryError, AESGStorageError, StoreSettings
from aesg_graph.engine.registry import acquire, release
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


# -- one directory, one engine ----------------------------------------------------------------------------------------


def test_a_directory_opened_twice_is_one_engine(opened, place, monkeypatch):
    first = opened()
    monkeypatch.chdir(place)
    (place / "link").symlink_to(place / "memory")
    others = [AESGMemory("memory"), AESGMemory(place / "memory", config()), AESGMemory(str(place / "link"))]
    first.create(rows(2), rows(2, 1, V))
    for other in others:
        assert other.engine is first.engine
        assert other.storage.node_count == 2
        other.close()
    assert first(rows(1)).mask.any()


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"given": config(seeds=4)}, r"seeds=4 \(it is open with 3\)"),
        ({"given": config(vector_dim=9)}, r"vector_dim=9 \(it is open with 8\)"),
        ({"stores": tiny_cache()}, "other settings.*cache_bytes"),
    ],
)
def test_a_directory_opened_twice_differently_is_refused_and_the_first_goes_on(opened, place, given, message):
    first = opened()
    with pytest.raises(AESGMemoryError, match=message):
        AESGMemory(place / "memory", given.get("given"), stores=given.get("stores"))
    assert first.storage.node_count == 0
    first.close()
    assert holder(place / "memory" / "lock") is None, "the refused opening does not count"


def test_engines_are_counted_across_threads(place):
    settings, found, errors = StoreSettings(), [], []

    def come_and_go():
        try:
            for _ in range(15):
                engine = acquire(place / "memory", config(), settings)
                engine.recall(engine.query(rows(1).numpy()))
                found.append(engine)
                release(engine)
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=come_and_go) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert errors == []
    assert all(engine.closed for engine in found)


# -- letting go -------------------------------------------------------------------------------------------------------


def test_a_closed_memory_refuses_everything(opened):
    memory = opened()
    memory.create(rows(2))
    memory.close()
    memory.close()
    for call in (
        lambda: memory(rows(1)),
        lambda: memory.create(rows(1)),
        lambda: memory.link([1], [2]),
        lambda: memory.remove([1]),
        lambda: memory.annotate([1], ["x"]),
        lambda: memory.concept(1),
        lambda: memory.neighbors(1),
        lambda: memory.explain(rows(1)[0], 1),
        lambda: memory.rekey(lambda s: s),
        memory.step,
        memory.sequence,
        memory.save,
        memory.flush,
        memory.stats,
        memory.history,
        memory.update_topology,
        memory.reset_state,
        lambda: memory.set_mode("ONLINE"),
        lambda: memory.mode,
        lambda: memory.storage,
    ):
        with pytest.raises(AESGMemoryError, match="closed"):
            call()
    assert "_extra_state" in memory.state_dict()


def test_views_and_steps_kept_from_an_open_memory_refuse_too(opened):
    memory = opened()
    memory.create(rows(2))
    storage, logger, engine = memory.storage, memory.logger, memory.engine
    memory.close()
    for call in (
        lambda: storage.node_count,
        lambda: storage.edge_count,
        lambda: storage.nodes,
        logger.get_history,
        lambda: engine.recall(engine.query(rows(1).numpy())),
        engine.consolidate,
    ):
        with pytest.raises(AESGMemoryError, match="closed"):
            call()


def test_closing_one_module_of_two_refuses_that_one_only(opened):
    memory, other = opened(), opened()
    other.close()
    with pytest.raises(AESGMemoryError, match="closed"):
        other(rows(1))
    memory(rows(1))


def test_it_is_a_context_manager(place):
    with AESGMemory(place / "memory", config()) as memory:
        memory.create(rows(2))
    with pytest.raises(AESGMemoryError, match="closed"):
        memory(rows(1))
    assert holder(place / "memory" / "lock") is None


def test_closing_inside_a_step_is_refused(opened):
    memory = opened()
    with memory.step():
        memory(axis(0))
        with pytest.raises(AESGMemoryError, match="inside a step"):
            memory.engine.close()
    assert memory.storage.node_count == 1


@pytest.mark.parametrize("cycle", [False, True])
def test_dropping_a_memory_releases_the_directory_and_keeps_everything(place, cycle):
    memory = AESGMemory(place / "memory", config())
    memory.create(rows(2))
    if cycle:
        memory.itself = [memory]
    del memory
    gc.collect()
    assert holder(place / "memory" / "lock") is None
    with AESGMemory(place / "memory") as again:
        assert again.storage.node_count == 2


def test_a_memory_may_be_collected_while_another_is_used_and_its_directory_opened(place):
    """The collector runs wherever it likes: here, in the middle of everything that this thread does."""
    threshold = gc.get_threshold()
    gc.set_threshold(1)
    try:
        for round in range(3):
            dropped = AESGMemory(place / "dropped", config())
            dropped.create(rows(2, round))
            dropped.itself = [dropped]
            del dropped
            with AESGMemory(place / "dropped", config()) as memory:
                memory(rows(2, round))
    finally:
        gc.set_threshold(*threshold)
    with AESGMemory(place / "dropped") as memory:
        assert memory.storage.node_count == 6


def test_a_memory_collected_under_its_own_lock_does_not_hang(place):
    memory = AESGMemory(place / "memory", config())
    memory.create(rows(2))
    engine = memory.engine
    with engine.locked(), engine.steps.writing:
        del memory
        gc.collect()
    for thread in threading.enumerate():
        if thread.name == "aesg-release":
            thread.join(30)
    assert engine.closed


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


# -- construction -----------------------------------------------------------------------------------------------------


def test_the_directory_may_come_from_the_configuration_or_by_name(place):
    with AESGMemory(config=config(storage_directory=str(place / "a"))) as memory:
        assert memory.directory == str(place / "a")
    with AESGMemory(directory=place / "b", config=config()) as memory:
        assert memory.directory == str(place / "b")


@pytest.mark.parametrize("directory", [None, "", 5, b"bytes", "nul\0byte", ["list"]])
def test_what_is_no_directory_is_refused(directory):
    with pytest.raises(AESGConfigError, match=r"directory|storage_directory"):
        AESGMemory(directory, config())


@pytest.mark.parametrize(("config", "stores"), [({"vector_dim": 8}, None), (None, {"cache_bytes": 5}), ("x", None)])
def test_what_is_no_configuration_is_refused(place, config, stores):
    with pytest.raises(AESGConfigError, match=r"(config|stores) is a .*expected"):
        AESGMemory(place / "memory", config, stores=stores)
    assert not (place / "memory").exists()


def test_a_failed_opening_holds_nothing(place):
    with AESGMemory(place / "memory", config()):
        pass
    with pytest.raises(AESGStorageError, match="vector_dim"):
        AESGMemory(place / "memory", config(vector_dim=9))
    assert holder(place / "memory" / "lock") is None


def test_moving_a_module_moves_nothing_of_the_memory(opened):
    memory = opened()
    memory.create(rows(3), rows(3, 1, V))
    before = written(memory)
    memory.half().double().to("cpu").float().requires_grad_(False).zero_grad()
    assert memory.eval()(rows(3)).mask.any()
    assert written(memory) == before
