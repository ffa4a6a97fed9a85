"""What the tests of the Qdrant test server share: the client that Qdrant's users have, and points for it."""

import contextlib

import grpc
import pytest
from qdrant_client import QdrantClient, models

NAME = "c"


def connected(server, **more):
    """The real client; it uses REST for nothing, as nothing listens there."""
    given = {"prefer_grpc": True, "grpc_port": server.grpc_port, "check_compatibility": False, "timeout": 10, **more}
    return contextlib.closing(QdrantClient(server.url, **given))


def make(client, **more):
    vectors = {
        "key": models.VectorParams(size=4, distance=models.Distance.COSINE, on_disk=True),
        "value": models.VectorParams(
            size=2, distance=models.Distance.DOT, hnsw_config=models.HnswConfigDiff(m=0), on_disk=True
        ),
    }
    return client.create_collection(NAME, vectors_config=vectors, **more)


def point(id, version=0, **payload):
    vectors = {"key": [1.0, float(id), 0.0, 0.0]} | ({} if id % 2 else {"value": [float(id), 1.0]})
    kind = ("even", "odd")[id % 2]
    return models.PointStruct(id=id, vector=vectors, payload={"kind": kind, "version": version, **payload})


def where(key, **condition):
    return models.FieldCondition(key=key, **condition)


def must(*conditions):
    return models.Filter(must=list(conditions))


def ids(points):
    return [point.id for point in points]


def payloads(client, *wanted):
    return {point.id: point.payload for point in client.retrieve(NAME, list(wanted), with_payload=True)}


def refusal(call, *given, **more):
    with pytest.raises(grpc.RpcError) as refused:
        call(*given, **more)
    return refused.value.code(), refused.value.details()
