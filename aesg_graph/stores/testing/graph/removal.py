# ruff: noqa: D102 - a test says in its name what it shows
"""How concepts go: removed and pruned, and what their tombstones are good for."""

from __future__ import annotations

import numpy as np
import pytest

from aesg_graph.concepts import NO_ID
from aesg_graph.operations import Merge, Prune, Remove
from aesg_graph.stores.abc import GraphStore
from aesg_graph.stores.testing.graph.building import BIRTHDAY, LIMITS, Scribe, edges, link, row, rows, touch

FOREVER = BIRTHDAY + 1e6


class RemovalTests:
    """Removing, pruning, forgetting."""

    def test_what_is_removed_leaves_a_tombstone_and_no_dangling_edge(self, store: GraphStore) -> None:
        scribe = Scribe(store)
        a, b, c, d = scribe.create(4).tolist()
        scribe.write(link([(a, b), (b, c), (c, a), (c, d)]), link([(a, b)], type="SIMILARITY"))
        outcome = scribe.write(Remove(np.array([b, b])))
        assert outcome.status == "applied"
        assert sorted(rows(store, [a, b, c, d])) == [a, c, d]
        assert sorted(key[:2] for key in edges(store, [a, b, c, d])) == sorted([(c, a), (c, d)])
        tombs = store.tombstones(np.array([a, b, c]))
        assert (tombs.ids.tolist(), tombs.into.tolist()) == ([b], [NO_ID])
        assert (tombs.writers.tolist(), tombs.sequences.tolist()) == ([scribe.state.id], [3])
        assert tombs.vector_removed.tolist() == [False]
        dates = {id: r.modified_at - BIRTHDAY for id, r in rows(store, [a, c, d]).items()}
        assert dates == {a: 3, c: 3, d: 2}  # neighbours of the removed have changed, the other has not
        counts = store.count()
        assert (counts.concepts, counts.edges, counts.tombstones) == (3, 2, 1)
        assert b not in store.weakest(10)[0]
        assert b not in store.due(1000, 10)

    def test_removing_what_is_gone_is_no_error(self, store: GraphStore) -> None:
        scribe = Scribe(store)
        a, b = scribe.create(2).tolist()
        scribe.write(Remove(np.array([a])))
        scribe.write(Remove(np.concatenate([[a, b], scribe.fresh(1)])))
        assert store.tombstones(np.array([a, b])).sequences.tolist() == [2, 3]
        assert store.count().tombstones == 2

    def test_pruning_tests_again_whether_a_concept_is_due(self, store: GraphStore) -> None:
        scribe = Scribe(store)
        ids = scribe.create(3)
        epoch = next(e for e in range(100) if store.due(e, 1).size)
        planned = store.due(epoch, 10)
        assert planned.tolist() == ids.tolist()
        scribe.write(touch(ids[:1], 2, epoch=epoch), touch(ids[1:2], LIMITS.survival_threshold_frequency))
        outcome = scribe.write(Prune(planned, epoch=epoch))
        assert outcome.declined.tolist() == ids[:2].tolist()
        assert sorted(rows(store, ids)) == ids[:2].tolist()

    def test_pruning_for_capacity_spares_what_was_used_since(self, store: GraphStore) -> None:
        scribe = Scribe(store)
        ids = scribe.create(4)
        scribe.write(touch(ids[:2], 1))
        planned, fades = store.weakest(3)
        assert planned.tolist() == ids[[2, 3, 0]].tolist()
        scribe.write(touch(ids[3:], 1))
        outcome = scribe.write(Prune(planned, fades_at=fades))
        assert outcome.declined.tolist() == [ids[3]]
        assert sorted(rows(store, ids)) == ids[[1, 3]].tolist()

    def test_touches_and_links_of_the_removed_are_void(self, store: GraphStore) -> None:
        scribe = Scribe(store)
        a, b, gone = scribe.create(3).tolist()
        scribe.write(Remove(np.array([gone])))
        used = scribe.write(touch([a, gone]))
        assert (used.voided, used.declined.tolist()) == (1, [gone])
        linked = scribe.write(link([(gone, b), (a, b)]))
        assert linked.voided == 1
        assert gone in linked.declined
        assert row(store, a).use_frequency == 1
        assert sorted(rows(store, [a, b, gone])) == [a, b]
        assert len(edges(store, [a, b])) == 1

    def test_touches_and_links_of_the_merged_reach_what_they_became(self, store: GraphStore) -> None:
        scribe = Scribe(store)
        a, b, c, d = scribe.create(4).tolist()
        scribe.write(Merge(np.array([b]), np.array([a])))
        scribe.write(Merge(np.array([c]), np.array([b])))
        used = scribe.write(touch([a, b, c], [1, 2, 4]))
        assert row(store, c).use_frequency == 7
        assert (used.voided, used.declined.tolist()) == (0, [a, b, c])
        linked = scribe.write(link([(a, d), (b, c)]))
        assert list(edges(store, [c])) == [(c, d, "CAUSAL")]
        assert linked.voided == 1  # b and c are the same by now
        assert {a, b, c} <= set(linked.declined.tolist())

    def test_a_chain_of_merges_that_ends_in_a_removal_is_void(self, store: GraphStore) -> None:
        scribe = Scribe(store)
        a, b, c = scribe.create(3).tolist()
        scribe.write(Merge(np.array([b]), np.array([a])), Remove(np.array([b])))
        outcome = scribe.write(touch([a]), link([(a, c)]), Merge(np.array([c]), np.array([a])))
        assert outcome.voided == 3
        assert row(store, c).use_frequency == 0

    def test_tombstones_know_whose_vectors_are_gone(self, store: GraphStore) -> None:
        scribe = Scribe(store)
        ids = scribe.create(4)
        scribe.write(Remove(ids))
        assert store.unswept(10).tolist() == ids.tolist()
        assert store.unswept(2).tolist() == ids[:2].tolist()
        scribe.write(vectors_removed=ids[:1])
        store.apply([], ids[1:2])
        assert store.unswept(10).tolist() == ids[2:].tolist()
        assert store.tombstones(ids).vector_removed.tolist() == [True, True, False, False]

    def test_a_tombstone_is_forgotten_when_nothing_needs_it(self, store: GraphStore) -> None:
        scribe = Scribe(store)
        ids = scribe.create(2)
        scribe.write(Remove(ids))
        assert store.forget(FOREVER) == 0  # their vectors may exist
        store.apply([], ids[:1])
        assert store.forget(FOREVER) == 0  # the sequence that removed them is not yet proved whole
        scribe.write()
        removed_at = BIRTHDAY + 2
        assert store.forget(removed_at) == 0  # not older than that
        assert store.forget(removed_at + 0.5) == 1
        assert store.tombstones(ids).ids.tolist() == ids[1:].tolist()
        assert store.forget(FOREVER) == 0

    def test_a_tombstone_stays_while_what_it_merged_into_remains(self, store: GraphStore) -> None:
        scribe = Scribe(store)
        ids = scribe.create(3)
        scribe.write(Merge(ids[1:2], ids[:1]))
        scribe.write(Merge(ids[2:], ids[1:2]), vectors_removed=ids[:1])
        scribe.write(vectors_removed=ids[1:2])
        assert store.forget(FOREVER) == 0  # the last one lives
        scribe.write(Remove(ids[2:]))
        scribe.write()
        assert store.forget(FOREVER) == 0  # its vector may exist, and so may the others' heir
        scribe.write(vectors_removed=ids[2:])
        assert store.forget(FOREVER) == 3
        assert store.count().tombstones == 0

    @pytest.mark.parametrize("first", [0, 1])
    def test_removing_many_at_once_leaves_no_edge_of_theirs(self, store: GraphStore, first: int) -> None:
        scribe = Scribe(store)
        ids = scribe.create(300)
        pairs = np.random.default_rng(first).choice(ids, (2000, 2)).tolist()
        scribe.write(link(pairs, type="ASSOCIATION"), link(pairs, type="PRECEDES"))
        scribe.write(Remove(ids[first::2]))
        kept = np.setdiff1d(ids, ids[first::2])
        left = edges(store, ids)
        assert {end for key in left for end in key[:2]} <= set(kept.tolist())
        assert len(left) == store.count().edges > 0
        assert store.count().tombstones == 150
