"""What any vector store checks before it writes or searches: shapes, ids and finite numbers.

Everything here raises AESGMemoryError, which says what was given and what was expected.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from aesg_graph.concepts import Flags, Floats, Ids, Ints
from aesg_graph.errors import AESGMemoryError
from aesg_graph.stores.abc import Points


def checked_points(points: Points, vector_dim: int, value_dim: int) -> Points:
    """``points`` with arrays of the right types; a row of ``values`` without ``has_value`` may hold anything."""
    ids = checked_ids(points.ids)
    count = len(ids)
    if len(points.kinds) != count:
        raise AESGMemoryError(f"kinds has {len(points.kinds)} entries, expected one for each of {count} ids")
    has_value = _column("has_value", points.has_value, count).astype(np.bool_)
    if value_dim == 0 and has_value.any():
        raise AESGMemoryError("A value was given, expected none: this memory's value_dim is 0")
    values = _matrix("values", points.values, count, value_dim)
    _require_finite("values", values[has_value])
    keys = checked_keys(points.keys, count, vector_dim)
    sequences = _column("sequences", points.sequences, count).astype(np.int64)
    versions = _column("versions", points.versions, count).astype(np.int64)
    return Points(ids, keys, values, has_value, points.kinds, int(points.writer), sequences, versions)


def checked_ids(ids: npt.ArrayLike) -> Ids:
    """``ids`` [N] as int64."""
    given = np.asarray(ids)
    if given.ndim != 1 or (given.size and given.dtype.kind not in "iu"):
        raise AESGMemoryError(f"ids has shape {given.shape} and dtype {given.dtype}, expected a vector of integers")
    converted = given.astype(np.int64)
    if (converted < 0).any():
        raise AESGMemoryError(f"ids holds {int(given[converted < 0][0])}, expected numbers from 0 to 2^63 - 1")
    return converted


def checked_keys(keys: npt.ArrayLike, count: int, vector_dim: int) -> Floats:
    """``keys`` [count, vector_dim] as float32; a zero vector has no direction and is refused."""
    checked = _matrix("keys", keys, count, vector_dim)
    _require_finite("keys", checked)
    zero = ~checked.any(axis=1)
    if zero.any():
        raise AESGMemoryError(f"keys holds a zero vector in row {int(zero.argmax())}, expected a direction")
    return checked


def checked_queries(queries: npt.ArrayLike, vector_dim: int) -> Floats:
    """``queries`` [B, vector_dim] as float32; a zero vector is allowed, its cosine with everything is 0."""
    given = np.asarray(queries)
    checked = _matrix("queries", given, len(given) if given.ndim else 0, vector_dim)
    _require_finite("queries", checked)
    return checked


def checked_regions(regions: npt.ArrayLike, count: int) -> Ints:
    """``regions`` [count] as int64."""
    return _column("regions", regions, count).astype(np.int64)


def checked_limit(limit: int) -> int:
    """``limit`` as a whole number of at least 0."""
    if isinstance(limit, bool) or not isinstance(limit, int | np.integer) or limit < 0:
        raise AESGMemoryError(f"limit is {limit!r}, expected a whole number of at least 0")
    return int(limit)


def _matrix(name: str, array: npt.ArrayLike, rows: int, columns: int) -> Floats:
    given = np.asarray(array)
    if given.shape != (rows, columns):
        raise AESGMemoryError(f"{name} has shape {given.shape}, expected ({rows}, {columns})")
    if given.dtype.kind not in "fiub":
        raise AESGMemoryError(f"{name} has dtype {given.dtype}, expected real numbers")
    with np.errstate(over="ignore"):
        return np.ascontiguousarray(given, np.float32)


def _column(name: str, array: npt.ArrayLike, rows: int) -> npt.NDArray[Any]:
    given = np.asarray(array)
    if given.shape != (rows,):
        raise AESGMemoryError(f"{name} has shape {given.shape}, expected ({rows},)")
    if rows and given.dtype.kind not in "iub":
        raise AESGMemoryError(f"{name} has dtype {given.dtype}, expected whole numbers or flags")
    return given


def _require_finite(name: str, array: Floats) -> None:
    finite: Flags = np.isfinite(array)
    if not finite.all():
        row = int((~finite.all(axis=1)).argmax())
        raise AESGMemoryError(
            f"{name} holds NaN or Inf (row {row} of those to be stored), expected finite float32 numbers"
        )
