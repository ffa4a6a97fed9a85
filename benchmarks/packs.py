"""Packs: what an attached one costs, and what it knows that the memory does not.

The memory of the second part holds nouns of WordNet, the pack verbs with their hypernyms. Keys are a sentence
encoder's, of a synset's words and its gloss. Asked are the verbs: by noisy keys, by their glosses without the words (a
part of what the key was made of), and by the examples of use, whose text no key has seen.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
import worlds
from helps.texts import Encode, Floats, kept, sentences
from measuring import Figure, Goal, at_least, at_most, in_turn, over, rounds_within, timed
from rich.console import Console
from settings import DIM, Setting
from wordnet_demo.tables import WordNet, read
from worlds import Ids

from aesg_graph import AESGConfig, AESGMemory, MemoryPack

TITLE = "Packs: attached beside a memory"
SIZE = 100_000
ROWS = (1, 32)
LEAST = 10
BATCHES = 16
SYNSETS = 1_000
"""Of the nouns and of the verbs; a tenth where sizes are small."""
GOAL = at_least(0.9, "ours")
NOISE = 0.75
"""The noise's length beside the key's: a cosine of about 0.8."""
EXAMPLE = '; "'
"""Where the first example of use begins in a gloss."""


def measure(setting: Setting) -> list[Figure]:
    """What it costs, then what it brings."""
    figures = costs(setting, min(SIZE, setting.largest))
    count = SYNSETS if setting.largest >= SIZE else SYNSETS // 10
    try:
        return figures + recalls(setting, domain(read(), count), sentences)
    except SystemExit as lacking:
        Console().print(f"Not measured, what a pack brings: {lacking}", markup=False)
        return figures


# -- what it costs -----------------------------------------------------------------------------------------------------


def costs(setting: Setting, size: int) -> list[Figure]:
    """Recall with and without a pack as large as the memory; writing, reading and importing it."""
    path = setting.place("world.aesgpack")
    large = size >= SIZE
    with worlds.ours(setting.place("packed"), worlds.world(size, DIM, seed=7))[0] as source:
        writing = timed(lambda: source.export_pack(path))
    memory, _ = setting.opened(size)
    with memory:
        reading = timed(lambda: memory.load_pack(path))
        pack = memory.load_pack(path)
        figures = []
        for rows in ROWS:
            batches = [setting.world(size).queries(rows, seed=10 + n) for n in range(BATCHES)]
            sides = {
                "without": over(partial(memory.retrieve, learn=False), batches),
                "with": over(partial(_with, memory, pack), batches),
            }
            took = in_turn(sides, rounds_within(sides, setting.seconds, LEAST, setting.rounds))
            case = f"{size:,} concepts and a pack of {size:,}, {rows} row{'s' if rows > 1 else ''}"
            goal = at_most(2.5) if large else None
            figures.append(Figure(case, took["with"], "s", "without the pack", took["without"], "cost", goal))
    with AESGMemory(setting.place("imported"), AESGConfig(vector_dim=DIM, max_concepts=4 * size)) as taking:
        importing = timed(lambda: taking.import_pack(path))
        importing += timed(lambda: taking.flush(worlds.FLUSH_SECONDS))
    note = f"{path.stat().st_size / 1e6:.0f} MB, {pack.edges:,} edges"
    return [
        *figures,
        Figure(f"a pack of {size:,}: written", writing, "s", note=note),
        Figure(f"a pack of {size:,}: read and verified", reading, "s"),
        Figure(f"a pack of {size:,}: imported, through to both stores", importing, "s"),
    ]


def _with(memory: AESGMemory, pack: MemoryPack, asked: torch.Tensor) -> None:
    """One answer with the pack attached; to attach and detach it are a few microseconds."""
    memory.attach_pack(pack)
    memory.retrieve(asked, learn=False)
    memory.detach_pack(pack.name)


# -- what it brings ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Domain:
    """What memory and pack are about, and how the pack is asked.

    base: texts of the memory's concepts. texts: of the pack's, with edges between their places [M, 2]. glosses: what
    each of them means; examples: how it is used.
    """

    base: Sequence[str]
    texts: Sequence[str]
    edges: np.ndarray[tuple[int, int], np.dtype[np.int64]]
    glosses: Sequence[str]
    examples: Sequence[str]


def domain(wordnet: WordNet, count: int) -> Domain:
    """So many nouns, and so many verbs that have an example of use, drawn always alike."""
    chance = np.random.default_rng(0)
    kinds = np.array(wordnet.kinds)
    used = np.array([EXAMPLE in gloss for gloss in wordnet.glosses])
    nouns = np.sort(chance.choice(np.flatnonzero(kinds == "noun"), count, replace=False))
    verbs = np.sort(chance.choice(np.flatnonzero((kinds == "verb") & used), count, replace=False))
    split = {i: wordnet.glosses[i].split(EXAMPLE) for i in [*nouns, *verbs]}
    place = {synset: at for at, synset in enumerate(verbs.tolist())}
    edges = [(place[a], place[b]) for a, b in wordnet.edges["HYPERNYM"].tolist() if a in place and b in place]
    return Domain(
        base=[f"{wordnet.lemmas[i]}: {split[i][0]}" for i in nouns],
        texts=[f"{wordnet.lemmas[i]}: {split[i][0]}" for i in verbs],
        edges=np.array(edges, np.int64).reshape(-1, 2),
        glosses=[split[i][0] for i in verbs],
        examples=[split[i][1].split('"')[0] for i in verbs],
    )


def recalls(setting: Setting, given: Domain, encode: Encode) -> list[Figure]:
    """Recall@1 on the pack's domain, with it and without it. RuntimeError if detaching leaves a trace."""
    base, keys, glosses, examples = (
        kept(texts, encode, setting.directory / "sentences")
        for texts in (given.base, given.texts, given.glosses, given.examples)
    )
    mean = base.mean(0)
    path = setting.place("verbs.aesgpack")
    config = AESGConfig(vector_dim=base.shape[1], max_concepts=10 * len(base))
    with AESGMemory(setting.place("verbs"), config) as source:
        verbs = source.create(keys - mean, texts=given.texts, kind="verb").numpy()
        source.link(verbs[given.edges[:, 0]], verbs[given.edges[:, 1]], "HIERARCHICAL")
        source.export_pack(path)
    with AESGMemory(setting.place("nouns"), config).eval() as memory:
        nouns = memory.create(base - mean, texts=given.base, kind="noun").numpy()
        pack = memory.load_pack(path)
        return [
            _recalled(memory, pack, "verbs by noisy keys", noisy(keys - mean), verbs, GOAL),
            _recalled(memory, pack, "verbs by glosses without the words", glosses - mean, verbs),
            _recalled(memory, pack, "verbs by examples of use, held out", examples - mean, verbs),
            _recalled(memory, pack, "the memory's own nouns by noisy keys", noisy(base - mean), nouns),
        ]


def noisy(keys: Floats) -> Floats:
    """Keys [N, D] with noise of ``NOISE`` times their length."""
    noise = np.random.default_rng(1).standard_normal(keys.shape).astype(np.float32)
    made: Floats = keys + noise * NOISE * np.linalg.norm(keys, axis=1, keepdims=True) / np.sqrt(keys.shape[1])
    return made


def _recalled(
    memory: AESGMemory, pack: MemoryPack, what: str, queries: Floats, targets: Ids, goal: Goal | None = None
) -> Figure:
    """How often the target comes first, with the pack and without it."""
    asked = torch.from_numpy(queries)
    before = memory.retrieve(asked, learn=False)
    memory.attach_pack(pack, priority=50)
    attached = memory.retrieve(asked, learn=False)
    memory.detach_pack(pack.name)
    after = memory.retrieve(asked, learn=False)
    if not all(torch.equal(getattr(before, part), getattr(after, part)) for part in ("ids", "energies", "vectors")):
        raise RuntimeError("answers after detaching are not those from before")
    hits, others = (float((found.ids[:, 0].numpy() == targets).mean()) for found in (attached, before))
    case = f"{len(targets):,} of {what}: recall@1"
    return Figure(case, hits, "share", "without the pack", others, goal=goal if len(targets) >= SYNSETS else None)
