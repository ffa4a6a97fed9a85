# ruff: noqa: D102 - a test says in its name what it shows
"""How edges are born, strengthened and kept in order."""

from __future__ import annotations

import numpy as np
import pytest

from aesg_graph.operations import Remove
from aesg_graph.stores.abc import GraphStore
from aesg_graph.stores.testing.graph.building import BIRTHDAY, EdgeRow, Scribe, create, edges, link

SYMMETRIC = ("SIMILARITY", "ASSOCIATION", "RHYMES_WITH")


class EdgeTests:
    """Links."""

    def test_a_new_edge_is_born_at_its_weight_and_then_used(self, store: GraphStore) -> None:
        scribe = Scribe(store)
        a, b, c = scribe.create(3).tolist()
        scribe.write(link([(a, b), (a, c)], [0.25, 0.5], [0, 2], epoch=3))
        found, at = edges(store, [a]), BIRTHDAY + 2
        assert found.keys() == {(a, b, "CAUSAL"), (a, c, "CAUSAL")}
        assert found[a, b, "CAUSAL"] == EdgeRow(0.25, 1.0, 0, at, 3)
        used = found[a, c, "CAUSAL"]
        assert used.weight == pytest.approx(1 - 0.5 * 0.9**2)
        assert (used.use_count, used.created_at, used.touched_epoch) == (2, at, 3)

    def test_an_edge_that_exists_is_used_once_more(self, store: GraphStore) -> None:
        scribe = Scribe(store)
        a, b = scribe.create(2).tolist()
        scribe.write(link([(a, b)], 0.5, 1, epoch=5))
        scribe.write(link([(a, b)], 0.9, 2, epoch=4))
        ((key, edge),) = edges(store, [b]).items()
        assert key == (a, b, "CAUSAL")
        assert edge.weight == pytest.approx(1 - 0.5 * 0.9**4)
        assert (edge.use_count, edge.touched_epoch, edge.created_at) == (4, 5, BIRTHDAY + 2)

    def test_repeated_links_coalesce_as_if_they_had_come_one_by_one(self, store: GraphStore) -> None:
        scribe = Scribe(store)
        ids = scribe.create(8)
        left, right = ids[:4], ids[4:]
        rng = np.random.default_rng(2)
        where, weights, uses = rng.integers(0, 4, (40, 2)), rng.random(40), rng.integers(0, 3, 40)
        for type in ("ASSOCIATION", "TEMPORAL"):
            scribe.write(link(left[where].tolist(), weights.tolist(), uses.tolist(), type))
            for pair, weight, k in zip(right[where].tolist(), weights.tolist(), uses.tolist(), strict=True):
                scribe.write(link([tuple(pair)], weight, k, type))
        place = {id: n for n, id in enumerate(left.tolist())} | {id: n for n, id in enumerate(right.tolist())}
        together, apart = (
            {(place[s], place[t], type): edge for (s, t, type), edge in edges(store, half).items()}
            for half in (left, right)
        )
        assert together.keys() == apart.keys()
        assert len(together) > 10
        for key, edge in together.items():
            assert edge.weight == pytest.approx(apart[key].weight, rel=1e-6)
            assert edge.use_count == apart[key].use_count

    @pytest.mark.parametrize("type", SYMMETRIC)
    def test_a_symmetric_edge_is_one_from_the_lower_to_the_higher(self, store: GraphStore, type: str) -> None:
        scribe = Scribe(store)
        a, b = scribe.create(2).tolist()
        scribe.write(link([(b, a), (a, b)], type=type))
        scribe.write(link([(b, a)], type=type))
        ((key, edge),) = edges(store, [a]).items()
        assert key == (a, b, type)
        assert edge.use_count == 2

    def test_a_directed_edge_is_another_one_backwards_and_in_another_type(self, store: GraphStore) -> None:
        scribe = Scribe(store)
        a, b = scribe.create(2).tolist()
        scribe.write(link([(b, a), (a, b)]), link([(a, b)], type="PRECEDES"), link([(a, b)], type="CONTRADICTS"))
        assert sorted(edges(store, [a])) == sorted(
            [(a, b, "CAUSAL"), (b, a, "CAUSAL"), (a, b, "PRECEDES"), (a, b, "CONTRADICTS")]
        )

    def test_a_self_loop_and_a_missing_end_are_void_and_declined(self, store: GraphStore) -> None:
        scribe = Scribe(store)
        a, b, gone = scribe.create(3).tolist()
        (stranger,) = scribe.fresh(1).tolist()
        scribe.write(Remove(np.array([gone])))
        outcome = scribe.write(link([(a, a), (a, gone), (stranger, b), (a, b)]))
        assert outcome.voided == 3
        assert {a, gone, stranger, b} >= set(outcome.declined.tolist()) >= {a, gone, stranger}
        assert list(edges(store, [a, b, gone, stranger])) == [(a, b, "CAUSAL")]

    def test_concepts_and_their_edges_may_come_in_one_batch(self, store: GraphStore) -> None:
        scribe = Scribe(store)
        a, b = scribe.fresh(2).tolist()
        scribe.write(create([a, b]), link([(a, b)]), link([(a, b)], uses=1))
        (edge,) = edges(store, [a]).values()
        assert edge.use_count == 2

    def test_reading_gives_edges_of_both_directions_once(self, store: GraphStore) -> None:
        scribe = Scribe(store)
        a, b, c, d = scribe.create(4).tolist()
        scribe.write(link([(a, b), (c, a), (c, d), (b, c)]))
        assert sorted(key[:2] for key in edges(store, [a])) == sorted([(a, b), (c, a)])
        assert len(edges(store, [a, b])) == 3
        assert len(edges(store, [a, b, c, d])) == 4

    def test_empty_operations_do_nothing(self, store: GraphStore) -> None:
        scribe = Scribe(store)
        outcome = scribe.write(link([]), create([]), Remove(np.empty(0, np.int64)))
        assert (outcome.voided, outcome.declined.size) == (0, 0)
        assert store.count().concepts == 0
