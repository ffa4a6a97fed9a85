"""What callers may pass in, checked before anything is written: each check returns clean arrays or raises.

Every message says what was given and what is expected.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import numpy.typing as npt

from aesg_graph.concepts import Flags, Floats, Ids, Texts
from aesg_graph.errors import AESGMemoryError, AESGNavigationError

MAX_TEXT = 65_536
MAX_KIND = 128
ROWS_AT_ONCE = 1024
"""Rows in one go, so that what is computed in between stays in the processor's cache."""


def rows(array: Any, width: int, what: str) -> Floats:
    """``array`` as [N, width] finite float32, N at least 1."""
    checked = _numeric(array, what)
    if checked.ndim != 2 or checked.shape[1] != width:
        raise AESGMemoryError(f"{what} has shape {list(checked.shape)}, expected [N, {width}]")
    if checked.shape[0] == 0:
        raise AESGMemoryError(f"{what} is an empty batch of shape {list(checked.shape)}, expected at least one row")
    return finite(checked, what)


def _numeric(array: Any, what: str, expected: str = "numbers of shape [N, D]") -> npt.NDArray[Any]:
    if array is None or isinstance(array, str | bytes):
        raise AESGMemoryError(f"{what} is {array!r}, expected {expected}")
    try:
        checked = np.asarray(array)
    except (TypeError, ValueError, RuntimeError) as error:  # a tensor that requires gradients is a RuntimeError
        raise AESGMemoryError(f"{what} is not a regular array ({error}), expected {expected}") from error
    if checked.dtype.kind not in "fiub":
        raise AESGMemoryError(f"{what} has dtype {checked.dtype}, expected real numbers")
    return checked


def finite(array: npt.NDArray[Any], what: str) -> Floats:
    """``array`` as contiguous float32 without NaN or Inf."""
    if array.dtype == np.float32:
        converted = np.ascontiguousarray(array)
    else:
        with np.errstate(over="ignore"):
            converted = np.ascontiguousarray(array, np.float32)
    if not np.isfinite(converted).all():
        bad = np.argwhere(~np.isfinite(converted))[0].tolist()
        raise AESGMemoryError(
            f"{what} holds {converted[tuple(bad)]} at {bad} (as float32), expected finite numbers only"
        )
    return converted


def values_for(values: Any, count: int, value_dim: int, what: str = "value") -> Floats | None:
    """``values`` as [count, value_dim], or None where none were given."""
    if values is None:
        return None
    if value_dim == 0:
        raise AESGMemoryError(f"A {what} was given, but this memory has value_dim=0: expected no {what}")
    checked = rows(values, value_dim, what)
    if len(checked) != count:
        raise AESGMemoryError(f"{what} has {len(checked)} rows, expected {count}, one for each query or key")
    return checked


def unit_rows(vectors: Floats) -> tuple[Floats, Flags]:
    """Rows scaled to length 1, and which of them were zero and stay so.

    Done in float64, where even the squares of the smallest and the largest float32 numbers are exact enough.
    """
    unit, zero = np.empty(vectors.shape, np.float32), np.empty(len(vectors), np.bool_)
    for start in range(0, len(vectors), ROWS_AT_ONCE):
        part = slice(start, start + ROWS_AT_ONCE)
        wide = vectors[part].astype(np.float64)
        norms = np.sqrt(np.einsum("ij,ij->i", wide, wide))
        np.equal(norms, 0.0, out=zero[part])
        norms[zero[part]] = 1.0
        np.divide(wide, norms[:, None], out=unit[part], casting="same_kind")
    return unit, zero


def known_ids(ids: Any, what: str = "ids") -> Ids:
    """``ids`` as an int64 vector of possible ids (whether they exist is the stores' business)."""
    checked = _numeric(ids, what, "ids, integers of shape [N]")
    if checked.dtype.kind not in "iu" and checked.size:
        raise AESGMemoryError(f"{what} has dtype {checked.dtype}, expected integers")
    if checked.ndim > 1:
        raise AESGMemoryError(f"{what} has shape {list(checked.shape)}, expected [N]")
    flat = checked.reshape(-1)
    if flat.dtype.kind == "u" and flat.size and int(flat.max()) >= 1 << 63:
        raise AESGMemoryError(f"{what} holds {int(flat.max())}, expected ids below 2^63")
    flat = flat.astype(np.int64)
    if (flat < 0).any():
        raise AESGMemoryError(f"{what} holds {int(flat.min())}, expected ids of at least 0")
    return np.ascontiguousarray(flat)


def distinct_ids(ids: Any, what: str = "ids") -> Ids:
    """As :func:`known_ids`, and no id twice."""
    checked = known_ids(ids, what)
    unique, counts = np.unique(checked, return_counts=True)
    if len(unique) != len(checked):
        raise AESGMemoryError(f"{what} holds {int(unique[counts > 1][0])} more than once, expected distinct ids")
    return checked


def weights_for(weights: Any, count: int, default: float) -> Floats:
    """``weights`` as [count] float32 in [0, 1]; a single number serves all, None the default."""
    given = default if weights is None else weights
    checked = _numeric(given, "weights", "numbers in [0, 1] of shape [M]")
    if checked.ndim == 0:
        checked = np.full(count, checked)
    if checked.shape != (count,):
        raise AESGMemoryError(f"weights has shape {list(checked.shape)}, expected [{count}], one for each edge")
    converted = finite(checked, "weights")
    if ((converted < 0) | (converted > 1)).any():
        bad = converted[(converted < 0) | (converted > 1)][0]
        raise AESGMemoryError(f"weights holds {bad}, expected numbers in [0, 1]")
    return converted.copy()  # what is recorded must not change when the caller's array does


def one_id(id: Any) -> int:
    """``id`` as an int, where one concept is meant."""
    checked = known_ids(id, "id")
    if len(checked) != 1:
        raise AESGMemoryError(f"id holds {len(checked)} ids, expected one")
    return int(checked[0])


def texts_for(texts: Any, count: int, what: str, each: str = "concept") -> Texts | None:
    """``texts`` as a tuple of ``count`` strings or Nones; None where none were given."""
    if texts is None:
        return None
    if not isinstance(texts, Iterable):
        raise AESGMemoryError(f"{what} is a {type(texts).__name__}, expected a list of strings, one for each {each}")
    checked = (texts,) if isinstance(texts, str) else tuple(texts)
    if len(checked) != count:
        raise AESGMemoryError(f"{what} has {len(checked)} entries, expected {count}, one for each {each}")
    for text in checked:
        if text is not None and (not isinstance(text, str) or len(text) > MAX_TEXT):
            given = type(text).__name__ if not isinstance(text, str) else f"a string of {len(text)} characters"
            raise AESGMemoryError(f"{what} holds {given}, expected strings of at most {MAX_TEXT} characters, or None")
        if isinstance(text, str):
            _encodable(text, what)
    return checked


def kind_name(kind: Any) -> str:
    """``kind`` as a short non-empty string."""
    if not isinstance(kind, str) or not 0 < len(kind) <= MAX_KIND:
        raise AESGMemoryError(f"kind is {kind!r}, expected a string of 1 to {MAX_KIND} characters")
    _encodable(kind, "kind")
    return kind


def _encodable(text: str, what: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise AESGMemoryError(
            f"{what} holds text that is not valid Unicode ({error.reason}), expected UTF-8 text"
        ) from error


def region_filter(region: Any) -> int | None:
    """``region`` as an int, or None for no filter."""
    if region is None:
        return None
    if isinstance(region, bool) or not isinstance(region, int | np.integer) or not 0 <= region < 1 << 63:
        raise AESGNavigationError(f"region is {region!r}, expected an integer of at least 0, or None")
    return int(region)
