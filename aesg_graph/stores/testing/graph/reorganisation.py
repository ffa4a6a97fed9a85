# ruff: noqa: D102 - a test says in its name what it shows
"""What merging and splitting mean."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from aesg_graph.aging import current
from aesg_graph.concepts import NO_ID, Ids
from aesg_graph.operations import Merge, Regions, Remove, Split
from aesg_graph.stores.abc import GraphStore
from aesg_graph.stores.testing.graph.building import (
    BIRTHDAY,
    LIMITS,
    EdgeRow,
    Scribe,
    create,
    edges,
    link,
    row,
    rows,
    touch,
)


def merge(survivors: list[int], merged: list[int]) -> Merge:
    """A merge of pairs."""
    return Merge(np.array(survivors), np.array(merged))


def split(source: int, id: int, neighbours: list[int]) -> Split:
    """A split of a concept without a value."""
    wanted: Ids = np.array(neighbours, np.int64)
    return Split(source, id, np.array([0.0, 1.0], np.float32), np.empty(0, np.float32), False, wanted)


class ReorganisationTests:
    """Merging and splitting."""

    def test_the_survivor_gets_the_counts_the_relevance_and_the_earlier_birth(self, store: GraphStore) -> None:
        scribe = Scribe(store)
        (merged,), (survivor,) = scribe.create(1, epoch=1).tolist(), scribe.create(1, epoch=2).tolist()
        scribe.write(touch([survivor], 2, 1, epoch=3), touch([merged], 4, 2, epoch=5))
        before = rows(store, [merged, survivor])
        scribe.write(merge([survivor], [merged]))
        after = row(store, survivor)
        relevance = sum(float(current(r.relevance, r.touched_epoch, 5, LIMITS)) for r in before.values())
        assert after.relevance == pytest.approx(relevance)
        assert (after.born_epoch, after.touched_epoch) == (1, 5)
        assert (after.use_frequency, after.contradictions) == (6, 3)
        assert rows(store, [merged]) == {}
        tombs = store.tombstones(np.array([merged, survivor]))
        assert (tombs.ids.tolist(), tombs.into.tolist()) == ([merged], [survivor])
        assert store.weakest(10)[0].tolist() == [survivor]

    def test_edges_are_hung_over_and_parallel_ones_become_one(self, store: GraphStore) -> None:
        scribe = Scribe(store)
        m, x, s, y = scribe.create(4).tolist()
        scribe.write(link([(m, x), (s, x), (y, m), (m, s)], [0.75, 0.5, 0.25, 0.5], [1, 2, 0, 0], epoch=1))
        scribe.write(link([(m, x)], type="SIMILARITY"), link([(y, s)], 0.125, type="PRECEDES"))
        scribe.write(link([(y, m)], 0.0625, type="PRECEDES", epoch=3))
        scribe.write(merge([s], [m]))
        found = edges(store, [s, m, x, y])
        assert sorted(found) == sorted([(s, x, "CAUSAL"), (y, s, "CAUSAL"), (x, s, "SIMILARITY"), (y, s, "PRECEDES")])
        both = found[s, x, "CAUSAL"]
        assert both.weight == pytest.approx(max(1 - 0.25 * 0.9, 1 - 0.5 * 0.9**2))
        assert (both.use_count, both.confidence) == (3, 1.0)
        assert found[y, s, "PRECEDES"] == EdgeRow(0.125, 1.0, 0, BIRTHDAY + 3, 3)
        assert found[y, s, "CAUSAL"].weight == pytest.approx(0.25)
        assert all(r.modified_at == BIRTHDAY + 5 for r in rows(store, [s, x, y]).values())

    def test_merges_are_carried_out_in_order_and_follow_one_another(self, store: GraphStore) -> None:
        scribe = Scribe(store)
        a, b, c, d = scribe.create(4).tolist()
        scribe.write(touch([a, b, c, d]))
        outcome = scribe.write(merge([b, c, c, d], [a, a, b, d]))
        # a into b; then a means b, so b into c; then b means c, and c cannot merge into itself; nor can d.
        assert outcome.voided == 2
        assert {a, b, c, d} <= set(outcome.declined.tolist())
        assert sorted(rows(store, [a, b, c, d])) == [c, d]
        assert row(store, c).use_frequency == 3
        assert store.tombstones(np.array([a, b])).into.tolist() == [b, c]

    def test_merging_with_what_is_gone_is_void(self, store: GraphStore) -> None:
        scribe = Scribe(store)
        a, gone = scribe.create(2).tolist()
        scribe.write(Remove(np.array([gone])))
        outcome = scribe.write(merge([a, gone], [gone, a]))
        assert outcome.voided == 2
        assert rows(store, [a]).keys() == {a}
        assert store.tombstones(np.array([gone])).into.tolist() == [NO_ID]

    def test_a_split_gives_half_the_counts_and_the_named_edges_to_the_newborn(self, store: GraphStore) -> None:
        scribe = Scribe(store)
        hub, x, y, z, born = scribe.fresh(5).tolist()
        origin = replace(create([hub], "hub", 2, names=["hub"]), encoder="raw", version=3)
        scribe.write(origin, create([x, y, z]), touch([hub], 5, 3, epoch=4))
        scribe.write(link([(hub, x), (y, hub), (hub, z), (x, y)], 0.5, 1), link([(hub, x)], type="SIMILARITY"))
        before = row(store, hub)
        scribe.write(split(hub, born, [x, y]))
        old, new = row(store, hub), row(store, born)
        assert (old.use_frequency, old.contradictions, old.relevance) == (3, 2, before.relevance)
        assert (new.use_frequency, new.contradictions, new.relevance) == (2, 1, before.relevance)
        assert (new.kind, new.encoder, new.version, new.name) == ("hub", "raw", 3, None)
        assert (new.born_epoch, new.touched_epoch) == (2, 4)
        assert new.created_at == new.modified_at == old.modified_at == row(store, x).modified_at == BIRTHDAY + 3
        found = edges(store, [hub, x, y, z, born])
        assert sorted(found) == sorted(
            [
                (born, x, "CAUSAL"),
                (y, born, "CAUSAL"),
                (hub, z, "CAUSAL"),
                (x, y, "CAUSAL"),
                (x, born, "SIMILARITY"),
                (hub, born, "SIMILARITY"),
            ]
        )
        assert found[born, x, "CAUSAL"].use_count == 1
        assert found[hub, born, "SIMILARITY"].weight == 1.0
        assert set(store.weakest(10)[0].tolist()) >= {hub, born}

    def test_splitting_what_is_gone_is_void(self, store: GraphStore) -> None:
        scribe = Scribe(store)
        hub, x = scribe.create(2).tolist()
        (born,) = scribe.fresh(1).tolist()
        scribe.write(Remove(np.array([hub])))
        outcome = scribe.write(split(hub, born, [x]))
        assert outcome.voided == 1
        assert born in outcome.declined
        assert store.absent(np.array([born])).tolist() == [born]
        assert store.tombstones(np.array([born])).ids.size == 0

    def test_a_half_may_be_the_neighbour_of_another_half(self, store: GraphStore) -> None:
        scribe = Scribe(store)
        hub, x, y, first, second = scribe.fresh(5).tolist()
        scribe.write(create([hub, x, y]), link([(hub, x), (hub, y)]))
        scribe.write(split(hub, first, [x]))
        scribe.write(split(hub, second, [y, first]))
        assert sorted(edges(store, [hub, x, y, first, second])) == sorted(
            [(first, x, "CAUSAL"), (second, y, "CAUSAL"), (first, second, "SIMILARITY"), (hub, second, "SIMILARITY")]
        )

    def test_sorting_what_is_gone_sorts_the_others(self, store: GraphStore) -> None:
        scribe = Scribe(store)
        a, gone = scribe.create(2).tolist()
        scribe.write(Remove(np.array([gone])))
        scribe.write(Regions(np.array([a, gone]), np.array([3, 3])))
        found = store.read(np.array([a, gone]), edges=False).concepts
        assert (found.ids.tolist(), found.region_id.tolist()) == ([a], [3])

    def test_a_parent_is_born_with_its_edges_but_for_those_to_what_is_gone(self, store: GraphStore) -> None:
        scribe = Scribe(store)
        parent, a, b, gone = scribe.fresh(4).tolist()
        scribe.write(create([a, b, gone]))
        scribe.write(Remove(np.array([gone])))
        children = [(parent, a), (parent, b), (parent, gone)]
        outcome = scribe.write(create([parent], "abstraction"), link(children, [0.75, 0.5, 0.25], type="HIERARCHICAL"))
        assert outcome.voided == 1
        found = edges(store, [parent])
        assert {ends: edge.weight for ends, edge in found.items()} == {
            (parent, a, "HIERARCHICAL"): 0.75,
            (parent, b, "HIERARCHICAL"): 0.5,
        }
