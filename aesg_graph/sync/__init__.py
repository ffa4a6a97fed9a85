"""How a memory is written: its directory, its journal, and the flusher that keeps graph and vectors in step."""

from aesg_graph.sync.directory import Format, MemoryDirectory
from aesg_graph.sync.events import EVENT_TYPES, Event
from aesg_graph.sync.failpoints import CACHE_APPLIED, STEPS, reach
from aesg_graph.sync.flusher import Flusher, GroupLimits, Lag
from aesg_graph.sync.journal import Journal, Refused
from aesg_graph.sync.lock import Holder
from aesg_graph.sync.opening import Reason, Taken, take_up_writing

__all__ = [
    "CACHE_APPLIED",
    "EVENT_TYPES",
    "STEPS",
    "Event",
    "Flusher",
    "Format",
    "GroupLimits",
    "Holder",
    "Journal",
    "Lag",
    "MemoryDirectory",
    "Reason",
    "Refused",
    "Taken",
    "reach",
    "take_up_writing",
]
