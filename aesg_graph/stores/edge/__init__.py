"""The embedded engine's vector store: a Qdrant Edge shard, in process."""

from aesg_graph.stores.edge.store import EdgeVectorStore

__all__ = ["EdgeVectorStore"]
