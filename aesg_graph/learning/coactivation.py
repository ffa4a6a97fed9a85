"""How often concepts were seeds of the same query, until they are worth an edge."""

from __future__ import annotations

from collections import Counter
from functools import lru_cache
from itertools import compress

import numpy as np

from aesg_graph.concepts import NO_ID, Ids, Ints

PAIR_LIMIT = 1 << 18
PAIR_BYTES = 16


class CoActivations:
    """Counts of pairs of concepts, at most ``limit`` of them: when there are more, the least counted half leaves.

    Counting is what fires together wires together (Hebb 1949), delayed until it is no accident.
    """

    def __init__(self, limit: int = PAIR_LIMIT) -> None:
        self.limit = limit
        # A pair is its two int64 as 16 bytes: a third of the memory of a tuple, and Counter counts them in C.
        self._counts: Counter[bytes] = Counter()

    def __len__(self) -> int:
        return len(self._counts)

    def count(self, seeds: Ids, threshold: int) -> tuple[Ids, Ids, Ints]:
        """Count every pair of each row of ``seeds`` [R, S], padded with ``NO_ID``.

        The pairs that reached ``threshold`` (the lower ids, the higher ids) and how many times: their counts start
        again at what is left over.
        """
        seen = _pairs(seeds)
        self._counts.update(seen)
        reached = [pair for pair in dict.fromkeys(seen) if self._counts[pair] >= threshold]
        times = np.array([self._counts[pair] // threshold for pair in reached], np.int64)
        for pair in reached:
            left = self._counts[pair] % threshold
            if left:
                self._counts[pair] = left
            else:
                del self._counts[pair]
        if len(self._counts) > self.limit:
            self._drop_half()
        ids = _ids(reached)
        return np.ascontiguousarray(ids[:, 0]), np.ascontiguousarray(ids[:, 1]), times

    def table(self) -> tuple[Ids, Ints]:
        """Pairs [P, 2], the lower id first, and their counts [P]; the oldest pair first."""
        return _ids(list(self._counts)), np.fromiter(self._counts.values(), np.int64, len(self._counts))

    def restore(self, pairs: Ids, counts: Ints) -> None:
        """Replace everything by a :meth:`table`."""
        self._counts = Counter(dict(zip(_as_bytes(pairs), counts.tolist(), strict=True)))
        if len(self._counts) > self.limit:
            self._drop_half()

    def clear(self) -> None:
        """Forget every count."""
        self._counts.clear()

    def _drop_half(self) -> None:
        """Keep the ``limit // 2`` most counted pairs; of equals the younger stay: the older have had their chance."""
        counts = np.fromiter(self._counts.values(), np.int64, len(self._counts))
        stays = np.zeros(len(counts), np.bool_)
        stays[np.argsort(counts, kind="stable")[len(counts) - self.limit // 2 :]] = True
        self._counts = Counter(dict(compress(self._counts.items(), stays.tolist())))


@lru_cache(maxsize=16)
def _places(width: int) -> tuple[np.ndarray, np.ndarray]:
    return np.triu_indices(width, 1)


def _pairs(seeds: Ids) -> list[bytes]:
    """Every pair of each row, lower id first, as bytes."""
    first, second = _places(seeds.shape[1])
    a, b = seeds[:, first], seeds[:, second]
    real = (a != NO_ID) & (b != NO_ID) & (a != b)
    a, b = a[real], b[real]
    return _as_bytes(np.stack([np.minimum(a, b), np.maximum(a, b)], axis=1))


def _as_bytes(pairs: Ids) -> list[bytes]:
    whole: list[bytes] = np.ascontiguousarray(pairs, np.int64).view(f"V{PAIR_BYTES}").ravel().tolist()
    return whole


def _ids(pairs: list[bytes]) -> Ids:
    return np.frombuffer(b"".join(pairs), np.int64).reshape(-1, 2)
