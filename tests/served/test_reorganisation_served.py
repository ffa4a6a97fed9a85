"""Reorganisation on servers: by one of several processes, beside the others, killed, and put off."""

import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from aesg_graph.concepts import COUNTER_BITS
from aesg_graph.config import AESGConfig, StoreSettings
from aesg_graph.engine import reorganisation
from aesg_graph.engine.core import MemoryEngine
from aesg_graph.engine.reorganisation_afar import look
from aesg_graph.engine.reorganisation_afar import reorganise as reorganise_from_outside
from aesg_graph.errors import AESGStorageError
from aesg_graph.operations import Link, Touch
from aesg_graph.sync import failpoints
from tests.served.world import D, V, assert_cache_is_true, assert_in_step, graph_rows, teach, vectors

QUIET = AESGConfig(vector_dim=D, value_dim=V, seeds=1, max_edges_per_node=12)
COUNTER = (1 << COUNTER_BITS) - 1


@pytest.fixture(autouse=True)
def _no_failpoints():
    yield
    failpoints.clear()


def pairs(count, seed=0):
    """Directions, and as many again that are near to them."""
    first = vectors(count, seed)
    return np.concatenate([first, first + 0.03 * vectors(count, seed + 1)])


def touch(engine, ids, n=1):
    each = np.full(len(ids), n, np.int64)
    engine.write(Touch(ids, each, 0 * each, engine.recorder.epoch))


def furnish(engine):
    """Near pairs, a hub and a dense group. The ids of all, each used once."""
    ids = engine.create(pairs(20))
    hub = engine.create(vectors(1, 50))
    engine.link(np.repeat(hub, 20), ids[:20], "CAUSAL", 0.4)
    group = engine.create(np.eye(D)[0] + 0.6 * vectors(6, 60), names=["owl", *[None] * 5])
    near = [(a, b) for a in range(6) for b in range(a)]
    engine.link(group[[a for a, _ in near]], group[[b for _, b in near]], "ASSOCIATION", 0.9)
    all_ids = np.concatenate([ids, hub, group])
    touch(engine, all_ids)
    engine.flush()
    return all_ids


def uses(engine):
    rows = engine.residency.graph.page(-1, 10_000, edges=False).concepts
    return int(rows.use_frequency.sum())


def sane(engine, count):
    """Nothing lost, nothing twice: so many uses, and everything that holds rows of the memory agrees."""
    engine.flush()
    assert uses(engine) == count
    assert_in_step(engine)
    assert_cache_is_true(engine)
    assert engine.recorder.concepts == engine.residency.graph.count().concepts


def test_both_engines_are_reorganised_in_the_same_way(opened, tmp_path):
    served, embedded = opened("a", QUIET), MemoryEngine(tmp_path / "e", QUIET, StoreSettings())
    told = []
    for engine in (served, embedded):
        first = int(furnish(engine)[0]) & ~COUNTER
        done = engine.reorganise()
        assert min(done.merged, done.split, done.regions, done.abstractions) > 0
        engine.flush()
        concepts, edges = graph_rows(engine.residency.graph)
        told.append(
            (
                {id - first: row for id, row in concepts.items()},
                {(a - first, b - first, t): row for (a, b, t), row in edges.items()},
                [e["type"] for e in engine.inspector.history()][-8:],
            )
        )
    embedded.close()
    assert told[0] == told[1]
    sane(served, 47)
    labels = served.residency.vectors().labels(served.residency.graph.page(-1, 100, edges=False).concepts.ids)
    assert (labels[2] == served.residency.graph.page(-1, 100, edges=False).concepts.region_id).all()


def test_another_process_sees_it_and_answers_the_same(opened):
    first, second = opened("a", QUIET), opened("b", QUIET)
    furnish(first)
    second.refresh()
    first.reorganise()
    first.flush()
    second.refresh()
    sane(second, 47)
    queries = vectors(5, 99)
    mine, theirs = (m.recall(m.query(queries)) for m in (first, second))
    assert mine.ids.tolist() == theirs.ids.tolist()
    np.testing.assert_allclose(mine.energies, theirs.energies, rtol=1e-5)


def test_regions_change_how_energy_spreads_on_servers(opened):
    engine = opened("a", AESGConfig(vector_dim=D, seeds=1, abstraction_enabled=False, fan=0.0, top_k=D))
    ids = engine.create(np.eye(D)[:6])
    near = [(a, b) for a in range(6) for b in range(a) if a // 3 == b // 3]
    engine.link(ids[[a for a, _ in near]], ids[[b for _, b in near]], "ASSOCIATION", 0.3)
    engine.link(ids[:1], ids[3:4], "ASSOCIATION", 0.3)
    query = engine.query(np.eye(D)[:1])
    before, done, after = engine.recall(query), engine.reorganise(), engine.recall(query)
    assert done.regions == 2
    energy = [dict(zip(r.ids[0].tolist(), r.energies[0].tolist(), strict=True)) for r in (before, after)]
    a, b = int(ids[1]), int(ids[3])
    assert energy[0][a] / energy[0][b] < 0.8 * energy[1][a] / energy[1][b]


def test_only_the_one_that_has_the_lease_reorganises(opened):
    first, second = opened("a", QUIET), opened("b", QUIET)
    furnish(first)
    second.refresh()
    assert second.reorganise(dry_run=True).merged == first.reorganise(dry_run=True).merged == 20
    first.reorganise()
    with pytest.raises(AESGStorageError, match="another process has its lease"):
        second.reorganise()
    second.reorganiser.due = True
    second.reorganiser.if_due()
    assert second.reorganiser.due  # put off, silently
    first.close()
    second.refresh()
    assert second.reorganise().merged == 0
    sane(second, 47)


def test_a_lease_that_is_lost_in_the_middle_lets_nothing_more_through(opened, monkeypatch):
    """The holder was paused for so long that another took over: what it planned carries the old fence."""
    first, second = opened("a", QUIET, lease_seconds=0.5), opened("b", QUIET)
    furnish(first)
    second.refresh()
    real = reorganisation.plan

    def paused(*given):
        planned = real(*given)
        first._backend.graph.release(first.lease._fence)
        assert second.lease.hold() is not None
        monkeypatch.setattr(reorganisation, "plan", real)
        return planned

    monkeypatch.setattr(reorganisation, "plan", paused)
    first.lease._seconds = 3600.0  # it believes in its lease
    before = first.residency.graph.count()
    with pytest.raises(AESGStorageError, match=r"cut short: The lease .* was lost"):
        first.reorganise()
    assert first.residency.graph.count().concepts == before.concepts
    sane(first, 47)
    second.lease.release()
    assert first.reorganise().merged == 20  # and what was refused is not taken for done
    sane(first, 47)


def test_writers_in_another_process_lose_nothing(opened, monkeypatch):
    """Between plan and deed the other one touches, links, removes what is being merged, and does not know of it."""
    first, second = opened("a", QUIET), opened("b", QUIET)
    ids = furnish(first)
    second.refresh()
    real = reorganisation.plan

    def meddling(*given):
        planned = real(*given)
        second.remove(ids[[0, 21]])  # a survivor, a merged one
        touch(second, ids[[2, 3, 22, 23]], 5)
        second.flush()
        return planned

    monkeypatch.setattr(reorganisation, "plan", meddling)
    first.reorganise()
    touch(second, ids[24:27], 3)  # merged by now, or about to be
    second.write(Link("CAUSAL", ids[24:25], ids[25:26], np.full(1, 0.5, np.float32), np.zeros(1, np.int64), 0))
    first.flush()
    second.flush()
    first.refresh()
    second.refresh()
    for engine in (first, second):
        sane(engine, 47 - 2 + 20 + 9)
    survivors = first.residency.graph.read(ids[[2, 3]], edges=False).concepts
    assert survivors.use_frequency.tolist() == [12, 12]
    assert ids[20] in first.residency.graph.page(-1, 1000, edges=False).concepts.ids


def test_two_processes_that_teach_while_one_reorganises_again_and_again(opened):
    first, second = opened("a", QUIET, refresh_interval=0.05), opened("b", QUIET, refresh_interval=0.05)
    ids = furnish(first)
    second.refresh()
    random = np.random.default_rng(0)
    for round in range(4):
        for engine in (first, second):
            touch(engine, random.choice(ids, 10, replace=False))
            teach(engine, vectors(2, 200 + round), vectors(2, 300 + round, V))
        first.reorganise()
    for engine in (first, second, first):
        engine.flush()
        engine.refresh()
    for engine in (first, second):
        assert_in_step(engine)
        assert_cache_is_true(engine)
    taught = uses(first) - 47 - 80
    assert 0 <= taught <= 16  # a lesson touches its seed, or finds it contradicted, or is born


def environment(served):
    """The settings as another process is told of them."""
    return {
        "AESG_MEMORY": served.memory,
        "AESG_GRAPH": served.graph,
        "AESG_USER": served.user,
        "AESG_PASSWORD": served.password.get_secret_value(),
        "AESG_VECTORS": served.vectors,
        "AESG_GRPC_PORT": str(served.grpc_port or ""),
        "AESG_API_KEY": served.api_key.get_secret_value() if served.api_key else "",
    }


CHILD = """
import os, signal, sys
from pathlib import Path
import numpy as np
from aesg_graph.engine.core import MemoryEngine
from aesg_graph.settings import StoreSettings
from aesg_graph.sync import failpoints
from tests.served.test_reorganisation_served import QUIET

engine = MemoryEngine(Path(sys.argv[1]), QUIET, StoreSettings())
left = int(sys.argv[3])

def hook(step):
    global left
    left -= step == sys.argv[2]
    if left == 0:
        os.kill(os.getpid(), signal.SIGKILL)

failpoints.install(hook)
engine.reorganise()
engine.flush()
engine.close()
"""


@pytest.mark.parametrize(("step", "nth"), [(failpoints.JOURNALLED, 2), (failpoints.GRAPH_COMMITTED, 2)])
def test_a_kill_in_the_middle_leaves_whole_parts_and_the_next_run_does_the_rest(opened, served, tmp_path, step, nth):
    engine = opened("a", QUIET)
    furnish(engine)
    engine.close()
    child = subprocess.run(
        [sys.executable, "-c", CHILD, str(tmp_path / "a"), step, str(nth)],
        cwd=Path(__file__).parents[2],
        env=os.environ | environment(served) | {"OMP_NUM_THREADS": "1", "AESG_LEASE_SECONDS": "1"},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert child.returncode == -9, child.stderr
    again = opened("a", QUIET)
    sane(again, 47)
    deadline = time.monotonic() + 30
    while again.lease.hold() is None:  # the dead one's lease runs out by itself
        assert time.monotonic() < deadline
        time.sleep(0.1)
    done = again.reorganise()
    sane(again, 47)
    assert done.merged + done.abstractions < 21  # what was acknowledged before the kill was not done again
    rows = again.residency.graph.page(-1, 1000).concepts
    parents = [id for id, kind in zip(rows.ids.tolist(), rows.kinds, strict=True) if kind == "abstraction"]
    assert len(parents) == 1
    assert len(again.residency.graph.read(np.array(parents)).edges) == 6


def test_from_outside_it_is_looked_at_and_done_without_a_directory(opened, served, monkeypatch):
    engine = opened("a", QUIET)
    furnish(engine)
    engine.close()
    for name, value in environment(served).items():
        monkeypatch.setenv(name, value)
    would, _ = look(f"served:{served.memory}")
    assert (would.merged, would.abstractions) == (20, 1)
    done = reorganise_from_outside(f"served:{served.memory}")
    assert (done.merged, done.split, done.regions) == (would.merged, would.split, would.regions)
    with pytest.raises(AESGStorageError, match="no memory 'nowhere'"):
        reorganise_from_outside("served:nowhere")
    sane(opened("a", QUIET), 47)
