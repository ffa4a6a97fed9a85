"""The ``aesg`` command as a person or a script meets it, and a small memory to ask about."""

import json
import subprocess
import sys
from dataclasses import dataclass

import numpy as np
from sparse_files import digest

from aesg_graph.config import AESGConfig
from aesg_graph.engine import MemoryEngine
from aesg_graph.settings import StoreSettings

D, V, N = 6, 2, 10
CONFIG = AESGConfig(vector_dim=D, value_dim=V)


@dataclass
class Answer:
    """What a command printed, and its exit code."""

    code: int
    out: str
    err: str

    @property
    def json(self):
        return json.loads(self.out)


def keys():
    drawn = np.random.default_rng(0).standard_normal((N, D)).astype(np.float32)
    return drawn / np.linalg.norm(drawn, axis=1, keepdims=True)


def values():
    return np.random.default_rng(1).standard_normal((N, V)).astype(np.float32)


def build(path):
    """Ten concepts in a causal chain, two of them similar; three kinds of events. Their ids."""
    engine = MemoryEngine(path, CONFIG, StoreSettings())
    names = [f"Zebra {i}" if i < 2 else f"n{i}" for i in range(N)]
    ids = engine.create(keys(), values(), names=names, texts=["[bold]stripes[/bold] & <hooves>", *[None] * (N - 1)])
    cat = engine.create(-keys()[:1], kind="cat", names=["\x1b[31mcat"])
    engine.link(ids[:-1], ids[1:], "CAUSAL", 0.9)
    engine.link(ids[4:5], ids[2:3], "SIMILARITY", 0.25)
    engine.consolidate()
    engine.close()
    return [*ids.tolist(), int(cat[0])]


def digests(path):
    """Every file's content, the lock aside."""
    return {
        str(file.relative_to(path)): digest(file)
        for file in sorted(path.rglob("*"))
        if file.is_file() and file.name != "lock"
    }


OWNER = """
import sys
import numpy as np
from aesg_graph.engine import MemoryEngine
from aesg_graph.settings import StoreSettings

engine = MemoryEngine(sys.argv[1], None, StoreSettings(cache_bytes=int(sys.argv[2])))
rng = np.random.default_rng(7)
print("open", flush=True)
for line in sys.stdin:
    if line == "learn\\n":
        ids = engine.create(rng.standard_normal((50, engine.config.vector_dim)), names=["learned"] * 50)
        engine.link(ids[:-1], ids[1:])
        engine.flush()
        print(int(ids[0]), flush=True)
    elif line == "go on\\n":
        print("going on", flush=True)
        while True:
            ids = engine.create(rng.standard_normal((20, engine.config.vector_dim)), names=["more"] * 20)
            engine.link(ids[:-1], ids[1:])
"""


class Owner:
    """Another process that has a memory open."""

    def __init__(self, path, cache_bytes=1 << 30):
        command = [sys.executable, "-c", OWNER, str(path), str(cache_bytes)]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout.readline() == "open\n"

    def tell(self, what):
        print(what, file=self.process.stdin, flush=True)
        return self.process.stdout.readline().strip()

    def kill(self):
        self.process.kill()
        self.process.wait()
        self.process.stdin.close()
        self.process.stdout.close()
