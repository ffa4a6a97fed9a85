"""What people see of a memory: concepts, neighbours, explanations, history, stats, and names that AESG users know."""

import logging
import pickle
import time

import numpy as np
import pytest
import torch
from memory_scenes import D, V, axis, config, rows, tiny_cache, unit, uses, written

from aesg_graph import AESGMemoryError


def test_a_concept_is_shown_with_its_vectors_and_its_life(opened):
    memory = opened()
    before = time.time()
    (id,) = memory.create(3 * rows(1), rows(1, 1, V), ["a name"], ["a text"], ["a source"], "word").tolist()
    concept = memory.concept(id)
    assert (concept.id, concept.kind, concept.name, concept.text, concept.source) == (
        id,
        "word",
        "a name",
        "a text",
        "a source",
    )
    assert np.allclose(concept.key, unit(rows(1))[0], atol=1e-6)
    assert np.allclose(concept.value, rows(1, 1, V)[0])
    assert before <= concept.created_at <= time.time()
    assert (concept.relevance, concept.use_frequency, concept.contradictions) == (1.0, 0, 0)
    assert (concept.stability, concept.age, concept.region_id) == (0.5, 0, None)
    memory.flush()
    assert memory.concept(id) == concept, "it is the same from the stores"
    memory.retrieve(rows(1)[0])
    assert memory.concept(id).use_frequency == 1
    assert memory.concept(id).relevance == 1.0, "clipped to 1"
    memory.cognitive_engine.consolidate()
    assert memory.concept(id).relevance == pytest.approx(min(1, 1.1 * 0.95))
    assert memory.concept(id).age == 1


@pytest.mark.parametrize("flushed", [False, True])
def test_annotations_show_at_once_and_none_clears(opened, flushed):
    memory = opened()
    ids = memory.create(rows(3), names=["a", "b", None])
    if flushed:
        memory.flush()
    memory.annotate(ids, names=["A", None, "C"])
    memory.annotate(ids[:1], texts=["text"])
    shown = [(memory.concept(i).name, memory.concept(i).text) for i in ids.tolist()]
    assert shown == [("A", "text"), (None, None), ("C", None)]
    memory.flush()
    assert [(memory.concept(i).name, memory.concept(i).text) for i in ids.tolist()] == shown
    memory.annotate(ids.numpy()[:1], "only one")
    assert memory.concept(int(ids[0])).name == "only one"


@pytest.mark.parametrize("flushed", [False, True])
@pytest.mark.parametrize("stores", [None, tiny_cache()], ids=["roomy", "tiny"])
def test_a_removed_concept_is_gone_at_once(opened, stores, flushed):
    memory = opened(stores=stores)
    ids = memory.create(rows(200), rows(200, 1, V))
    memory.link(ids[:1], ids[1:2], "CAUSAL")
    memory.flush()
    memory.remove(ids[:1])
    if flushed:
        memory.flush()
    for look in (memory.concept, memory.neighbors, lambda id: memory.explain(rows(1)[0], id)):
        with pytest.raises(AESGMemoryError, match=r"Concept \d+ does not exist"):
            look(int(ids[0]))
    assert memory.neighbors(int(ids[1])) == []
    assert int(ids[0]) not in memory.eval()(rows(1)).activated_nodes
    assert memory.storage.node_count == 199
    assert memory.storage.edge_count == 0


@pytest.mark.parametrize("stores", [None, tiny_cache()], ids=["roomy", "tiny"])
def test_neighbours_are_edges_strongest_first(opened, stores):
    memory = opened(stores=stores)
    ids = memory.create(rows(200), rows(200, 1, V))
    a, b, c = ids[:3].tolist()
    memory.link([a, a, c], [b, c, a], "CAUSAL", [0.2, 0.9, 0.5])
    memory.link([a], [b], "SIMILARITY")
    found = [(e.source, e.target, e.type, pytest.approx(e.weight)) for e in memory.neighbors(a)]
    assert found == [(a, c, "CAUSAL", 0.9), (a, b, "SIMILARITY", 0.5), (c, a, "CAUSAL", 0.5), (a, b, "CAUSAL", 0.2)]
    assert len(memory.neighbors(b)) == 2
    assert memory.storage.edge_count == 4


def test_linking_again_strengthens(opened):
    memory = opened()
    a, b = memory.create(rows(2)).tolist()
    for _ in range(3):
        memory.link([b], [a], "ASSOCIATION", 0.5)
    (edge,) = memory.neighbors(a)
    assert (edge.source, edge.target) == (a, b), "symmetric types run from the lower to the higher id"
    assert edge.weight == pytest.approx(1 - 0.5 * 0.9**2)
    assert edge.use_count == 2


@pytest.mark.parametrize("stores", [None, tiny_cache()], ids=["roomy", "tiny"])
def test_an_explanation_names_the_paths_and_their_shares(opened, stores):
    memory = opened(stores=stores, fan=0.0)
    a, b, c = memory.create(torch.eye(D)[:3]).tolist()
    memory.create(torch.eye(D)[3:].repeat(30, 1))
    memory.flush()
    memory.link([a, a, b], [b, c, c], "CAUSAL", [1.0, 0.5, 1.0])
    direct, around = sorted(memory.explain(axis(0), c), key=lambda path: len(path["ids"]))
    assert (direct["ids"], direct["types"], direct["energy"]) == ([a, c], ["CAUSAL"], pytest.approx(0.4))
    assert (around["ids"], around["energy"]) == ([a, b, c], pytest.approx(0.64))
    assert direct["share"] + around["share"] == pytest.approx(1.0)
    ctx = memory.retrieve(axis(0), learn=False)
    assert ctx.energies[ctx.ids == c].item() == pytest.approx(1.04)
    assert memory.explain(axis(0)[None], b)[0]["types"] == ["CAUSAL"]
    assert memory.explain(axis(5), c) == []
    assert len(memory.explain(axis(0), c, limit=1)) == 1


def test_the_history_tells_what_happened_to_whom_and_when(opened):
    memory = opened(
        consolidation_epoch_interval=1,
        survival_min_age=0,
        survival_threshold_relevance=1.0,
        survival_threshold_frequency=1,
        max_prune_fraction=0.5,
    )
    started = time.time()
    ids = memory.create(torch.eye(D)[:4], sources=["a"] * 4).tolist()
    memory.link(ids[:1], ids[1:2], "CAUSAL", 0.25)
    memory.annotate(ids[:1], ["no event"])
    memory.remove(ids[3:])
    memory.rekey(lambda sources: torch.eye(D)[4 : 4 + len(sources)], ids[:1])
    memory(torch.eye(D)[1:3])
    memory.update_topology()
    memory.update_topology()
    history = memory.history()
    told = [(e["type"], e["id1"], e["id2"]) for e in history]
    assert told == [
        *(("CREATE", i, 0) for i in ids),
        ("LINK", ids[0], ids[1]),
        ("REMOVE", ids[3], 0),
        ("REKEY", ids[0], 0),
        ("CONSOLIDATE", 1, 3),
        ("PRUNE", ids[0], 0),
        ("CONSOLIDATE", 2, 2),
    ]
    times = [e["timestamp"] for e in history]
    assert times == sorted(times)
    assert started <= times[0] <= times[-1] <= time.time()
    assert [e["val"] for e in history if e["type"] == "LINK"] == [0.25]
    assert memory.logger.get_history() == history
    assert memory.history(2) == history[-2:]
    memory.close()
    assert opened().history() == history


def test_stats_say_how_the_memory_is_doing(opened):
    memory = opened()
    ids = memory.create(rows(5), rows(5, 1, V))
    memory.link(ids[:2], ids[1:3], "CAUSAL")
    memory.eval()(rows(3))
    memory.flush()
    stats = memory.stats()
    expected = {"concepts": 5, "edges": 2, "epoch": 0, "mode": "TRAIN", "vector_dim": D, "value_dim": V}
    expected |= {"resident": 5, "complete": True, "cache_hits": 3, "cache_misses": 0, "pending_batches": 0}
    expected |= {"refused_batches": 0, "voided": 0, "births_blocked": 0, "warnings": []}
    assert {name: stats[name] for name in expected} == expected
    assert "drift" not in stats


def test_crowded_keys_are_warned_of(opened, caplog):
    memory = opened()
    memory.create(rows(20) + 5)
    with caplog.at_level(logging.WARNING, "aesg_graph"):
        stats = memory.stats()
    cosines = unit(rows(20) + 5) @ unit(rows(20) + 5).T
    assert stats["mean_cosine"] == pytest.approx((cosines.sum() - 20) / 380, rel=1e-4)
    assert any("mean cosine" in warning for warning in stats["warnings"])
    assert "centre the queries" in caplog.text
    memory.remove(memory.storage.nodes["id"][1:].copy())
    assert memory.stats()["mean_cosine"] is None


def test_blocked_births_are_counted_and_warned_of(opened):
    memory = opened(max_concepts=2)
    memory.set_mode("ONLINE")
    for number in range(4):
        memory(axis(number))
    assert memory.storage.node_count == 2
    stats = memory.stats()
    assert stats["births_blocked"] == 2
    assert any("max_concepts" in warning for warning in stats["warnings"])


def test_names_that_aesg_users_know(opened):
    memory = opened()
    assert memory.storage.node_count == memory.storage.edge_count == 0
    assert len(memory.storage.nodes) == 0
    id = memory.cognitive_engine.create_sensory_concept(axis(0).requires_grad_())
    other = memory.cognitive_engine.create_sensory_concept(axis(1).tolist())
    assert memory.storage.node_count == 2
    memory.link([id], [other], "TEMPORAL")
    assert memory.storage.edge_count == 1
    ctx = memory(axis(0)[None].repeat(2, 1))
    assert ctx.concept_vectors.shape == (4, D)
    assert ctx.activated_nodes == [id, other] * 2
    assert torch.equal(ctx.weights, ctx.energies)
    assert memory.mode.name == memory.mode.value == "TRAIN"
    assert str(memory.mode) == "MemoryMode.TRAIN"
    assert memory.vector_dim == D
    assert memory.cognitive_engine.epoch == 0
    memory.set_mode("INFERENCE")
    assert memory.cognitive_engine.create_sensory_concept(axis(2)) is None


def test_nodes_are_a_read_only_structured_array(opened):
    memory = opened()
    ids = memory.create(rows(4), rows(4, 1, V)).tolist()
    memory(rows(1))
    for _ in range(2):
        memory.cognitive_engine.consolidate()
    nodes = memory.storage.nodes
    assert nodes["id"].tolist() == ids
    assert np.allclose(nodes["vector"], unit(rows(4)), atol=1e-6)
    assert nodes["age"].tolist() == [2] * 4
    assert nodes["use_frequency"].tolist() == [uses(memory)[i][0] for i in ids]
    assert np.allclose(nodes["relevance"], [memory.concept(i).relevance for i in ids])
    assert nodes["is_active"].tolist() == [1] * 4
    assert (nodes["region_id"] == -1).all()
    with pytest.raises(ValueError, match="read-only"):
        nodes["relevance"][0] = 5
    with pytest.raises(ValueError, match="read-only"):
        nodes["vector"][0, 0] = 5


def test_an_unknown_mode_is_told_in_the_known_words(opened):
    memory = opened()
    for name in ("INVALID", "train", None, 3):
        with pytest.raises(AESGMemoryError) as caught:
            memory.set_mode(name)
        assert caught.value.message == (
            f"Invalid memory mode {name!r}. Valid modes: ['TRAIN', 'FINETUNE', 'INFERENCE', 'ONLINE']"
        )
        assert caught.value.subsystem == "memory"
    assert memory.mode.value == "TRAIN"


# -- rekey ------------------------------------------------------------------------------------------------------------


class Encoder:
    """Makes the key of source "k" out of axis k, turned by ``turn``."""

    def __init__(self, turn=0):
        self.turn, self.batches = turn, []

    def __call__(self, sources):
        self.batches.append(len(sources))
        return torch.eye(D)[[(int(s) + self.turn) % D for s in sources]].requires_grad_()


@pytest.mark.parametrize("stores", [None, tiny_cache()], ids=["roomy", "tiny"])
def test_rekeying_makes_all_keys_from_their_sources_again(opened, stores):
    memory = opened(stores=stores)
    count = 300 if stores else 6
    sources = [str(n % D) for n in range(count)]
    ids = memory.create(Encoder()(sources), rows(count, 1, V), sources=sources)
    bare = memory.create(axis(0)[None])
    memory.link(ids[:2], ids[1:3], "CAUSAL", 0.5)
    memory.retrieve(axis(1))
    before = uses(memory)
    encoder, told = Encoder(turn=2), []
    assert memory.rekey(encoder, encoder="v2", progress=lambda *at: told.append(at), batch=100) == count
    assert max(encoder.batches) <= 100
    assert sum(encoder.batches) == count
    assert told[-1] == (count + 1, count + 1)
    assert [done for done, _ in told] == sorted(done for done, _ in told)
    for again in (False, True):
        if again:
            memory.close()
            memory = opened(stores=stores)
        found = memory.retrieve(axis(3), learn=False)
        expected = {i for i, s in zip(ids.tolist(), sources, strict=True) if s == "1"}
        assert set(found.ids[: min(3, len(expected))].tolist()) <= expected
        concept = memory.concept(int(ids[1]))
        assert (concept.version, concept.encoder, concept.source) == (1, "v2", "1")
        assert np.allclose(concept.key, axis(3))
        assert np.allclose(concept.value, rows(count, 1, V)[1])
        assert [(e.source, e.target) for e in memory.neighbors(int(ids[0]))] == [(int(ids[0]), int(ids[1]))]
        assert np.allclose(memory.concept(int(bare)).key, axis(0)), "without a source it keeps its key"
        assert uses(memory) == before
    assert memory.rekey(Encoder(turn=3)) == count
    assert memory.concept(int(ids[1])).version == 2
    assert [e["val"] for e in memory.history() if e["type"] == "REKEY"] == [1.0] * count + [2.0] * count


def test_rekeying_some_leaves_the_others(opened):
    memory = opened()
    ids = memory.create(Encoder()("012"), sources=list("012"))
    assert memory.rekey(Encoder(turn=4), ids=ids[1:2]) == 1
    assert [memory.concept(i).version for i in ids.tolist()] == [0, 1, 0]
    with pytest.raises(AESGMemoryError, match="does not exist"):
        memory.rekey(Encoder(), ids=[12345])


def test_what_is_born_after_rekeying_has_the_new_version(opened):
    memory = opened()
    memory.create(Encoder()("0"), sources=["0"])
    memory.rekey(Encoder(turn=4))
    memory(axis(7))
    assert max(memory.concept(i).version for i in memory.storage.nodes["id"].tolist()) == 1
    memory.close()
    memory = opened()
    assert memory.concept(int(memory.create(axis(2)[None]))).version == 1


def test_half_learned_novelty_of_the_old_keys_is_dropped_by_rekeying(opened):
    memory = opened(novelty_birth_threshold=2)
    memory.create(Encoder()("0"), sources=["0"])
    memory(axis(5))
    memory.rekey(Encoder(turn=1))
    memory(axis(5))
    assert memory.storage.node_count == 1


def test_drift_tells_how_far_the_encoder_has_moved(opened):
    memory = opened()
    memory.create(Encoder()("0123"), sources=list("0123"))
    memory.create(rows(2))
    assert memory.stats(Encoder())["drift"] == pytest.approx(0.0, abs=1e-6)
    assert memory.stats(Encoder(turn=1))["drift"] == pytest.approx(1.0)
    memory.rekey(Encoder(turn=1))
    assert memory.stats()["drift"] == pytest.approx(0.0, abs=1e-6), "the last encoder is remembered"
    bare = opened("bare")
    bare.create(rows(2))
    assert bare.stats(Encoder())["drift"] is None


@pytest.mark.parametrize(
    ("encode", "message"),
    [
        (lambda sources: torch.eye(D)[:1], "gave 1 keys for 2 sources"),
        (lambda sources: torch.zeros(2, D), "zero vector for 'a'"),
        (lambda sources: torch.full((2, D), torch.nan), "output holds nan"),
        (lambda sources: torch.ones(2, D + 1), rf"shape \[2, {D + 1}\], expected \[N, {D}\]"),
        (lambda sources: None, "output is None"),
        ("no function", "expected a function"),
    ],
)
def test_an_encoder_that_gives_nonsense_is_refused_and_nothing_is_written(opened, encode, message):
    memory = opened()
    memory.create(torch.eye(D)[:2], sources=["a", "b"])
    before = written(memory)
    with pytest.raises(AESGMemoryError, match=message):
        memory.rekey(encode)
    assert written(memory) == before


def test_an_encoder_that_is_a_module_does_not_become_a_part_of_the_memory(opened):
    class Table(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.table = torch.nn.Embedding(4, D)

        def forward(self, sources):
            return self.table(torch.tensor([int(s) for s in sources]))

    memory = opened()
    memory.create(torch.eye(D)[:2], sources=["0", "1"])
    memory.rekey(Table())
    assert list(memory.modules()) == [memory]
    assert list(memory.state_dict()) == ["_extra_state"]
    assert memory.stats()["drift"] == pytest.approx(0.0, abs=1e-6)
    memory.rekey(lambda sources: torch.eye(D)[: len(sources)])
    twin = pickle.loads(pickle.dumps(memory))
    assert "drift" not in twin.stats()
    twin.close()


@pytest.mark.parametrize("batch", [0, -1, 1.5, True])
def test_rekeying_takes_whole_batches(opened, batch):
    with pytest.raises(AESGMemoryError, match=r"batch is .* expected a whole number"):
        opened().rekey(Encoder(), batch=batch)


def test_relation_types_of_ones_own(opened):
    given = config(relations={"RHYMES_WITH": (0.5, 0.5)}, fan=0.0)
    memory = opened(given=given)
    a, b = memory.create(torch.eye(D)[:2]).tolist()
    memory.link([b], [a], "RHYMES_WITH", 1.0)
    assert [(e.source, e.target, e.type) for e in memory.neighbors(a)] == [(b, a, "RHYMES_WITH")]
    assert memory.retrieve(axis(0), learn=False).energies.tolist() == pytest.approx([1.0 + 0.4 * 0.4, 0.4 + 0.4**3])
    memory.close()
    assert opened(given=given).neighbors(a)[0].type == "RHYMES_WITH"
