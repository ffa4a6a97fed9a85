"""Steps and sequences: when lessons are taken, and which rows follow each other.

Inside a step every call is answered from the memory as it was on entry; what is to be learned waits here and is taken
at the exit, in order. A sequence ties row b of successive calls together. Both are a thread's own; a step also keeps
other threads' lessons waiting.
"""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import numpy as np

from aesg_graph.concepts import Ids, Ints
from aesg_graph.learning import Step
from aesg_graph.operations import Operation, coalesce

NO_SEQUENCE = -1

Lesson = Callable[[Step], Sequence[Operation]]
"""Plans operations, knowing what was born earlier in the step."""


class StepHandle:
    """A step that is under way."""

    def __init__(self) -> None:
        self.lessons: list[Lesson] = []
        self.afterwards: list[Callable[[], object]] = []
        self.ended: list[Ints] = []
        """Tags of sequences that are over once the lessons have been taken, or dropped."""
        self.promised: list[Ids] = []
        """Ids of concepts that will be born at the exit."""
        self.discarded = False

    def discard(self) -> None:
        """Learn nothing of this step."""
        self.discarded = True


class SequenceHandle:
    """A sequence that is under way: the tags of its rows."""

    def __init__(self) -> None:
        self.tags: Ints | None = None


class Steps:
    """The steps and sequences of one memory."""

    def __init__(
        self, record: Callable[[Sequence[Operation]], object], forget: Callable[[Ints], None], begin: Callable[[], Step]
    ) -> None:
        self.writing = threading.RLock()
        """Held through a step: lessons of other threads wait for its exit."""
        self._step: StepHandle | None = None
        self._owner: int | None = None
        self._local = threading.local()
        self._tags = itertools.count()
        self._record = record
        self._forget = forget
        self._begin = begin

    # -- steps ------------------------------------------------------------------------------------------------------

    @property
    def current(self) -> StepHandle | None:
        """This thread's step, if it is inside one."""
        return self._step if self._owner == threading.get_ident() else None

    @contextmanager
    def step(self) -> Iterator[StepHandle]:
        """A step; an inner one joins the outer. An exception, or ``discard()``, drops its lessons."""
        if (outer := self.current) is not None:
            yield outer
            return
        with self.writing:
            handle = self._step = StepHandle()
            self._owner = threading.get_ident()
            try:
                try:
                    yield handle
                finally:
                    self._step = self._owner = None
                if not handle.discarded:
                    self._take_all(handle.lessons)
            finally:
                for tags in handle.ended:
                    self._forget(tags)
            for afterwards in handle.afterwards:
                afterwards()

    def take(self, lesson: Lesson) -> None:
        """Take a lesson now, or at the exit of the step that this thread is in."""
        if (step := self.current) is not None:
            step.lessons.append(lesson)
            return
        with self.writing:
            self._take_all([lesson])

    def then(self, afterwards: Callable[[], object]) -> None:
        """Do something now, or when the step that this thread is in has taken its lessons."""
        if (step := self.current) is not None:
            step.afterwards.append(afterwards)
        else:
            with self.writing:
                afterwards()

    def _take_all(self, lessons: list[Lesson]) -> None:
        """Lessons of one step become one batch: all of them are acknowledged, or none."""
        if not lessons:
            return
        shared = self._begin()
        self._record(coalesce([operation for lesson in lessons for operation in lesson(shared)]))

    # -- sequences --------------------------------------------------------------------------------------------------

    @contextmanager
    def sequence(self) -> Iterator[None]:
        """Row b of successive calls is one sequence; an inner one is separate, then the outer resumes."""
        stack = self._stack()
        stack.append(SequenceHandle())
        try:
            yield
        finally:
            self._end(stack.pop())

    def tags(self, rows: int) -> Ints:
        """The sequence that each of ``rows`` independent rows belongs to, ``NO_SEQUENCE`` outside of any."""
        stack = self._stack()
        if not stack:
            return np.full(rows, NO_SEQUENCE, np.int64)
        handle = stack[-1]
        if handle.tags is None or len(handle.tags) != rows:
            self._end(handle)
            handle.tags = self.fresh(rows)
        return handle.tags

    def fresh(self, rows: int) -> Ints:
        """Tags of ``rows`` new sequences."""
        return np.fromiter(itertools.islice(self._tags, rows), np.int64, rows)

    def end(self, tags: Ints) -> None:
        """Sequences are over, once the lessons that are waiting have been taken."""
        if (step := self.current) is not None:
            step.ended.append(tags)
        else:
            self._forget(tags)

    def reset(self) -> None:
        """End this thread's sequences; those that are open begin anew."""
        for handle in self._stack():
            self._end(handle)

    def _end(self, handle: SequenceHandle) -> None:
        if handle.tags is not None:
            self.end(handle.tags)
            handle.tags = None

    def _stack(self) -> list[SequenceHandle]:
        if not hasattr(self._local, "stack"):
            self._local.stack = []
        stack: list[SequenceHandle] = self._local.stack
        return stack
