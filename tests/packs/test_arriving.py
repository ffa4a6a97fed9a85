"""Taking in foreign concepts: what is kept, what is refused, and how a mode decides."""

import numpy as np
import pytest

from aesg_graph import AESGConfig, AESGMemory, AESGMemoryError
from aesg_graph.interchange.arriving import ArrivingConcepts, ArrivingEdges, arrive, born_weights, require_relations

RNG = np.random.default_rng(7)
KEYS = RNG.normal(size=(4, 3)).astype(np.float32)
UNIT = KEYS / np.linalg.norm(KEYS, axis=1, keepdims=True)


@pytest.fixture
def memory(tmp_path):
    with AESGMemory(tmp_path / "memory", AESGConfig(vector_dim=3, value_dim=2, relations={"OWNS": (1, 0)})) as memory:
        yield memory


def four(keys=KEYS, **more):
    values = np.arange(8, dtype=np.float32).reshape(4, 2)
    return ArrivingConcepts(np.array([40, 10, 30, 20]), keys, values, np.array([True, False, True, True]), **more)


def take(memory, chunk, edges=()):
    return arrive(memory.engine, len(chunk), [chunk], edges)


def test_concepts_arrive_with_all_that_was_known_of_them(memory):
    chunk = four(
        kinds=("a", "b", "a", "b"),
        names=("forty", None, "thirty", "~twenty"),
        texts=("of forty", None, None, "of twenty"),
        sources=(None, "10.txt", None, None),
        encoders=("v1", "v2", "v1", "v1"),
        uses=np.array([3, 0, 1, 0]),
        contradictions=np.array([0, 0, 2, 0]),
    )
    arrived = take(memory, chunk)
    assert arrived.old_ids.tolist() == [10, 20, 30, 40]
    ten, twenty, thirty, forty = (memory.concept(id) for id in arrived.new_ids)
    assert (ten.kind, ten.name, ten.source, ten.encoder, ten.value) == ("b", None, "10.txt", "v2", None)
    assert (twenty.name, twenty.text, twenty.name_derived) == ("~twenty", "of twenty", True)
    assert (thirty.use_frequency, thirty.contradictions, thirty.value.tolist()) == (1, 2, [4.0, 5.0])
    assert (forty.kind, forty.name, forty.text, forty.use_frequency) == ("a", "forty", "of forty", 3)
    assert np.allclose([ten.key, twenty.key, thirty.key, forty.key], UNIT[[1, 3, 2, 0]], atol=1e-6)


def test_keys_of_length_one_are_kept_to_the_last_bit(memory):
    kept = np.concatenate([memory.concept(int(i)).key[None] for i in take(memory, four()).new_ids])
    again = take(memory, four(kept[[3, 0, 2, 1]]))
    assert np.array_equal([memory.concept(int(i)).key for i in again.new_ids], kept)


def test_edges_follow_to_the_new_ids_and_the_loose_are_left_out(memory):
    sources, targets = np.array([40, 10, 30, 99]), np.array([10, 20, 30, 10])
    weights = np.array([0.9, 0.25, 0.5, 0.5], np.float32)
    edges = ArrivingEdges("OWNS", sources, targets, weights, np.array([4, 0, 0, 0]))
    arrived = take(memory, four(), [edges])
    ten, twenty, _, forty = arrived.new_ids.tolist()
    assert (arrived.edges, arrived.left_out) == (2, 2)
    found = {(e.source, e.target): (round(e.weight, 6), e.use_count) for e in memory.neighbors(ten)}
    assert found == {(forty, ten): (0.9, 4), (ten, twenty): (0.25, 0)}


@pytest.mark.parametrize("born", [0.0, 0.3, 0.5, 1.0])
@pytest.mark.parametrize("uses", [0, 1, 7, 60, 1000])
def test_what_uses_made_of_a_weight_is_kept_whole(born, uses):
    weight = np.float32(1 - (1 - born) * 0.9**uses)
    found, kept = born_weights([weight], [uses])
    assert kept[0] == uses
    assert np.isclose(1 - (1 - float(found[0])) * 0.9 ** kept[0], weight, rtol=0, atol=1e-7)


def test_a_weight_that_so_many_uses_would_exceed_keeps_what_can_have_led_to_it():
    found, kept = born_weights([0.5, 0.0], [100, 3])
    assert kept.tolist() == [6, 0]
    assert np.isclose(1 - (1 - float(found[0])) * 0.9**6, 0.5)
    assert found[1] == 0.0


def test_unknown_types_of_edges_are_all_named(memory):
    require_relations(memory.engine, ["OWNS", "CAUSAL"])
    with pytest.raises(AESGMemoryError, match="BITES, EATS"):
        require_relations(memory.engine, ["EATS", "OWNS", "BITES"])


def test_nothing_arrives_where_the_mode_forbids_births(memory):
    memory.set_mode("INFERENCE")
    assert len(take(memory, four())) == memory.storage.node_count == 0


def test_nothing_arrives_where_there_is_no_room_for_all(tmp_path):
    with AESGMemory(
        tmp_path / "m", AESGConfig(vector_dim=3, value_dim=2, max_concepts=3, memory_mode="ONLINE")
    ) as full:
        assert len(take(full, four())) == full.storage.node_count == 0
        assert full.stats()["births_blocked"] == 4


@pytest.mark.parametrize(
    ("chunk", "said"),
    [
        (four(KEYS * [[1], [0], [1], [1]]), "row 1 is a zero vector"),
        (four(KEYS * np.inf), "finite"),
        (four(KEYS[:, :2]), r"expected \[N, 3\]"),
        (four(names=("one",)), "names has 1 entries, expected 4"),
        (four(kinds=""), "kind is ''"),
        (four(uses=np.array([0, -1, 0, 0])), "-1 times"),
    ],
)
def test_a_bad_chunk_is_refused_whole(memory, chunk, said):
    with np.errstate(invalid="ignore"), pytest.raises(AESGMemoryError, match=said):
        take(memory, chunk)
    assert memory.storage.node_count == 0


def test_inside_a_step_it_is_refused(memory):
    with pytest.raises(AESGMemoryError, match="inside a step"), memory.step():
        take(memory, four())


def test_a_memory_without_values_takes_concepts_that_have_none(tmp_path):
    with AESGMemory(tmp_path / "m", AESGConfig(vector_dim=3)) as memory:
        bare = ArrivingConcepts(np.arange(4), KEYS, np.empty((4, 0), np.float32), np.zeros(4, bool))
        assert len(take(memory, bare)) == 4
        with pytest.raises(AESGMemoryError, match="value_dim=0"):
            take(memory, four())
