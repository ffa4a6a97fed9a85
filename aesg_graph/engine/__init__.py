"""The engine: wires stores, journal, cache and learning on numpy arrays. The torch module and the command line share it."""

from aesg_graph.engine.core import MemoryEngine
from aesg_graph.engine.registry import acquire, release, retain

__all__ = ["MemoryEngine", "acquire", "release", "retain"]
