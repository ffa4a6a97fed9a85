"""The exact seed scan: the nearest keys to each query, by one matrix product over the mapped keys.

Float32 scores, a chunk of keys at a time so that they stay in the processor's cache, choose some candidates too many;
their cosines are then computed again in float64, each summed in the same order, so that an answer depends neither on
the batch that its query is in nor on how a BLAS splits its work.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numba import njit

from aesg_graph.cache.layout import NO_SLOT, Marks, Slots
from aesg_graph.concepts import NO_ID, Doubles, Floats, Ids

SPARE = 8
"""How many candidates more than asked for are kept."""
SCORES = 1 << 18
"""Scores of one chunk: 1 MB, which a core's own cache holds."""
CHUNK_OF_ONE = SCORES
SMALLEST_CHUNK, LARGEST_CHUNK = 1 << 10, 1 << 13
TILE = 256
"""So many scores are compared at once before anybody looks at one of them."""
NOISE = 1e-5
UNIT_ROUNDOFF = 2.0**-24
LOWEST = np.float32(-3.0)

Product = Callable[[Floats, Floats, Floats], None]
"""Writes keys [n, D] times queries [B, D] into scores [n, B]."""


def numpy_product(keys: Floats, queries: Floats, scores: Floats) -> None:
    """The product by numpy's BLAS. Where another one has threads of its own (torch), use that one instead: two pools
    whose idle threads wait by spinning keep each other from the processor.
    """
    if len(queries) == 1:
        np.dot(keys, queries[0], out=scores[:, 0])
    else:
        np.dot(keys, queries.T, out=scores)


class SeedScan:
    """The scan, with the memory that it reuses.

    Attributes
    ----------
    product: what multiplies keys and queries.
    """

    def __init__(self, product: Product = numpy_product) -> None:
        self.product = product
        self._scores: Floats = np.empty(0, np.float32)

    def search(
        self, keys: Floats, ids: Ids, queries: Floats, count: int, threshold: float, allowed: Marks | None
    ) -> tuple[Slots, Doubles]:
        """The ``count`` nearest of ``keys`` [S, D] for unit ``queries`` [B, D], as slots [B, count] and cosines.

        Only cosines above ``threshold``, falling, ties by ascending id; padded with NO_SLOT and 0. Slots without an id
        and those whose ``allowed`` [S] is 0 are left out.
        """
        queries = np.ascontiguousarray(queries, np.float32)
        rows, kept = len(queries), count + SPARE
        # The bound on the rounding error of a float32 dot product of unit vectors (Higham 2002, 3.1).
        noise = max(NOISE, 2 * keys.shape[1] * UNIT_ROUNDOFF)
        candidates = np.full((rows, kept), NO_SLOT, np.int32)
        scores = np.full((rows, kept), LOWEST, np.float32)
        floor = max(threshold - noise, -2.0)
        mask = np.empty(0, np.uint8) if allowed is None else allowed
        bars = np.full(rows * max(1, TILE // max(1, rows)), floor, np.float32)
        chunk = _chunk(rows)
        for first in range(0, len(keys), chunk):
            collect(self._scores_of(keys[first : first + chunk], queries), first, ids, mask, bars, candidates, scores)
        slots = np.full((rows, count), NO_SLOT, np.int32)
        cosines = np.zeros((rows, count), np.float64)
        doubtful = settle(keys, ids, queries, candidates, scores, threshold, noise, slots, cosines)
        if doubtful:
            self._widen(keys, ids, queries, mask, scores, threshold, noise, slots, cosines)
        return slots, cosines

    def _scores_of(self, part: Floats, queries: Floats) -> Floats:
        """[n, B] products; the few queries in the inner dimension is what a BLAS does best."""
        n, rows = len(part), len(queries)
        if self._scores.size < n * rows:
            self._scores = np.empty(n * rows, np.float32)
        scores = self._scores[: n * rows].reshape(n, rows)
        self.product(part, queries, scores)
        return scores

    def _widen(
        self,
        keys: Floats,
        ids: Ids,
        queries: Floats,
        mask: Marks,
        scores: Floats,
        threshold: float,
        noise: float,
        slots: Slots,
        cosines: Doubles,
    ) -> None:
        """For rows where one that was left out might belong in: look at all that come near the last place."""
        count = slots.shape[1]
        for row in np.flatnonzero(is_doubtful(scores, count, noise)):
            query = queries[row : row + 1]
            floor = np.float32(max(threshold - noise, float(scores[row, count - 1]) - 2 * noise))
            near = [
                first + np.flatnonzero(self._scores_of(keys[first : first + CHUNK_OF_ONE], query)[:, 0] > floor)
                for first in range(0, len(keys), CHUNK_OF_ONE)
            ]
            chosen = np.concatenate(near)
            chosen = chosen[ids[chosen] != NO_ID]
            if len(mask):
                chosen = chosen[mask[chosen] != 0]
            wide = chosen.astype(np.int32).reshape(1, -1)
            settle(
                keys,
                ids,
                query,
                wide,
                scores[row : row + 1, :0],
                threshold,
                noise,
                slots[row : row + 1],
                cosines[row : row + 1],
            )


def is_doubtful(scores: Floats, count: int, noise: float) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """Rows where what was dropped last may belong before the ``count``-th: [B]."""
    full = scores[:, -1] > LOWEST
    return np.asarray(full & (scores[:, -1] + np.float32(2 * noise) >= scores[:, count - 1]))


def _chunk(rows: int) -> int:
    if rows == 1:
        return CHUNK_OF_ONE
    return min(LARGEST_CHUNK, max(SMALLEST_CHUNK, SCORES // max(1, rows)))


@njit(cache=True, nogil=True)
def collect(scores: Floats, first: int, ids: Ids, mask: Marks, bars: Floats, best: Slots, best_scores: Floats) -> None:
    """Merge a chunk's ``scores`` [n, B] into the best so far [B, K], kept in falling order.

    ``bars`` is what a score must exceed, for each query, repeated as often as a tile has keys.
    """
    rows, last = scores.shape[1], best.shape[1] - 1
    flat = scores.reshape(-1)
    for begin in range(0, len(flat), len(bars)):
        tile = flat[begin : begin + len(bars)]
        # One long loop without a branch compiles to vector compares; nearly every tile ends here.
        hit = False
        for i in range(len(tile)):
            hit |= tile[i] > bars[i]
        if not hit:
            continue
        for i in range(len(tile)):
            if tile[i] <= bars[i]:
                continue
            slot, row = first + (begin + i) // rows, i % rows
            if ids[slot] < 0 or (len(mask) and mask[slot] == 0):
                continue
            place = last
            while place > 0 and best_scores[row, place - 1] < tile[i]:
                best_scores[row, place] = best_scores[row, place - 1]
                best[row, place] = best[row, place - 1]
                place -= 1
            best_scores[row, place] = tile[i]
            best[row, place] = slot
            for again in range(row, len(bars), rows):
                bars[again] = max(bars[again], best_scores[row, last])


@njit(cache=True, nogil=True)
def settle(
    keys: Floats,
    ids: Ids,
    queries: Floats,
    candidates: Slots,
    scores: Floats,
    threshold: float,
    noise: float,
    slots: Slots,
    cosines: Doubles,
) -> int:
    """Exact cosines of the candidates, and the best of them in order; returns how many rows are doubtful."""
    count, given = slots.shape[1], candidates.shape[1]
    doubtful = 0
    for row in range(len(queries)):
        filled = 0
        for c in range(given):
            slot = candidates[row, c]
            if slot < 0:
                break
            cosine = 0.0
            for d in range(keys.shape[1]):
                cosine += np.float64(keys[slot, d]) * np.float64(queries[row, d])
            if not cosine > threshold:
                continue
            place = filled
            while place > 0 and _before(cosine, ids[slot], cosines[row, place - 1], ids[slots[row, place - 1]]):
                place -= 1
            if place == count:
                continue
            if filled < count:
                filled += 1
            for i in range(filled - 1, place, -1):
                slots[row, i], cosines[row, i] = slots[row, i - 1], cosines[row, i - 1]
            slots[row, place], cosines[row, place] = slot, cosine
        if scores.shape[1] and scores[row, -1] > LOWEST and scores[row, -1] + 2 * noise >= scores[row, count - 1]:
            doubtful += 1
    return doubtful


@njit(cache=True, nogil=True)
def _before(cosine: float, concept: int, other_cosine: float, other: int) -> bool:
    return cosine > other_cosine or (cosine == other_cosine and concept < other)
