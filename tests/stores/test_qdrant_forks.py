"""A process that talks to Qdrant may fork, as data loaders do: gRPC takes no part in that."""

import os
import subprocess
import sys

FORKING = """
import subprocess, threading
import aesg_graph.stores.qdrant
import grpc

def talk():
    while True:
        with grpc.insecure_channel({address!r}) as channel:
            try:
                channel.unary_unary("/qdrant.Qdrant/HealthCheck")(b"", timeout=0.05)
            except grpc.RpcError:
                pass

for _ in range(3):
    threading.Thread(target=talk, daemon=True).start()
for _ in range(300):
    subprocess.run(["true"], preexec_fn=lambda: None, check=True)
"""


def test_forks_beside_calls_are_not_grpcs_business(qdrant_server):
    """Before, gRPC said that it skipped its handlers, lost descriptors, and once never came back."""
    environment = {name: value for name, value in os.environ.items() if name != "GRPC_ENABLE_FORK_SUPPORT"}
    script = FORKING.format(address=f"127.0.0.1:{qdrant_server.grpc_port}")
    run = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, timeout=120)
    assert (run.returncode, run.stderr) == (0, "")
