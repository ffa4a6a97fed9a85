"""What one call's rows asked and were answered: all that learning needs to know of it."""

from __future__ import annotations

from dataclasses import dataclass

from aesg_graph.concepts import CONCEPT, Doubles, Floats, Ids, Texts
from aesg_graph.errors import AESGMemoryError


@dataclass(frozen=True, eq=False)
class Lesson:
    """R rows of one call, flattened, with what learning needs of their answers; S is how many seeds a row may have.

    Attributes
    ----------
    queries: float32 [R, D], unit rows. A zero row is a zero query: it is never stored and teaches nothing.
    values: float32 [R, V], what the queries mean; None if they came without.
    seed_ids: int64 [R, S], in falling cosine, padded with ``NO_ID``.
    seed_cosines: float64 [R, S], of query and seed.
    seed_keys: float32 [R, S, D].
    seed_agreement: float64 [R, S], cosine of a seed's own value and the row's; NaN where either has none.
    explanation: float64 [R], as answered, the agreement of value and read-out included.
    strongest: int64 [R], the most active concept of the answer, ``NO_ID`` if there is none.
    sequence: int64 [R], which sequence a row belongs to, -1 for none; rows of one sequence are in order.
    sources: where each row came from, if known.
    kind: of the concepts that were looked for, None for all; what is born of the lesson is of this kind too.
    """

    queries: Floats
    values: Floats | None
    seed_ids: Ids
    seed_cosines: Doubles
    seed_keys: Floats
    seed_agreement: Doubles
    explanation: Doubles
    strongest: Ids
    sequence: Ids
    sources: Texts | None = None
    kind: str | None = None

    def __len__(self) -> int:
        return len(self.queries)

    @property
    def born_kind(self) -> str:
        """The kind of what is born of this lesson."""
        return CONCEPT if self.kind is None else self.kind

    def check(self, dim: int, value_dim: int) -> None:
        """AESGMemoryError where the shapes do not fit together, or a memory of these dimensions."""
        rows, seeds = self.seed_ids.shape
        expected: dict[str, tuple[int, ...]] = {
            "queries": (rows, dim),
            "seed_cosines": (rows, seeds),
            "seed_keys": (rows, seeds, dim),
            "seed_agreement": (rows, seeds),
            "explanation": (rows,),
            "strongest": (rows,),
            "sequence": (rows,),
        }
        if self.values is not None:
            expected["values"] = (rows, value_dim)
        for name, shape in expected.items():
            given = getattr(self, name).shape
            if given != shape:
                raise AESGMemoryError(f"A lesson's {name} has shape {given}, expected {shape}")
        if self.sources is not None and len(self.sources) != rows:
            raise AESGMemoryError(f"A lesson has {len(self.sources)} sources, expected one for each of {rows} rows")
