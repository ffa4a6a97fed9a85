"""Signs that a memory is badly tuned, seen in its lessons: it stays at one concept, or each query becomes one."""

from __future__ import annotations

import numpy as np

from aesg_graph.learning.lessons import Lessons
from aesg_graph.learning.rules import LearningRules

ENOUGH = 256
"""So many rows must have been taught before anything is said."""
ALIKE = 0.9999
"""Rows explained this well on average are the same query again and again, which is rightly one concept. Queries that
were not centred may have cosines of 0.99 and differ all the same."""
OUTLIERS = 0.02
"""So large a share of novel queries beside the one that comes again and again is no sign."""
NEARLY_ALL = 0.9
"""This share of births among what was taught is a memory that only writes down."""
ADVICE = "`aesg tune`, or aesg_graph.fit_config, proposes parameters from a sample of queries"


class Signs:
    """What the lessons of one process came to, zero queries aside.

    Attributes
    ----------
    rows, novel, born: how many queries were taught, how many of them were novel, how many concepts were born of them.
    quiet: whether nothing is to be said, since somebody is trying things out.
    """

    def __init__(self) -> None:
        self.rows = self.novel = self.born = 0
        self.quiet = False
        self._recent = np.zeros(4)  # rows, novel, born, explanation: of the last lessons, older ones count less
        self._told: set[str] = set()

    def take(self, taken: Lessons, concepts: int, rules: LearningRules) -> list[str]:
        """Count a lesson, after which there are so many concepts; the sentences of signs that are new."""
        awake = int(np.count_nonzero(taken.novel | (taken.explanation > 0.0)))  # a zero query is neither
        novel, born = int(np.count_nonzero(taken.novel)), len(taken.born)
        self.rows += awake
        self.novel += novel
        self.born += born
        self._recent += (awake, novel, born, float(taken.explanation.sum()))
        if self._recent[0] >= 2 * ENOUGH:
            self._recent /= 2
        found = self.seen(concepts, rules)
        new = [sentence for sign, sentence in found.items() if sign not in self._told]
        self._told.update(found)
        return new

    def seen(self, concepts: int, rules: LearningRules) -> dict[str, str]:
        """The signs that are to be seen at present, each with its sentence, for a memory of so many concepts."""
        rows, novel, born, explained = self._recent
        if self.quiet or rows < ENOUGH:
            return {}
        found = {}
        threshold, birth = rules.explanation_threshold, rules.birth_threshold
        differ = novel > OUTLIERS * rows or explained < ALIKE * (rows - novel)
        if concepts <= 1 < rules.max_concepts and differ:
            alike = f"at novelty_explanation_threshold={threshold:g} they are all alike, which centring may change"
            strange = f"{novel / rows:.0%} of the latest were novel, but none came {birth} times, as a birth takes"
            why = strange if novel > 0.5 * rows else alike
            found["one concept"] = (
                f"the memory stays at {concepts} concept{'s' * (concepts != 1)} after {self.rows} queries that differ: "
                f"{why}; {ADVICE}"
            )
        if born > NEARLY_ALL * rows:
            found["all born"] = (
                f"{born / rows:.0%} of the latest queries became concepts of their own: nothing is found again at "
                f"novelty_explanation_threshold={threshold:g} and novelty_birth_threshold={birth}; {ADVICE}"
            )
        return found
