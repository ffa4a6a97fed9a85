# ruff: noqa: D102 - a test says in its name what it shows
"""A writer's batches are carried out exactly once each, in order, whole or not at all."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from aesg_graph.concepts import COUNTER_BITS, MAX_WRITER
from aesg_graph.errors import AESGError, AESGStorageError
from aesg_graph.operations import Advance, Describe, Link, Merge, Operation, Prune, Regions, Remove, Split
from aesg_graph.stores.abc import GraphStore
from aesg_graph.stores.testing.graph.building import (
    BIRTHDAY,
    LIMITS,
    Reopen,
    Scribe,
    create,
    everything,
    link,
    random_operations,
    rekey,
    row,
    rows,
    touch,
)

FLOATS = np.zeros(2, np.float32)


class SequenceTests:
    """Sequences, incarnations, refusals."""

    def test_a_replayed_batch_is_skipped_and_nothing_counts_twice(self, store: GraphStore) -> None:
        scribe = Scribe(store)
        a, b = scribe.create(2).tolist()
        batch = scribe.batch(touch([a, b], 3), link([(a, b)], uses=1))
        (first,) = store.apply([batch])
        before = everything(store)
        (second,) = store.apply([batch])
        assert (first.status, second.status) == ("applied", "skipped")
        assert everything(store) == before
        assert row(store, a).use_frequency == 3

    def test_several_batches_are_carried_out_in_one_call_and_those_carried_out_before_are_skipped(
        self, store: GraphStore
    ) -> None:
        scribe = Scribe(store)
        (a,) = scribe.fresh(1).tolist()
        batches = [scribe.batch(create([a])), scribe.batch(touch([a])), scribe.batch(touch([a]))]
        store.apply(batches[:2])
        outcomes = store.apply(batches)
        assert [(o.sequence, o.status) for o in outcomes] == [(1, "skipped"), (2, "skipped"), (3, "applied")]
        assert [o.status for o in store.apply(batches[:1])] == ["skipped"]
        assert row(store, a).use_frequency == 2
        assert store.writer(scribe.state.id) == replace(scribe.state, sequence=3)

    def test_a_gap_raises_and_changes_nothing_at_all(self, store: GraphStore) -> None:
        scribe = Scribe(store)
        a, b = scribe.fresh(2).tolist()
        first, _, third = scribe.batch(create([a])), scribe.batch(), scribe.batch(create([b]))
        with pytest.raises(AESGStorageError, match=r"sequence 3.*expected 2"):
            store.apply([first, third])
        assert store.count().concepts == 0
        assert store.writer(scribe.state.id) == scribe.state

    def test_another_incarnation_raises_even_for_a_replay(self, store: GraphStore) -> None:
        scribe = Scribe(store)
        (a,) = scribe.create(1).tolist()
        stale = scribe.batch(touch([a]))
        renewed = store.renew(scribe.state.id)
        assert renewed == replace(scribe.state, incarnation=scribe.state.incarnation + 1, sequence=1)
        for batch in (stale, replace(stale, sequence=1)):
            with pytest.raises(AESGStorageError, match="incarnation"):
                store.apply([batch])
        assert row(store, a).use_frequency == 0
        (outcome,) = store.apply([replace(stale, incarnation=renewed.incarnation)])
        assert outcome.status == "applied"
        assert row(store, a).use_frequency == 1

    def test_an_unknown_writer_and_batches_of_two_writers_raise(self, store: GraphStore) -> None:
        one, two = Scribe(store), Scribe(store)
        batches = [one.batch(create(one.fresh(1))), two.batch(create(two.fresh(1)))]
        with pytest.raises(AESGStorageError, match="writer"):
            store.apply(batches)
        unknown = next(n for n in range(1, 9) if store.writer(n) is None)
        with pytest.raises(AESGStorageError, match=str(unknown)):
            store.apply([replace(batches[0], writer=unknown)])
        with pytest.raises(AESGStorageError, match=str(unknown)):
            store.renew(unknown)
        assert store.count().concepts == 0

    def test_an_empty_batch_consumes_its_sequence(self, store: GraphStore) -> None:
        scribe = Scribe(store)
        scribe.write()
        assert store.writer(scribe.state.id) == replace(scribe.state, sequence=1)
        assert store.apply([]) == []

    def test_leased_numbers_are_free_ones_and_a_taken_one_is_refused(self, store: GraphStore) -> None:
        drawn = {store.lease().id for _ in range(20)}
        assert len(drawn) == 20
        assert all(1 <= number <= MAX_WRITER for number in drawn)
        number = min(set(range(1, 30)) - drawn)
        assert store.writer(number) is None
        assert store.lease(number) == store.writer(number)
        with pytest.raises(AESGStorageError, match=str(number)):
            store.lease(number)
        with pytest.raises(AESGError, match=str(MAX_WRITER)):
            store.lease(MAX_WRITER + 1)

    def test_a_number_that_occurs_in_ids_can_be_leased_by_name(self, store: GraphStore) -> None:
        scribe = Scribe(store, 5)
        scribe.write(create([6 << COUNTER_BITS]))
        assert store.lease(6).id == 6

    def test_additions_from_two_writers_commute(self, store: GraphStore) -> None:
        one, two = Scribe(store), Scribe(store)
        a, b = one.create(1).tolist() + two.create(1).tolist()
        early, late = touch([a], 2, 1, epoch=1), touch([a], 3, 0, epoch=4)
        one.write(early)
        two.write(late)
        two.write(replace(late, ids=np.array([b])))
        one.write(replace(early, ids=np.array([b])))
        left, right = row(store, a), row(store, b)
        assert left.relevance == pytest.approx(right.relevance, rel=1e-12)
        assert (left.touched_epoch, left.use_frequency, left.contradictions) == (4, 5, 1)
        assert (right.touched_epoch, right.use_frequency, right.contradictions) == (4, 5, 1)

    def test_a_refused_batch_leaves_nothing_and_its_neighbours_are_applied(self, store: GraphStore) -> None:
        scribe = Scribe(store)
        a, b, c = scribe.fresh(3).tolist()
        batches = [
            scribe.batch(create([a])),
            scribe.batch(create([b]), touch([a], 7), link([(a, b)]), create([a])),
            scribe.batch(create([c]), touch([a])),
        ]
        outcomes = store.apply(batches)
        assert [o.status for o in outcomes] == ["applied", "refused", "applied"]
        assert str(a) in outcomes[1].reason
        assert {a, b} <= set(outcomes[1].declined.tolist())
        assert sorted(rows(store, [a, b, c])) == [a, c]
        assert row(store, a).use_frequency == 1
        assert store.count().edges == 0
        assert [o.status for o in store.apply(batches)] == ["skipped"] * 3

    @pytest.mark.parametrize(
        "case",
        [
            "taken",
            "taken before",
            "twice",
            "negative",
            "no kind",
            "names",
            "broken text",
            "type",
            "weight above",
            "weight nan",
            "targets",
            "link uses",
            "touch uses",
            "uses length",
            "texts",
            "regions",
            "keys",
            "merged",
            "split",
            "epoch",
            "prune",
            "date",
        ],
    )
    def test_bad_content_is_refused_with_a_reason(self, store: GraphStore, case: str) -> None:
        scribe = Scribe(store)
        a, b, gone = scribe.create(3).tolist()
        scribe.write(Remove(np.array([gone])))
        new = scribe.fresh(2)
        pair, ones = np.array([a, b]), np.ones(2, np.int64)
        bad: dict[str, Operation] = {
            "taken": create([new[0], a]),
            "taken before": create([new[0], gone]),
            "twice": create([new[0], new[0]]),
            "negative": create([-5]),
            "no kind": create(new, kind=""),
            "names": create(new, names=["only one"]),
            "broken text": create(new, names=["\ud800", "b"]),
            "type": link([(a, b)], type="UNHEARD_OF"),
            "weight above": link([(a, b)], 1.5),
            "weight nan": link([(a, b)], float("nan")),
            "targets": Link("CAUSAL", pair, pair[:1], FLOATS, ones, 0),
            "link uses": link([(a, b)], uses=-1),
            "touch uses": touch([a], -1),
            "uses length": replace(touch([a, b]), uses=ones[:1]),
            "texts": Describe(pair, None, ("one",)),
            "regions": Regions(pair, ones[:1]),
            "keys": replace(rekey([a, b], 2), ids=pair[:1]),
            "merged": Merge(pair, pair[:1]),
            "split": Split(a, b, FLOATS, FLOATS[:0], False, pair[:0]),
            "epoch": Advance(2),
            "prune": Prune(pair),
            "date": create(new),
        }
        before = everything(store)
        batch = scribe.batch(touch([a]), bad[case])
        if case == "date":
            batch = replace(batch, at=float("nan"))
        (outcome,) = store.apply([batch])
        assert outcome.status == "refused"
        assert outcome.reason
        assert everything(store) == before
        assert scribe.try_write(touch([a])).status == "applied"

    def test_random_batches_survive_replay_and_reopening(self, store: GraphStore, reopen: Reopen) -> None:
        rng = np.random.default_rng(7)
        scribe = Scribe(store)
        known, batches = scribe.create(20), []
        for epoch in range(5):
            fresh = scribe.fresh(5)
            batches.append(scribe.batch(*random_operations(rng, known, fresh, epoch), Advance(epoch + 1)))
            known = np.concatenate([known, fresh])
        assert {o.status for o in store.apply(batches)} == {"applied"}
        before, head, counts = everything(store), store.head(), store.count()
        tombs = store.tombstones(known).ids.tolist()
        store = reopen(store)
        assert {o.status for o in store.apply(batches)} == {"skipped"}
        assert everything(store) == before
        assert (store.head(), store.count()) == (head, counts)
        assert store.tombstones(known).ids.tolist() == tombs
        assert counts.concepts == len(before[0])
        assert counts.edges == len(before[1])
        assert store.writer(scribe.state.id) == replace(scribe.state, sequence=scribe.sequence)

    def test_numbers_may_be_numpys(self, store: GraphStore) -> None:
        scribe = Scribe(store)
        a, b, c = scribe.create(3)
        one: int = np.int64(1)  # type: ignore[assignment]
        pair = np.array([a, b])
        split = Split(a, c + 1, FLOATS, FLOATS[:0], False, pair[1:])
        operations = (create([c + 2], epoch=one), link([(a, b)], epoch=one), touch([a], epoch=one), rekey([a], one))
        scribe.write(*operations, split, Prune(pair, epoch=one), Advance(one))
        assert row(store, int(c) + 2).born_epoch == store.head().epoch == 1

    def test_the_epoch_moves_by_compare_and_set(self, store: GraphStore) -> None:
        scribe = Scribe(store)
        scribe.write(Advance(1))
        assert store.head().epoch == 1
        for wrong in (0, 1, 3):
            outcome = scribe.try_write(Advance(wrong))
            assert outcome.status == "refused"
            assert "2" in outcome.reason
        scribe.write(Advance(2), Advance(3))
        assert store.head().epoch == 3

    def test_what_changes_is_dated_by_its_batch(self, store: GraphStore) -> None:
        scribe = Scribe(store)
        a, b, c = scribe.create(3).tolist()
        scribe.write(touch([a]))
        scribe.write(link([(b, c)]))
        dates = {id: r.modified_at - BIRTHDAY for id, r in rows(store, [a, b, c]).items()}
        assert dates == {a: 2, b: 3, c: 3}
        assert row(store, a).created_at == BIRTHDAY + 1

    def test_syncing_and_closing_twice_are_allowed_and_a_closed_store_refuses(self, store: GraphStore) -> None:
        Scribe(store).create(1)
        store.sync()
        store.sync()
        store.close()
        store.close()
        with pytest.raises(AESGError):
            store.count()
        with pytest.raises(AESGError):
            store.configure("{}", LIMITS)
