"""The test server's process: ``python -m tests.servers.qdrant_main --data DIR --port P``."""

from __future__ import annotations

import argparse
import os
import signal
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event

import grpc
from qdrant_client.grpc import collections_service_pb2_grpc, points_service_pb2_grpc, qdrant_pb2_grpc

from tests.servers.qdrant_collections import Collections
from tests.servers.qdrant_faults import FaultFile, FaultInterceptor, KeyInterceptor
from tests.servers.qdrant_service import VERSION, CollectionService, Health, PointService

MESSAGE = 256 << 20
THREADS = 32


def main() -> None:
    options = argparse.ArgumentParser()
    options.add_argument("--data", type=Path, required=True)
    options.add_argument("--port", type=int, required=True)
    options.add_argument("--key-file", type=Path)
    options.add_argument("--tls", type=Path, help="a folder with cert.pem and key.pem")
    options.add_argument("--version", default=VERSION, help="what it says it is")
    chosen = options.parse_args()

    keys = [KeyInterceptor(chosen.key_file)] if chosen.key_file else []
    server = grpc.server(
        ThreadPoolExecutor(THREADS),
        interceptors=[*keys, FaultInterceptor(FaultFile(chosen.data / "fault.json"))],
        options=[
            ("grpc.max_receive_message_length", MESSAGE),
            ("grpc.max_send_message_length", MESSAGE),
            ("grpc.so_reuseport", 0),
        ],
    )
    collections = Collections(chosen.data / "collections")
    qdrant_pb2_grpc.add_QdrantServicer_to_server(Health(chosen.version), server)
    collections_service_pb2_grpc.add_CollectionsServicer_to_server(CollectionService(collections), server)
    points_service_pb2_grpc.add_PointsServicer_to_server(PointService(collections), server)
    address = f"127.0.0.1:{chosen.port}"
    if chosen.tls:
        pair = (chosen.tls / "key.pem").read_bytes(), (chosen.tls / "cert.pem").read_bytes()
        server.add_secure_port(address, grpc.ssl_server_credentials([pair]))
    else:
        server.add_insecure_port(address)
    server.start()
    ended = Event()
    signal.signal(signal.SIGTERM, lambda *_: ended.set())
    ended.wait()
    server.stop(1).wait()
    collections.close()
    os._exit(0)  # A call that hangs on command holds a thread, which the interpreter would wait for.


if __name__ == "__main__":
    main()
