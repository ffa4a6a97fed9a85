"""The public conformance suites that every store must pass."""

from aesg_graph.stores.testing.graph import GraphStoreSuite
from aesg_graph.stores.testing.vectors import KeyStoreSuite, VectorStoreSuite

__all__ = ["GraphStoreSuite", "KeyStoreSuite", "VectorStoreSuite"]
