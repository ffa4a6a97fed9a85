"""What the tests of the Qdrant store share: settings of a memory of its own, and points to write."""

import uuid

import numpy as np

from aesg_graph.settings import StoreSettings
from aesg_graph.stores.abc import Points
from aesg_graph.stores.testing.vectors import directions

D, V = 16, 3


def qdrant_settings(server, **more):
    """Settings of a new memory on a server."""
    key = None if "api_key_file" in more else server.api_key
    given = {"api_key": key, "grpc_port": server.grpc_port, "memory": f"test-{uuid.uuid4().hex}"}
    return StoreSettings(graph="neo4j://localhost:7687", vectors=server.url, **{**given, **more})


def points(ids, keys=None, version=0, kinds=None, seed=0):
    """Points with keys, values and a stamp each."""
    ids = np.asarray(ids, np.int64)
    count = len(ids)
    keys = directions(count, D, seed) if keys is None else keys
    stamps = np.full(count, version, np.int64)
    values = np.arange(count * V, dtype=np.float32).reshape(count, V)
    return Points(ids, keys, values, np.ones(count, bool), kinds or ("concept",) * count, 1, stamps, stamps)
