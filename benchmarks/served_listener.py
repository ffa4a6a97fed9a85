"""The listening process of the benchmark ``served``: for each key that it is told, the time at which it recalls it."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import numpy as np

from aesg_graph.config import StoreSettings
from aesg_graph.engine.core import MemoryEngine

NEAR = 0.999
PAUSE = 0.002


def main() -> None:
    engine = MemoryEngine(Path(sys.argv[1]), None, StoreSettings())
    engine.set_mode("INFERENCE")
    print("ready", flush=True)
    for line in sys.stdin:
        key = np.array([json.loads(line)], np.float32)
        while engine.recall(engine.query(key)).explanation[0] < NEAR:
            time.sleep(PAUSE)
        print(time.time(), flush=True)
    engine.close()


if __name__ == "__main__":
    main()
