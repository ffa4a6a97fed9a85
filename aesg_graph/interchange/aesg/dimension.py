"""How many numbers a vector of a `nodes.aesg` has: the file does not say, but only one number makes sense of it.

A record ends in two times, a state and small numbers. Read with a wrong dimension these fields fall on parts of
vectors, which do not look like times. So every dimension is tried on the first records.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from aesg_graph.concepts import Flags, Ints
from aesg_graph.errors import AESGMemoryError, AESGStorageError
from aesg_graph.interchange.aesg.findings import Findings
from aesg_graph.interchange.aesg.layout import ANY_BYTES, LIFE, Records, Rows, node_type, size_of, used

LARGEST = 1 << 16
"""The largest dimension that is tried."""
FIRST, SAMPLE = 16, 256
"""Records whose times are looked at for every dimension, and whole ones for those that remain."""
SAMPLED = 4 << 20
"""Bytes that a sample of large records has at most."""
EARLIEST, LATEST = 1_000_000_000, 4_000_000_000
"""Seconds since 1970 that are taken for a time: 2001 to 2096."""
MOST = 1e6
"""Relevance and stability beyond this make no sense."""
FARTHEST = 1 << 40
"""No edge has a place beyond this."""


@ANY_BYTES
def sense(rows: Rows) -> Ints:
    """[N] how many of a record's checked fields make no sense: times, state, relevance, stability, head of the list."""
    wrong = np.zeros(len(rows), np.int64)
    for time in (rows["created"], rows["modified"]):
        wrong += ~is_time(time)
    for share in (rows["relevance"], rows["stability"]):
        wrong += ~is_share(share)
    wrong += rows["active"] > 1
    wrong += (rows["head"] < -1) | (rows["head"] > FARTHEST)
    return wrong


def is_time(seconds: npt.NDArray[np.uint64]) -> Flags:
    """Which are times of this century."""
    return np.asarray((seconds >= EARLIEST) & (seconds <= LATEST))


@ANY_BYTES
def is_share(numbers: npt.NDArray[np.float32]) -> Flags:
    """Which are numbers that a relevance or a stability can be; NaN is none."""
    return np.asarray((numbers >= 0) & (numbers <= MOST))


def find_dimension(whole: Records, said: int | None, told: int | None, findings: Findings) -> int:
    """The dimension of a file's records: ``told`` by the user, ``said`` by meta.npy, or found in ``whole``, its bytes.

    AESGStorageError where none fits, several do, or another does and ``told`` does not; AESGMemoryError for ``told``
    outside 1 to 65,536.
    """
    if told is not None:
        if isinstance(told, bool) or not 1 <= told <= LARGEST:
            raise AESGMemoryError(f"vector_dim is {told!r}, expected 1 to {LARGEST}")
        _require_likely(whole, said, told)
        return told
    if said is not None and _fits(whole, said):
        return said
    fitting = _fitting(whole)
    if not fitting and not any(used(rows).size for _, rows in whole.chunks()):
        raise AESGStorageError(f"{whole.path} holds no concept: all of its {whole.count} bytes are zero")
    if len(fitting) != 1:
        found = f"vector_dim={', '.join(map(str, fitting))} would all fit" if fitting else "no vector_dim makes sense"
        raise AESGStorageError(
            f"{whole.path}: {found} of its {whole.count} bytes; say it with --vector-dim (vector_dim=)"
        )
    if said is not None:
        findings.add("meta_wrong", 1)
    return fitting[0]


def _require_likely(whole: Records, said: int | None, told: int) -> None:
    """AESGStorageError where the records make sense with another dimension and not with ``told``, or not at all."""
    share, size = _share(whole, told), node_type(told).itemsize
    fitting = _fitting(whole)
    if said is not None and said not in fitting and _fits(whole, said):
        fitting.append(said)
    several = any(size % node_type(less).itemsize == 0 for less in fitting if less < told)  # see _fitting
    if fitting and told not in fitting and (share < 0.5 or several):
        found = ", ".join(map(str, fitting))
        raise AESGStorageError(f"{whole.path} makes sense with vector_dim={found}, and vector_dim={told} was said")
    if not share > 0:
        raise AESGStorageError(f"No record of {whole.path} makes sense with vector_dim={told}, expected another")


def _fits(whole: Records, dim: int) -> bool:
    """Whether a dimension makes sense of half of the records or more."""
    return 1 <= dim <= LARGEST and _share(whole, dim) >= 0.5


def _fitting(whole: Records) -> list[int]:
    """Dimensions that make sense of half of the records or more; of those that divide the file, if any do.

    Several short records together look like a long one that ends as the last of them: then it is the short ones.
    """
    candidates = [dim for dim in _with_times(whole) if _fits(whole, dim)]
    candidates = [dim for dim in candidates if whole.count % node_type(dim).itemsize == 0] or candidates
    sizes = {dim: node_type(dim).itemsize for dim in candidates}
    return [dim for dim in candidates if not any(sizes[dim] % sizes[less] == 0 for less in candidates if less < dim)]


def _with_times(whole: Records) -> list[int]:
    """Dimensions with which one of the first records has two times where they should be."""
    head = whole.read(0, min(whole.count, FIRST * (8 + 4 * LARGEST + LIFE))).view(np.uint8)
    dims = np.arange(1, LARGEST + 1)
    fits = np.zeros(len(dims), np.bool_)
    for row in range(FIRST):
        at = row * (8 + 4 * dims + LIFE) + 8 + 4 * dims
        inside = np.flatnonzero(at + 16 <= len(head))
        times = head[at[inside, None] + np.arange(16)].view("<u8")
        fits[inside] |= is_time(times).all(axis=1)
    found: list[int] = dims[fits].tolist()
    return found


def _share(whole: Records, dim: int) -> float:
    """The share of the first records that make sense with this dimension, all-zero ones aside."""
    type = node_type(dim)
    count = min(SAMPLE, max(FIRST, SAMPLED // type.itemsize), size_of(whole.path) // type.itemsize)
    rows = Records(whole.path, type, 0, count).read(0, count)
    rows = rows[used(rows)]
    return float((sense(rows) == 0).mean()) if len(rows) else 0.0
