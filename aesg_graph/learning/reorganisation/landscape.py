"""A whole memory in columns, as planning sees it, and what becomes of its edges when concepts merge or split."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from aesg_graph.concepts import Doubles, Flags, Floats, Ids, Ints

Rows = npt.NDArray[np.int64]
"""Places in the columns of a landscape."""


@dataclass(frozen=True, eq=False)
class Bonds:
    """M edges between rows of a landscape."""

    sources: Rows
    targets: Rows
    types: Ints
    weights: Floats

    def __len__(self) -> int:
        return len(self.sources)

    def where(self, keep: Flags) -> Bonds:
        """Some of them."""
        return Bonds(self.sources[keep], self.targets[keep], self.types[keep], self.weights[keep])

    def followed_by(self, others: Bonds) -> Bonds:
        """These and others."""
        return Bonds(
            np.concatenate([self.sources, others.sources]),
            np.concatenate([self.targets, others.targets]),
            np.concatenate([self.types, others.types]),
            np.concatenate([self.weights, others.weights]),
        )


@dataclass(frozen=True, eq=False)
class Landscape:
    """N concepts and the edges between them. ``kinds`` are codes into ``kind_names``, keys have unit length."""

    ids: Ids
    keys: Floats
    values: Floats
    has_value: Flags
    kinds: Ints
    kind_names: tuple[str, ...]
    uses: Ints
    regions: Ints
    versions: Ints
    bonds: Bonds

    def __len__(self) -> int:
        return len(self.ids)

    def are_of_kind(self, name: str) -> Flags:
        """[N] which concepts are of a kind."""
        code = self.kind_names.index(name) if name in self.kind_names else -1
        return np.asarray(self.kinds == code)

    def degrees(self) -> Ints:
        """[N] how many edges touch each concept."""
        ends = np.concatenate([self.bonds.sources, self.bonds.targets])
        return np.bincount(ends, minlength=len(self)).astype(np.int64)

    def merged(self, into: Rows, symmetric: Flags) -> Landscape:
        """The edges as they are once every row has become the row ``into`` [N] (itself, where it does not merge).

        Parallel edges become one with the greatest weight, self-loops go. Rows that merged stay, with nothing on them.
        """
        b = self.bonds
        sources, targets = into[b.sources], into[b.targets]
        swap = symmetric[b.types] & (self.ids[sources] > self.ids[targets])
        sources, targets = np.where(swap, targets, sources), np.where(swap, sources, targets)
        order = np.lexsort((-b.weights, b.types, targets, sources))
        order = order[sources[order] != targets[order]]
        columns = sources[order], targets[order], b.types[order]
        first = np.ones(len(order), np.bool_)
        first[1:] = np.logical_or.reduce([column[1:] != column[:-1] for column in columns])
        return replace(self, bonds=Bonds(*columns, b.weights[order]).where(first))

    def with_born(
        self, ids: Ids, keys: Floats, values: Floats, has_value: Flags, kinds: Ints, versions: Ints, bonds: Bonds
    ) -> Landscape:
        """The landscape with more concepts at its end, unused and of no region, and with other edges."""
        none = np.zeros(len(ids), np.int64)
        return replace(
            self,
            ids=np.concatenate([self.ids, ids]),
            keys=np.concatenate([self.keys, keys]),
            values=np.concatenate([self.values, values]),
            has_value=np.concatenate([self.has_value, has_value]),
            kinds=np.concatenate([self.kinds, kinds]),
            uses=np.concatenate([self.uses, none]),
            regions=np.concatenate([self.regions, none - 1]),
            versions=np.concatenate([self.versions, versions]),
            bonds=bonds,
        )


@dataclass(frozen=True, eq=False)
class Arcs:
    """Edges by the row that they touch: those of row i are at ``start[i]`` to ``start[i + 1]``, twice each in all."""

    start: Rows
    others: Rows
    codes: Ints
    """The type times 2, and 1 more where the row is the edge's target and that makes a difference."""
    bonds: Rows
    """Which edge it is."""

    @classmethod
    def of(cls, count: int, bonds: Bonds, symmetric: Flags) -> Arcs:
        """The arcs of ``count`` rows."""
        owners = np.concatenate([bonds.sources, bonds.targets])
        others = np.concatenate([bonds.targets, bonds.sources])
        codes = np.concatenate([2 * bonds.types, 2 * bonds.types + ~symmetric[bonds.types]])
        order = np.argsort(owners, kind="stable")
        start = np.concatenate([[0], np.cumsum(np.bincount(owners, minlength=count))])
        which = np.tile(np.arange(len(bonds)), 2)
        return cls(start.astype(np.int64), others[order], codes[order], which[order])

    def of_row(self, row: int) -> slice:
        """Where a row's arcs are."""
        return slice(int(self.start[row]), int(self.start[row + 1]))


def unit(vectors: npt.ArrayLike) -> Doubles:
    """Vectors [..., D] at unit length, in float64; zero stays zero."""
    given = np.asarray(vectors, np.float64)
    length = np.sqrt(np.einsum("...d,...d->...", given, given))[..., None]
    return np.asarray(given / np.where(length > 0, length, 1.0))
