"""How a memory is written: its directory, its journal, and the flusher that keeps graph and vectors in step."""

from aesg_graph.sync.check import Progress, look_at_graph, look_at_journal, look_at_tombstones
from aesg_graph.sync.comparison import Comparison, Window, chunks, second_look, windows
from aesg_graph.sync.directory import Format, MemoryDirectory
from aesg_graph.sync.events import EVENT_TYPES, Event
from aesg_graph.sync.failpoints import CACHE_APPLIED, STEPS, reach
from aesg_graph.sync.findings import Finding, Kind
from aesg_graph.sync.flusher import Between, Flusher, GroupLimits, Lag
from aesg_graph.sync.freshness import Freshness, News
from aesg_graph.sync.journal import Journal, Refused
from aesg_graph.sync.lock import Holder
from aesg_graph.sync.opening import Reason, Taken, take_up_writing
from aesg_graph.sync.second_look import SecondLook

__all__ = [
    "CACHE_APPLIED",
    "EVENT_TYPES",
    "STEPS",
    "Between",
    "Comparison",
    "Event",
    "Finding",
    "Flusher",
    "Format",
    "Freshness",
    "GroupLimits",
    "Holder",
    "Journal",
    "Kind",
    "Lag",
    "MemoryDirectory",
    "News",
    "Progress",
    "Reason",
    "Refused",
    "SecondLook",
    "Taken",
    "Window",
    "chunks",
    "look_at_graph",
    "look_at_journal",
    "look_at_tombstones",
    "reach",
    "second_look",
    "take_up_writing",
    "windows",
]
