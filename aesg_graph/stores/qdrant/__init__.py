"""The served engine's vector store: a Qdrant server, over gRPC."""

import os

# gRPC wraps every fork of the process (a data loader's workers, any subprocess with a preexec_fn) in handlers of its
# own, which now and then wait for each other forever. A forked child never uses a memory, so it needs none of them.
# gRPC reads this when it starts; whoever has set it otherwise is heeded.
os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "0")

from aesg_graph.stores.qdrant.store import QdrantVectorStore

__all__ = ["QdrantVectorStore"]
