"""How well memory explains a query, and what it reads out: the numpy forms of DESIGN section 5.

Everything is computed in float64, so that float32 input can neither overflow nor vanish.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from aesg_graph.concepts import Doubles, Flags, Floats


def directions(vectors: npt.ArrayLike) -> Doubles:
    """[..., D] vectors as unit vectors of one dimension more, [..., D + 1].

    The dot product of two of them is their cosine. The extra dimension is 1 for a zero vector and 0 for the others,
    which makes the cosine of a zero vector 0 with any other vector and 1 with another zero vector.
    """
    given = np.asarray(vectors, np.float64)
    length = np.sqrt(np.einsum("...d,...d->...", given, given))[..., None]
    zero = length == 0.0
    unit = np.empty((*given.shape[:-1], given.shape[-1] + 1))
    np.divide(given, length + zero, out=unit[..., :-1])
    unit[..., -1:] = zero
    return unit


def cosine(a: npt.ArrayLike, b: npt.ArrayLike) -> Doubles:
    """The cosines of vectors along the last axis, the other axes broadcast; in [-1, 1].

    With a zero vector a cosine is 0, of two zero vectors 1.
    """
    return np.asarray(np.clip(np.einsum("...d,...d->...", directions(a), directions(b)), -1.0, 1.0))


def explanation(seed_cosines: npt.ArrayLike, values: npt.ArrayLike | None, readout: npt.ArrayLike | None) -> Doubles:
    """How well memory explains each of R queries, in [0, 1].

    The highest of a query's ``seed_cosines`` [R, S] (padded with NaN or anything up to 0), floored at 0; 0 where there
    are none. With ``values`` [R, V], the lesser of that and the cosine, floored at 0, of the value and what memory read
    out, ``readout`` [R, V]: surprise is novelty too.
    """
    cosines = np.asarray(seed_cosines, np.float64)
    known = np.asarray(np.clip(np.fmax.reduce(cosines, axis=1, initial=0.0), 0.0, 1.0))
    if values is None or readout is None:
        return known
    return np.asarray(np.minimum(known, np.maximum(cosine(values, readout), 0.0)))


def read_out(
    queries: Floats,
    keys: Floats,
    values: Floats | None,
    mask: Flags,
    has_value: Flags,
    stability: Doubles,
    temperature: float,
    seed_threshold: float,
) -> Floats:
    """Attention over what B queries retrieved, with one null slot: [B, V], or [B, D] where memory has no values.

    ``sum(s * exp(c / t) * v) / (exp(seed_threshold / t) + sum(s * exp(c / t)))``, with s the stability [B, K], c the
    cosine of query [B, D] and key [B, K, D], t the temperature, v the value [B, K, V]. Where memory has no values
    (``values`` is None or has no columns) a concept says its key and ``has_value`` is not looked at. Concepts without a
    value, and padding (``mask`` is not set), take no part; where nothing takes part the answer is zeros.
    """
    if values is None or values.shape[-1] == 0:
        said, speaks = keys, mask
    else:
        said, speaks = values, mask & has_value
    cosines = cosine(queries[:, None, :], keys)
    with np.errstate(divide="ignore"):
        strength = np.where(speaks, cosines / temperature + np.log(np.where(speaks, stability, 1.0)), -np.inf)
    null = seed_threshold / temperature
    highest = np.maximum(null, strength.max(axis=1, initial=-np.inf))  # so that no exponential overflows
    weights = np.exp(strength - highest[:, None])
    total = np.exp(null - highest) + weights.sum(axis=1)
    shares = weights / total[:, None]
    heard = np.where(speaks[..., None], said, 0.0)
    return np.asarray(np.einsum("bk,bkv->bv", shares, heard), np.float32)
