"""The embedded engine's vector store: a Qdrant Edge shard, in process."""

from aesg_graph.stores.edge.store import BusyShardError, EdgeVectorStore

__all__ = ["BusyShardError", "EdgeVectorStore"]
