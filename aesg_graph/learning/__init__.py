"""Learning, as pure rules: state and answers in, operations out.

Nothing here reads a store, a cache, a clock or a random number. :func:`learn` takes the answers that one call got and
plans what the memory should become; :mod:`~aesg_graph.learning.aging` plans what it may forget. The engine numbers,
records and carries out the operations. The only state is :class:`WorkingMemory`, which belongs to the process.
"""

from aesg_graph.learning.lesson import Lesson
from aesg_graph.learning.lessons import Lessons, learn
from aesg_graph.learning.modes import MemoryMode, Mode
from aesg_graph.learning.rules import LearningRules
from aesg_graph.learning.step import Step
from aesg_graph.learning.working import WorkingMemory

__all__ = ["LearningRules", "Lesson", "Lessons", "MemoryMode", "Mode", "Step", "WorkingMemory", "learn"]
