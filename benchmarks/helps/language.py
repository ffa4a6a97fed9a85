"""The tasks on characters: a frozen language model meets text, of its own kind and of others, predicts and learns it.

Plain is the model fine-tuned as it goes; beside it stand a kNN language model with ten times as many entries as memory
may have, one with as many (the latest), and memory. Each text passes once.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

from helps.character_model import CharacterModel, kept
from helps.predicting import Nearest, Passing, Recalled, Said, bits, centre, fine_tuned, nearest, passing
from helps.rows import AS_MANY, EVERYTHING, FROZEN, MEMORY, PLAIN, Measured, Row
from helps.setting import TUNING_SEED, Setting, Tell
from helps.streams import Codes, Stream, glosses, more_shakespeare, passages, trained_on

TIMES_AS_MANY = 10
"""So many times the entries that memory may have are those of the kNN language model."""
CENTRE = 10_000
"""The mean state is that over so many characters."""
STREAMS: dict[str, tuple[str, Stream]] = {
    "Shakespeare held out": ("bits beside a kNN-LM", more_shakespeare),
    "WordNet glosses": ("adapting a language model", glosses),
    "MuSiQue passages": ("adapting a language model", passages),
}
RATES = (0.1, 0.3, 1.0)
KS = (8, 16, 32, 64, 128, 256)
TEMPERATURES = (0.02, 0.05, 0.1, 0.2)
SHARES = tuple(tenth / 10 for tenth in range(1, 10))
MEMORIES = (
    Recalled(0.6, boost=0.0),
    Recalled(0.2, boost=0.0),
    Recalled(0.6, boost=0.02),
    Recalled(0.6, boost=0.0, temperature=0.05),
    Recalled(0.6, boost=0.0, seeds=64),
)


@dataclass(frozen=True)
class Mixed:
    """Parameters of a side, and its share in what it says together with the frozen model."""

    parameters: tuple[int, float] | Recalled
    share: float

    def __str__(self) -> str:
        if isinstance(self.parameters, Recalled):
            return f"{self.parameters}, share={self.share}"
        k, temperature = self.parameters
        return f"k={k}, temperature={temperature}, share={self.share}"


@dataclass(frozen=True)
class Chosen:
    """What was chosen for each side."""

    rate: float
    everything: Mixed
    latest: Mixed
    memory: Mixed


def rows(setting: Setting, tell: Tell) -> list[Row]:
    """A row for each stream."""
    text = trained_on()
    passes = 0.02 if setting.quick else 1.0
    found: dict[str, list[dict[str, tuple[float, int]]]] = {name: [] for name in STREAMS}
    chosen: dict[str, Chosen] = {}
    # The first model is for choosing alone; a model meets all streams before the next one is trained.
    for seed in (TUNING_SEED, *range(setting.seeds)):
        tell(f"language model of seed {seed}: training")
        model = kept(text, passes, seed, setting.scratch)
        for name, (_, stream) in STREAMS.items():
            tell(f"language model of seed {seed}: {name}")
            choosing = seed == TUNING_SEED
            codes = stream(seed, choosing, setting.characters // (2 if choosing else 1) + 1)
            if choosing:
                chosen[name] = choose(model, text, codes, MEMORIES[: 2 if setting.quick else None])
            else:
                found[name].append(measure(model, text, codes, chosen[name]))
    return [row(task, name, chosen[name], found[name]) for name, (task, _) in STREAMS.items()]


def choose(model: CharacterModel, text: Codes, codes: Codes, memories: Sequence[Recalled]) -> Chosen:
    """The parameters that cost the fewest bits on a stream that nobody is tested on."""
    stream = passing(model, codes, centre(model, text[-CENTRE:]))
    most = len(stream.keys) // TIMES_AS_MANY
    said = {memory: memory.say(stream, most) for memory in memories}
    rate = min(RATES, key=lambda rate: fine_tuned(model, codes, rate))
    best = min(itertools.product(said, SHARES), key=lambda pair: said[pair[0]].bits(stream.frozen, pair[1]))
    return Chosen(rate, _mixed(nearest(stream), stream), _mixed(nearest(stream, most), stream), Mixed(*best))


def measure(model: CharacterModel, text: Codes, codes: Codes, chosen: Chosen) -> dict[str, tuple[float, int]]:
    """Bits per character and entries of each side."""
    stream = passing(model, codes, centre(model, text[-CENTRE:]))
    most = len(stream.keys) // TIMES_AS_MANY
    said = {
        EVERYTHING: (_said(nearest(stream), chosen.everything), chosen.everything.share),
        AS_MANY: (_said(nearest(stream, most), chosen.latest), chosen.latest.share),
        MEMORY: (_recalled(chosen.memory, stream, most), chosen.memory.share),
    }
    costs = {side: (answer.bits(stream.frozen, share), answer.entries) for side, (answer, share) in said.items()}
    return {FROZEN: (bits(stream.frozen), 0), PLAIN: (fine_tuned(model, codes, chosen.rate), 0)} | costs


def row(task: str, case: str, chosen: Chosen, found: Sequence[dict[str, tuple[float, int]]]) -> Row:
    """The figures of one stream."""
    told = {
        FROZEN: "",
        PLAIN: f"rate={chosen.rate}",
        EVERYTHING: str(chosen.everything),
        AS_MANY: str(chosen.latest),
        MEMORY: str(chosen.memory),
    }
    sides = {side: Measured(parameters) for side, parameters in told.items()}
    for of_seed in found:
        for side, (cost, entries) in of_seed.items():
            sides[side].add(cost, entries)
    return Row(task, case, "bits per character", "the model fine-tuned as it goes, by SGD", sides)


def _mixed(near: Nearest, stream: Passing) -> Mixed:
    """The k, the temperature and the share that cost the fewest bits."""
    pairs = {(k, temperature): near.say(k, temperature) for k in KS for temperature in TEMPERATURES}
    best = min(itertools.product(pairs, SHARES), key=lambda pair: pairs[pair[0]].bits(stream.frozen, pair[1]))
    return Mixed(*best)


def _said(near: Nearest, chosen: Mixed) -> Said:
    assert isinstance(chosen.parameters, tuple)
    return near.say(*chosen.parameters)


def _recalled(chosen: Mixed, stream: Passing, most: int) -> Said:
    assert isinstance(chosen.parameters, Recalled)
    return chosen.parameters.say(stream, most)
