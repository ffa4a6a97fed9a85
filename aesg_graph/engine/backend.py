"""A memory's parts as one engine opened them: what the rest of the engine sees of stores, journal and directory."""

from __future__ import annotations

import contextlib
import logging
from dataclasses import dataclass, replace
from typing import Protocol

from aesg_graph.config import AESGConfig
from aesg_graph.errors import AESGStorageError
from aesg_graph.settings import StoreSettings
from aesg_graph.stores.abc import GraphStore, Outcome, Shared, VectorStore
from aesg_graph.sync import Flusher, Journal, MemoryDirectory, take_up_writing

log = logging.getLogger("aesg_graph")


class Vectors(Protocol):
    """The vector store, given when it is needed."""

    def __call__(self) -> VectorStore:
        """The store, open."""
        ...

    def close(self) -> None:
        """Close the store if it was opened."""
        ...


@dataclass
class Backend:
    """A memory's directory, journal and stores, as opened."""

    directory: MemoryDirectory
    journal: Journal
    graph: GraphStore
    vectors: Vectors
    config: AESGConfig
    settings: StoreSettings
    taken_up: bool = False

    def in_order(self) -> bool:
        """Whether journal and graph agree on how far this writer has come, with nothing left to send."""
        if self.journal.bytes_pending or self.journal.writer is None:
            return not self.journal.bytes_pending
        state = self.graph.writer(self.journal.writer)
        return state is not None and state.sequence == self.journal.last_sequence

    def recover(self) -> list[Outcome]:
        """Carry lessons that the journal still holds into the stores, under the incarnation that recorded them."""
        if not self.journal.bytes_pending:
            return []
        return self.flusher().recover()

    @property
    def writer(self) -> int:
        """The number under which this directory writes; taken up before it is asked for."""
        if self.journal.writer is None:
            raise AESGStorageError(
                f"The journal in {self.directory.path} has no writer, expected writing to be taken up"
            )
        return self.journal.writer

    def record(self, config: AESGConfig) -> None:
        """Let the graph's head say what the memory is, if it says otherwise; the mode that it opens in stays."""
        recorded = AESGConfig.from_json(self.graph.head().config)
        wanted = replace(config, memory_mode=recorded.memory_mode)
        if wanted != recorded:
            self.graph.configure(wanted.to_json(), wanted.thresholds)

    def flusher(self) -> Flusher:
        """A flusher over these stores, not yet started."""
        return Flusher(
            self.journal,
            self.graph,
            self.vectors,
            journal_bytes=self.settings.journal_bytes,
            remote=self.shared is not None,
        )

    @property
    def shared(self) -> Shared | None:
        """The graph store as one that other processes write to as well; None where nobody else does."""
        return self.graph if isinstance(self.graph, Shared) else None

    def take_up_writing(self) -> None:
        """Become the directory's writer: a new incarnation, or a new number where the old one is not ours to use."""
        if not self.taken_up:
            taken = take_up_writing(self.journal, self.graph, self.directory.identity, self.recover)
            self.taken_up = True
            if taken.missing:
                lost = ", ".join(f"{gap.start} to {gap.stop - 1}" for gap in taken.missing)
                log.warning(
                    "the graph lacks lessons that this directory recorded and no longer holds (sequences %s): it was "
                    "restored from before them",
                    lost,
                )

    def close(self) -> None:
        """Release everything, whatever fails on the way."""
        with contextlib.ExitStack() as stack:
            for part in (self.directory, self.journal, self.graph, self.vectors):
                stack.callback(part.close)
