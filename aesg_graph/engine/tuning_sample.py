"""A sample of queries, checked: which rows are taught, which are held out, what they mean."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from aesg_graph.concepts import Floats, Ids
from aesg_graph.config import AESGConfig
from aesg_graph.engine import inputs
from aesg_graph.errors import AESGConfigError, AESGMemoryError
from aesg_graph.learning.explaining import cosine
from aesg_graph.learning.tuning import divided, drawn, mean_cosine

FEWEST = 20
"""Rows that a sample must have: of fewer, what is held out says nothing."""
ONE_DIRECTION = 1e-6
"""So near to 1, the mean cosine of a sample says that all its queries are one."""


@dataclass(frozen=True, eq=False)
class Sample:
    """Queries [N, D] and perhaps their values [N, V], which rows are taught and which are held out, their mean [D]."""

    queries: Floats
    values: Floats | None
    taught: Ids
    held: Ids
    mean: Floats
    crowding: float

    @property
    def always(self) -> float | None:
        """How far the held-out values agree with the mean of the taught ones; None without values."""
        if self.values is None:
            return None
        mean = self.values[self.taught].mean(axis=0, dtype=np.float64)
        return float(np.maximum(cosine(self.values[self.held], mean), 0.0).mean())

    def rows(self, which: Ids, centred: bool) -> tuple[Floats, Floats | None]:
        """Some of the queries, centred or not, and their values."""
        queries = self.queries[which]
        return queries - self.mean if centred else queries, None if self.values is None else self.values[which]


def checked_sample(queries: Any, values: Any, labels: Any, config: AESGConfig | None, most: int) -> Sample:
    """A checked sample, and what is to be known of it before anything is tried."""
    checked = inputs.rows(queries, _width(queries, "sample", None if config is None else config.vector_dim), "sample")
    if len(checked) < FEWEST:
        raise AESGMemoryError(f"sample has {len(checked)} rows, expected at least {FEWEST}")
    if values is not None and labels is not None:
        raise AESGMemoryError("values and labels were both given, expected one of them or none")
    taken = drawn(len(checked), whole_number(most, "most", FEWEST))
    meant: Floats | None = None
    if labels is not None:
        meant = _one_hot(labels, len(checked), taken, 0 if config is None else config.value_dim)
    elif values is not None:
        meant = inputs.rows(values, _width(values, "values", None), "values")
        if len(meant) != len(checked):
            raise AESGMemoryError(f"values has {len(meant)} rows, expected {len(checked)}, one for each of the sample")
        meant = meant[taken]
    checked = checked[taken]
    unit, zero = inputs.unit_rows(checked)
    if np.count_nonzero(~zero) < 2 or (crowding := mean_cosine(unit[~zero])) > 1.0 - ONE_DIRECTION:
        raise AESGMemoryError("sample holds one query again and again (or zeros), expected queries that differ")
    mean = checked.mean(axis=0, dtype=np.float64).astype(np.float32)
    return Sample(checked, meant, *divided(len(checked)), mean, crowding)


def _width(array: Any, what: str, expected: int | None) -> int:
    """How wide an array's rows are: as they should be, or as they are."""
    try:
        shape: tuple[int, ...] = np.shape(array) if isinstance(array, Sequence) else getattr(array, "shape", ())
    except ValueError as error:
        raise AESGMemoryError(f"{what} is not a regular array ({error}), expected [N, {expected or 'D'}]") from error
    if len(shape) != 2 or shape[1] == 0:
        raise AESGMemoryError(f"{what} has shape {list(shape)}, expected [N, {expected or 'D'}]")
    return int(shape[1]) if expected is None else expected


def _one_hot(labels: Any, count: int, taken: Ids, least: int) -> Floats:
    """The taken ones of labels [count] as one-hot values: a column for each label that there is, at least so many."""
    try:
        given = np.asarray(labels)
    except ValueError as error:
        raise AESGMemoryError(f"labels is not a regular array ({error}), expected integers or texts") from error
    if given.shape != (count,) or given.dtype.kind not in "iubU":
        raise AESGMemoryError(
            f"labels has shape {list(given.shape)} of {given.dtype}, expected [{count}] integers or texts"
        )
    names, which = np.unique(given, return_inverse=True)
    if len(names) == count:
        raise AESGMemoryError(f"labels holds {count} different ones in {count} rows, expected labels that repeat")
    return np.asarray(which[taken, None] == np.arange(max(len(names), least)), np.float32)


def whole_number(given: Any, what: str, least: int) -> int:
    """``given``, or AESGConfigError if it is no whole number or too small."""
    if isinstance(given, bool) or not isinstance(given, int | np.integer) or given < least:
        raise AESGConfigError(f"{what} is {given!r}, expected a whole number of at least {least}")
    return int(given)
