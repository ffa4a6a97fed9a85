"""What must hold of a cache at any time, and how it is compared with a plain memory."""

from __future__ import annotations

import numpy as np
from plain_memory import PlainMemory

from aesg_graph.cache import ConceptCache
from aesg_graph.cache.layout import FREE_SLOT, HEADS, HELD, SIZE_CLASSES, TAIL

CLOSE = {"rtol": 1e-5, "atol": 1e-6}


def audit(cache: ConceptCache) -> None:
    """Every arc mirrored, every slot found through the index, every block owned or free, exactly once."""
    cache.adjacency()
    slabs = cache._slabs
    blocks, arcs, state, count = slabs.blocks, slabs.arcs, slabs.state, slabs.slots
    ids = blocks.ids[:count]
    live = np.flatnonzero(ids >= 0)
    assert len(np.unique(ids[live])) == len(live) == cache.resident
    np.testing.assert_array_equal(cache.lookup(ids[live]), live)
    assert np.count_nonzero(slabs.table) == cache.resident
    free = np.flatnonzero(ids < 0)
    assert not slabs.keys[free].any()
    assert (blocks.degree[free] == -1).all()
    assert sorted(_chain(int(state[FREE_SLOT]), blocks.start)) == free.tolist()

    owned = [(int(blocks.start[s]), 1 << int(blocks.room[s])) for s in live if blocks.room[s]]
    unowned = [(b, 1 << c) for c in range(SIZE_CLASSES) for b in _chain(int(state[HEADS + c]), arcs.neighbour_ids)]
    assert sum(size for _, size in owned) == state[HELD]
    end = 0
    for start, size in sorted(owned + unowned):
        assert start == end
        end = start + size
    assert end == state[TAIL] <= len(arcs.arcs)

    seen: dict[tuple[int, int, int], int] = {}
    for slot in live.tolist():
        first, degree = int(blocks.start[slot]), int(blocks.degree[slot])
        assert 0 <= degree <= (1 << int(blocks.room[slot]) if blocks.room[slot] else 0)
        mine = set()
        for i in range(first, first + degree):
            neighbour, arc = int(arcs.neighbour_ids[i]), int(arcs.arcs[i])
            assert (neighbour, arc) not in mine
            mine.add((neighbour, arc))
            there = int(cache.lookup(np.array([neighbour]))[0])
            assert arcs.neighbour_slots[i] == there
            ends = (int(ids[slot]), neighbour) if arc & 1 == 0 else (neighbour, int(ids[slot]))
            name = (ends[0], arc >> 1, ends[1])
            seen[name] = seen.get(name, 0) + 1
            if there >= 0:
                back = range(int(blocks.start[there]), int(blocks.start[there]) + int(blocks.degree[there]))
                twins = [j for j in back if arcs.neighbour_ids[j] == ids[slot] and arcs.arcs[j] == arc ^ 1]
                assert len(twins) == 1
                assert arcs.weights[twins[0]] == arcs.weights[i]
                assert arcs.wear[twins[0]] == arcs.wear[i]
    assert len(seen) == cache.edge_count
    resident = set(ids[live].tolist())
    assert all(n == len({name[0], name[2]} & resident) for name, n in seen.items())


def _chain(head: int, links: np.ndarray) -> list[int]:
    found = []
    while head:
        found.append(head - 1)
        head = int(links[head - 1])
    return found


def assert_same(cache: ConceptCache, memory: PlainMemory, resident: list[int] | None = None) -> None:
    """The cache holds exactly ``resident`` (default: all) of a memory's concepts, and every edge that touches them."""
    ids = sorted(memory.concepts if resident is None else resident)
    table, found = memory.concept_table(ids), cache.read(np.array(ids, np.int64))
    assert cache.resident == len(ids)
    np.testing.assert_array_equal(found.concepts.ids, table.ids)
    assert found.concepts.kinds == table.kinds
    assert found.concepts.encoders == table.encoders
    exact = "versions created_at modified_at born_epoch touched_epoch use_frequency contradictions region_id"
    for column in exact.split():
        np.testing.assert_array_equal(getattr(found.concepts, column), getattr(table, column), column)
    np.testing.assert_allclose(found.concepts.relevance, table.relevance, rtol=1e-12)

    vectors, here = memory.vector_table(ids), cache.vectors(np.array(ids, np.int64))
    for column in ("keys", "values", "has_value", "versions"):
        np.testing.assert_array_equal(getattr(here, column), getattr(vectors, column), column)

    names = sorted(memory.touching(set(ids)))
    edges, held = memory.edge_table(names), found.edges
    order = np.lexsort((held.targets, held.types, held.sources))
    for column in ("sources", "targets", "types", "use_counts", "created_at", "touched_epoch"):
        np.testing.assert_array_equal(getattr(held, column)[order], getattr(edges, column), column)
    for column in ("weights", "confidences"):
        np.testing.assert_allclose(getattr(held, column)[order], getattr(edges, column), **CLOSE)
    assert cache.edge_count == len(names)
