"""The exact seed scan: the nearest keys to each query, by one matrix product over the mapped keys.

Float32 scores, a chunk of keys at a time so that they stay in the processor's cache, choose some candidates too many;
their cosines are then computed again in float64, each summed in the same order, so that an answer depends neither on
the batch that its query is in nor on how a BLAS splits its work.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from aesg_graph.cache.layout import NO_SLOT, Marks, Slots
from aesg_graph.concepts import NO_ID, Doubles, Floats, Ids

SPARE = 8
"""How many candidates more than asked for are kept."""
SCORES = 1 << 18
"""Scores of one chunk: 1 MB, which a core's own cache holds."""
LARGEST_CHUNK, SMALLEST_CHUNK = 1 << 16, 1 << 10
BLOCK = 64
NOISE = 1e-5
UNIT_ROUNDOFF = 2.0**-24
LOWEST = np.float32(-3.0)


class SeedScan:
    """The scan, with the memory that it reuses."""

    def __init__(self) -> None:
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
        chunk = min(LARGEST_CHUNK, max(SMALLEST_CHUNK, SCORES // max(1, rows)))
        for first in range(0, len(keys), chunk):
            part = keys[first : first + chunk]
            collect(self._product(queries, part), first, ids, mask, floor, candidates, scores)
        slots = np.full((rows, count), NO_SLOT, np.int32)
        cosines = np.zeros((rows, count), np.float64)
        doubtful = settle(keys, ids, queries, candidates, scores, threshold, noise, slots, cosines)
        if doubtful:
            self._widen(keys, ids, queries, mask, scores, threshold, noise, slots, cosines)
        return slots, cosines

    def _product(self, queries: Floats, part: Floats) -> Floats:
        rows, width = len(queries), len(part)
        if self._scores.size < rows * width:
            self._scores = np.empty(rows * width, np.float32)
        out = self._scores[: rows * width]
        if rows == 1:
            np.dot(part, queries[0], out=out)
            return out.reshape(1, width)
        product = out.reshape(rows, width)
        np.dot(queries, part.T, out=product)
        return product

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
                first + np.flatnonzero(self._product(query, keys[first : first + LARGEST_CHUNK])[0] > floor)
                for first in range(0, len(keys), LARGEST_CHUNK)
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


@njit(cache=True, nogil=True)
def collect(scores: Floats, first: int, ids: Ids, mask: Marks, floor: float, best: Slots, best_scores: Floats) -> None:
    """Merge a chunk's ``scores`` [B, n] into the best so far [B, K], kept in falling order."""
    last = best.shape[1] - 1
    for row in range(len(scores)):
        line = scores[row]
        bar = max(floor, best_scores[row, last])
        for begin in range(0, len(line), BLOCK):
            end = min(begin + BLOCK, len(line))
            # Counting compiles to vector compares; nearly every block ends here.
            hits = 0
            for i in range(begin, end):
                hits += line[i] > bar
            if hits == 0:
                continue
            for i in range(begin, end):
                score = line[i]
                if score <= bar or ids[first + i] < 0 or (len(mask) and mask[first + i] == 0):
                    continue
                place = last
                while place > 0 and best_scores[row, place - 1] < score:
                    best_scores[row, place] = best_scores[row, place - 1]
                    best[row, place] = best[row, place - 1]
                    place -= 1
                best_scores[row, place] = score
                best[row, place] = first + i
                bar = max(floor, best_scores[row, last])


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
