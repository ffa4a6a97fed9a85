"""The served engine's vector store: a Qdrant server, over gRPC."""

from aesg_graph.stores.qdrant.store import QdrantVectorStore

__all__ = ["QdrantVectorStore"]
