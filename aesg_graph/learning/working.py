"""Working memory: what a process remembers between calls and has not yet made a lesson of.

It is the process's own. The engine writes it on ``save()``, ``close()`` and checkpoints; a crash loses it, and with it
at most the hits of concepts that were not yet born.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from aesg_graph.concepts import CONCEPT
from aesg_graph.errors import AESGStorageError
from aesg_graph.learning.buffer import NoveltyBuffer
from aesg_graph.learning.coactivation import PAIR_LIMIT, CoActivations

FORMAT = 1

# name: (kind of dtype, dimensions) of everything that to_arrays writes
COLUMNS: dict[str, tuple[str, int]] = {
    "format": ("i", 0),
    "calls": ("i", 0),
    "buffer_keys": ("f", 2),
    "buffer_values": ("f", 2),
    "buffer_has_value": ("b", 1),
    "buffer_hits": ("i", 1),
    "buffer_kinds": ("U", 1),
    "pairs": ("i", 2),
    "pair_counts": ("i", 1),
    "sequence_tags": ("i", 1),
    "sequence_concepts": ("i", 1),
}


class WorkingMemory:
    """The novelty buffer, co-activation counts, positions in sequences, and the count of calls.

    Attributes
    ----------
    previous: for each open sequence the concept born or most active last in it.
    calls: how many times ``update_topology()`` was called.
    """

    def __init__(self, vector_dim: int, value_dim: int, novelty_buffer: int, pair_limit: int = PAIR_LIMIT) -> None:
        self.buffer = NoveltyBuffer(novelty_buffer, vector_dim, value_dim)
        self.coactivations = CoActivations(pair_limit)
        self.previous: dict[int, int] = {}
        self.calls = 0

    def reset_sequences(self) -> None:
        """End every sequence. The buffer and the counts stay."""
        self.previous.clear()

    def end_sequences(self, tags: Iterable[int]) -> None:
        """End some sequences, such as those of a ``[B, T, D]`` call; unknown tags are no error."""
        for tag in tags:
            self.previous.pop(int(tag), None)

    def clear(self) -> None:
        """Forget everything."""
        self.buffer.clear()
        self.coactivations.clear()
        self.previous.clear()
        self.calls = 0

    def to_arrays(self) -> dict[str, npt.NDArray[Any]]:
        """Everything as arrays that ``numpy.savez`` writes without pickling."""
        rows = self.buffer.oldest_first()
        pairs, counts = self.coactivations.table()
        return {
            "format": np.array(FORMAT, np.int64),
            "calls": np.array(self.calls, np.int64),
            "buffer_keys": self.buffer.keys[rows],
            "buffer_values": self.buffer.values[rows],
            "buffer_has_value": self.buffer.has_value[rows],
            "buffer_hits": self.buffer.hits[rows],
            "buffer_kinds": self.buffer.kinds[rows].astype(np.str_),
            "pairs": pairs,
            "pair_counts": counts,
            "sequence_tags": np.fromiter(self.previous.keys(), np.int64, len(self.previous)),
            "sequence_concepts": np.fromiter(self.previous.values(), np.int64, len(self.previous)),
        }

    @classmethod
    def from_arrays(
        cls,
        arrays: Mapping[str, npt.NDArray[Any]],
        vector_dim: int,
        value_dim: int,
        novelty_buffer: int,
        pair_limit: int = PAIR_LIMIT,
    ) -> WorkingMemory:
        """What :meth:`to_arrays` gave, for a memory of these dimensions. AESGStorageError for anything else.

        Where a limit has shrunk since, the oldest centroids and the least counted pairs are left out.
        """
        columns = _checked(arrays, vector_dim, value_dim)
        memory = cls(vector_dim, value_dim, novelty_buffer, pair_limit)
        memory.buffer.append(
            columns["buffer_keys"],
            columns["buffer_values"],
            columns["buffer_has_value"],
            columns["buffer_hits"],
            columns["buffer_kinds"].tolist(),
        )
        memory.coactivations.restore(columns["pairs"], columns["pair_counts"])
        memory.previous = dict(
            zip(columns["sequence_tags"].tolist(), columns["sequence_concepts"].tolist(), strict=True)
        )
        memory.calls = int(columns["calls"])
        return memory


def _checked(arrays: Mapping[str, npt.NDArray[Any]], vector_dim: int, value_dim: int) -> dict[str, npt.NDArray[Any]]:
    """The columns of a saved working memory, or AESGStorageError with the first thing that is wrong with them."""
    if "buffer_kinds" not in arrays and "buffer_hits" in arrays:  # saved before centroids had kinds
        arrays = {**arrays, "buffer_kinds": np.full(arrays["buffer_hits"].shape, CONCEPT)}
    for name, (kind, dimensions) in COLUMNS.items():
        _require(name in arrays, f"{name!r} is missing")
        column = arrays[name]
        _require(
            column.dtype.kind == kind and column.ndim == dimensions,
            f"{name!r} is {column.dtype} of {column.ndim} dimensions, expected kind {kind!r} of {dimensions}",
        )
    c = {name: arrays[name] for name in COLUMNS}
    _require(int(c["format"]) == FORMAT, f"its format is {int(c['format'])}, expected {FORMAT}")
    n, p, s = len(c["buffer_hits"]), len(c["pair_counts"]), len(c["sequence_tags"])
    for name, shape in {
        "buffer_keys": (n, vector_dim),
        "buffer_values": (n, value_dim),
        "buffer_has_value": (n,),
        "buffer_kinds": (n,),
        "pairs": (p, 2),
        "sequence_concepts": (s,),
    }.items():
        _require(c[name].shape == shape, f"{name!r} has shape {c[name].shape}, expected {shape}")
    finite = bool(np.isfinite(c["buffer_keys"]).all() and np.isfinite(c["buffer_values"]).all())
    _require(finite, "a centroid is not finite")
    _require(bool((c["buffer_hits"] >= 1).all()), "a centroid has fewer than 1 hit")
    _require(bool((c["pair_counts"] >= 1).all()), "a pair has a count below 1")
    ordered = (c["pairs"][:, 0] >= 0) & (c["pairs"][:, 0] < c["pairs"][:, 1])
    _require(bool(ordered.all()), "a pair does not run from a lower to a higher id")
    _require(bool((c["sequence_concepts"] >= 0).all()), "a sequence stands at an id below 0")
    _require(int(c["calls"]) >= 0, f"its call count is {int(c['calls'])}, expected 0 or more")
    return c


def _require(right: bool, otherwise: str) -> None:
    if not right:
        raise AESGStorageError(f"The saved working memory cannot be read: {otherwise}")
