# ruff: noqa: D102 - a test says in its name what it shows
"""How concepts are born, used, described and found, and in which order they fade."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from aesg_graph.aging import NEVER, Thresholds, current, expires_epoch, fades_at
from aesg_graph.concepts import NO_REGION
from aesg_graph.operations import Advance, Describe, Regions, Remove
from aesg_graph.stores.abc import GraphStore
from aesg_graph.stores.testing.graph.building import (
    BIRTHDAY,
    HEAD,
    LIMITS,
    Reopen,
    Row,
    Scribe,
    create,
    link,
    rekey,
    row,
    rows,
    touch,
)


class ConceptTests:
    """Births, touches, descriptions, reading and searching."""

    def test_the_head_is_what_the_memory_was_made_with(self, store: GraphStore, reopen: Reopen) -> None:
        assert store.head() == HEAD
        assert reopen(store).head() == HEAD

    def test_a_newborn_has_relevance_one_and_no_uses(self, store: GraphStore) -> None:
        scribe = Scribe(store)
        (a,) = scribe.fresh(1).tolist()
        op = replace(
            create([a], "digit", 4, names=["seven"]), texts=("7 \x00 '\"%",), sources=(None,), encoder="raw", version=2
        )
        scribe.write(op)
        at = BIRTHDAY + 1
        assert row(store, a) == Row("digit", "seven", "7 \x00 '\"%", None, "raw", 2, at, at, 4, 4, 1.0, 0, 0, NO_REGION)

    def test_uses_and_contradictions_add_up(self, store: GraphStore) -> None:
        scribe = Scribe(store)
        a, b = scribe.create(2).tolist()
        scribe.write(touch([a, b], [2, 0], [0, 1], epoch=0))
        scribe.write(touch([a], 1, epoch=2))
        first, second = row(store, a), row(store, b)
        assert first.relevance == pytest.approx(1.2 * LIMITS.relevance_decay**2 + 0.1)
        assert (first.touched_epoch, first.use_frequency, first.contradictions) == (2, 3, 0)
        assert (second.relevance, second.use_frequency, second.contradictions) == (1.0, 0, 1)

    def test_a_concept_named_twice_in_a_touch_gets_both(self, store: GraphStore) -> None:
        scribe = Scribe(store)
        a, b = scribe.create(2).tolist()
        scribe.write(touch([a, b, a], [1, 5, 2], [1, 0, 1]))
        both = row(store, a)
        assert both.relevance == pytest.approx(1.3)
        assert (both.use_frequency, both.contradictions) == (3, 2)
        assert row(store, b).use_frequency == 5

    def test_a_late_touch_equals_a_timely_one(self, store: GraphStore) -> None:
        scribe = Scribe(store)
        timely, late = scribe.create(2).tolist()
        scribe.write(touch([timely], 2, epoch=1), touch([timely], 1, epoch=6))
        scribe.write(touch([late], 1, epoch=6), touch([late], 2, epoch=1))
        assert row(store, late).relevance == pytest.approx(row(store, timely).relevance, rel=1e-12)
        assert row(store, late).touched_epoch == 6
        assert store.due(60, 1).size + store.due(60, 2).size == 3

    def test_names_and_texts_change_only_where_they_are_given(self, store: GraphStore) -> None:
        scribe = Scribe(store)
        a, b, gone = scribe.fresh(3).tolist()
        scribe.write(create([a, b, gone], names=["a", "b", "gone"]), Remove(np.array([gone])))
        outcome = scribe.write(Describe(np.array([a, b, gone]), None, ("text a", "text b", "x")))
        assert outcome.declined.tolist() == [gone]
        scribe.write(Describe(np.array([a]), (None,), None))
        assert [(r.name, r.text) for r in rows(store, [a, b]).values()] == [(None, "text a"), ("b", "text b")]

    def test_regions_are_set_and_unset(self, store: GraphStore) -> None:
        scribe = Scribe(store)
        a, b = scribe.create(2).tolist()
        scribe.write(Regions(np.array([a, b]), np.array([3, 9])))
        scribe.write(Regions(np.array([b]), np.array([NO_REGION])))
        assert [r.region for r in rows(store, [a, b]).values()] == [3, NO_REGION]

    def test_rekeying_never_goes_back_to_a_lower_version(self, store: GraphStore) -> None:
        scribe = Scribe(store)
        a, b = scribe.create(2).tolist()
        scribe.write(rekey([a], 5, "fifth"))
        outcome = scribe.write(rekey([a, b], 3, "third"))
        assert outcome.declined.tolist() == [a]
        assert [(r.version, r.encoder) for r in rows(store, [a, b]).values()] == [(5, "fifth"), (3, "third")]
        assert store.head().key_version == 5

    def test_many_concepts_are_read_in_one_go_in_order_and_strangers_are_skipped(self, store: GraphStore) -> None:
        scribe = Scribe(store)
        ids = scribe.create(5000)
        pairs = list(zip(ids[:-1].tolist(), ids[1:].tolist(), strict=True))
        scribe.write(link(pairs))
        shuffled = np.random.default_rng(0).permutation(np.concatenate([ids, scribe.fresh(10), ids[:3]]))
        read = store.read(shuffled)
        assert read.concepts.ids.tolist() == ids.tolist()
        assert len(read.edges) == 4999
        assert len(store.read(shuffled, edges=False).edges) == 0
        nothing = store.read(ids[:0])
        assert (len(nothing.concepts), len(nothing.edges)) == (0, 0)

    def test_pages_cover_every_concept_and_every_edge_once(self, store: GraphStore) -> None:
        scribe = Scribe(store)
        ids = np.concatenate([scribe.create(25), Scribe(store).create(25)])
        rng = np.random.default_rng(1)
        scribe.write(link(rng.choice(ids, (200, 2)).tolist(), type="PRECEDES"))
        after, seen, found = -1, [], 0
        while len((page := store.page(after, 7)).concepts):
            assert len(page.concepts) <= 7
            assert np.isin(page.edges.sources, page.concepts.ids).all()
            seen += page.concepts.ids.tolist()
            found += len(page.edges)
            after = seen[-1]
        assert seen == sorted(ids.tolist())
        assert found == store.count().edges > 0

    def test_absent_are_those_never_born_and_those_removed(self, store: GraphStore) -> None:
        scribe = Scribe(store)
        ids, strangers = scribe.create(4), scribe.fresh(2)
        scribe.write(Remove(ids[:1]))
        asked = np.concatenate([strangers, ids[::-1]])
        assert store.absent(asked).tolist() == sorted([*strangers.tolist(), int(ids[0])])
        assert store.absent(ids[:0]).size == 0

    def test_text_is_found_in_names_and_texts_whatever_the_case(self, store: GraphStore) -> None:
        scribe = Scribe(store)
        ids = scribe.fresh(5)
        scribe.write(create(ids, names=["Straßen-ÄPFEL", "50% off", "500 off", None, "a_b"]))
        scribe.write(Describe(ids[3:4], None, ("Some äpfel fell",)))
        found = {text: store.find(text, 10).tolist() for text in ("äPFEL", "50%", "_", "nowhere")}
        assert found == {"äPFEL": [ids[0], ids[3]], "50%": [ids[1]], "_": [ids[4]], "nowhere": []}
        assert store.find("off", 1).tolist() == [ids[1]]

    def test_the_due_come_weakest_first_and_ties_by_id(self, store: GraphStore) -> None:
        scribe = Scribe(store)
        ids = scribe.create(6)
        scribe.write(touch(ids[[0, 3]], 3), touch(ids[[1]], 1), touch(ids[[5]], LIMITS.survival_threshold_frequency))
        order = ids[[2, 4, 1, 0, 3, 5]].tolist()
        weakest, fades = store.weakest(10)
        assert weakest.tolist() == order
        assert fades == pytest.approx(fades_at([1, 1, 1.1, 1.3, 1.3, 1.5], 0, LIMITS))
        assert store.weakest(2)[0].tolist() == order[:2]
        newborn = int(expires_epoch(1.0, 0, 0, 0, 0, LIMITS))
        assert store.due(newborn - 1, 10).size == 0
        assert store.due(newborn, 10).tolist() == order[:2]
        assert store.due(1000, 10).tolist() == order[:5]  # the last was used often enough to stay for good
        assert store.due(1000, 3).tolist() == order[:3]

    def test_configuring_rewrites_expiry_only_when_thresholds_differ(self, store: GraphStore, reopen: Reopen) -> None:
        scribe = Scribe(store)
        ids = scribe.create(3)
        scribe.write(touch(ids[:1], 3, epoch=2), Advance(1))
        first = int(store.due(1000, 1)[0])
        other = Thresholds(0.1, 0.5, 0.2, 3, 1)
        store.configure('{"decay": 0.5}', other)
        assert store.head() == replace(HEAD, epoch=1, config='{"decay": 0.5}')
        assert int(store.due(1000, 1)[0]) == first
        assert store.due(1000, 10).tolist() == ids[1:].tolist()  # three uses are enough now
        newborn = int(expires_epoch(1.0, 0, 0, 0, 0, other))
        assert newborn != int(expires_epoch(1.0, 0, 0, 0, 0, LIMITS)) != NEVER
        store = reopen(store)
        assert store.due(newborn - 1, 10).size == 0
        assert store.due(newborn, 10).tolist() == ids[1:].tolist()
        assert row(store, int(ids[1])).relevance == 1.0
        scribe.store = store
        scribe.write(touch(ids[1:2], 1, epoch=3))
        assert row(store, int(ids[1])).relevance == pytest.approx(float(current(1.0, 0, 3, other)) + 0.1)
