"""Two processes train one model, each with a memory of its own."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent


def two_ranks(folder):
    """What each of two processes says."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    running = []
    for rank in ("0", "1"):
        known = {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": "2", "LOCAL_WORLD_SIZE": "2"}
        known |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "OMP_NUM_THREADS": "1", "ACCELERATE_USE_CPU": "true"}
        command = [sys.executable, str(HERE / "run_rank.py"), str(folder)]
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        running.append(subprocess.Popen(command, env=os.environ | known, **pipes))
    try:
        ends = [process.communicate(timeout=300) for process in running]
    finally:
        for process in running:
            process.kill()
    assert [process.returncode for process in running] == [0, 0], ends[0][1] + ends[1][1]
    return [json.loads(out.splitlines()[-1]) for out, _ in ends]


def test_processes_share_weights_losses_and_checkpoints_and_stop_together(place):
    one, two = two_ranks(place)
    assert (one["main"], two["main"]) == (True, False)
    assert one["losses"] == two["losses"]
    assert one["loss"] == two["loss"]
    assert one["weights"] == two["weights"]
    assert min(one["concepts"], two["concepts"]) > 0
    # Each has seen its part of the data, and so each memory knows something else.
    assert one["found"] != two["found"]
    assert sorted(entry.name for entry in (place / "checkpoints").iterdir()) == ["best", "epoch_2"]
    for said in (one, two):
        assert said["epoch"] == 2
        assert said["again"] == said["after"]
        assert said["found again"] == said["found"]
        assert "in epoch 3, batch 0" in said["refused"]
        assert said["kept"]
