"""The engine: stores, journal, cache and learning wired on numpy arrays, for the torch module and the command line."""

from aesg_graph.engine.core import MemoryEngine
from aesg_graph.engine.registry import acquire, release, release_dropped, retain

__all__ = ["MemoryEngine", "acquire", "release", "release_dropped", "retain"]
