"""Reorganisation: what a memory merges, splits, sorts into regions, and sums up, planned from arrays alone.

:func:`plan` looks at a :class:`Landscape`, a whole memory in columns, and says what is to be done as operations. Like
the rest of learning it reads no store, no clock, and no random number without a seed.
"""

from aesg_graph.learning.reorganisation.landscape import Bonds, Landscape
from aesg_graph.learning.reorganisation.planning import Plan, Planned, plan
from aesg_graph.learning.reorganisation.rules import ABSTRACTION, ReorganisationRules

__all__ = ["ABSTRACTION", "Bonds", "Landscape", "Plan", "Planned", "ReorganisationRules", "plan"]
