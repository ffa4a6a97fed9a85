"""One directory is one engine, counted, and let go: by closing, by dropping, whatever the collector does."""

import gc
import threading

import pytest
from memory_scenes import V, axis, config, rows, tiny_cache, written

from aesg_graph import AESGConfigError, AESGMemory, AESGMemoryError, AESGStorageError, StoreSettings
from aesg_graph.engine.registry import acquire, release
from aesg_graph.sync.lock import holder

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
