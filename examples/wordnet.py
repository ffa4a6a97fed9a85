"""WordNet, whole, in a memory: 117,659 concepts, 19 declared types of edges, and what spreading recalls that similarity
does not.

It goes into the embedded engine and then, if AESG_GRAPH and AESG_VECTORS name servers, or with --served into servers
that are started for it (Java 17 and Maven), into Neo4j and Qdrant. The data is looked for in $AESG_DATA, or in
shared/data beside the checkout.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from wordnet_demo.keys import Encoder, Keys
from wordnet_demo.loading import Loaded, Tell, embedded, load
from wordnet_demo.recalling import ASKED, HELD_OUT, TOP, ask, hold_out
from wordnet_demo.tables import WordNet, read, relation_types

from aesg_graph import AESGConfig, AESGMemory, StoreSettings
from aesg_graph.engine.checking import check

SAMPLE = 500
DRAWN = "telescope", "noun"


def options(given: list[str]) -> argparse.Namespace:
    """What the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--limit", type=int, help="so many synsets around the first one, to see that it runs")
    parser.add_argument("--served", action="store_true", help="start servers and load into them, too")
    parser.add_argument("--keep", type=Path, metavar="DIR", help="keep the memories' directories below a new folder")
    parser.add_argument("--memory", default="wordnet", help="the memory's name on servers (default: wordnet)")
    parser.add_argument("--picture", type=Path, metavar="FILE", help="draw the neighbourhood of a concept to a PNG")
    chosen = parser.parse_args(given)
    if chosen.keep is not None and chosen.keep.exists():
        parser.error(f"--keep {chosen.keep} exists, expected a new folder")
    if chosen.limit is not None and chosen.limit < 100:
        parser.error(f"--limit is {chosen.limit}, expected at least 100")
    return chosen


def main(given: list[str]) -> None:
    """Load, check, ask, count."""
    chosen, console = options(given), Console()
    with tempfile.TemporaryDirectory(prefix="aesg-wordnet-") as temporary:
        root = chosen.keep or Path(temporary)
        wordnet, encoder, keys = prepared(console, chosen.limit)
        config = AESGConfig(vector_dim=encoder.width, relations=relation_types(), top_k=TOP + 1)
        loaded = put(console, root / "embedded", config, embedded(), wordnet, keys)
        show(console, root / "embedded", wordnet, encoder, keys, loaded)
        count(console, root / "embedded", config, wordnet, keys, loaded)
        with servers(chosen.served, Path(temporary), chosen.memory) as stores:
            if stores is not None:
                loaded = put(console, root / "served", config, stores, wordnet, keys)
            if chosen.picture is not None:
                draw(chosen.picture, root / ("served" if stores else "embedded"), stores, wordnet, loaded)


def prepared(console: Console, limit: int | None) -> tuple[WordNet, Encoder, Keys]:
    """The data, and a key for each synset."""
    wordnet = read(limit)
    d = wordnet.dropped
    console.print(
        f"{len(wordnet):,} synsets and {wordnet.edge_count:,} edges of {len(wordnet.edges)} types, from "
        f"{wordnet.rows:,} rows of relations. Not stored: {d.repeated:,} rows that say the same of other words "
        f"of the same synsets, {d.loops} relations of a synset with itself, {d.inverses:,} that are the inverse of one "
        f"that is stored" + (f", {d.outside:,} that lead out of what was chosen." if d.outside else ".")
    )
    begun = time.perf_counter()
    texts = [f"{lemmas}: {gloss}" for lemmas, gloss in zip(wordnet.lemmas, wordnet.glosses, strict=True)]
    encoder = Encoder(texts)
    keys = encoder(texts)
    console.print(f"Keys of width {encoder.width} from words and glosses: {time.perf_counter() - begun:.1f} s\n")
    return wordnet, encoder, keys


def put(
    console: Console, directory: Path, config: AESGConfig, stores: StoreSettings, wordnet: WordNet, keys: Keys
) -> Loaded:
    """Load everything, say how long it took, and let ``check`` look it over."""
    begun = time.perf_counter()
    with AESGMemory(directory, config, stores=stores) as memory:
        if memory.stats()["concepts"]:
            raise SystemExit(f"The memory {stores.memory!r} on {stores.graph} is not empty, expected a new one")
        with progress(console) as tell:
            loaded = load(memory, wordnet, keys, tell)
    took = time.perf_counter() - begun
    parts = ", ".join(f"{name} {seconds:.1f} s" for name, seconds in loaded.seconds.items())
    console.print(f"{stores.engine.capitalize()} engine: everything in {took:.1f} s ({parts})", style="bold")
    begun = time.perf_counter()
    report = check(directory, None, stores)
    verdict = "all agree" if report.clean else f"{len(report.findings)} findings"
    console.print(
        f"aesg check: {report.concepts:,} concepts, {report.edges:,} edges: {verdict} "
        f"({time.perf_counter() - begun:.1f} s)\n"
    )
    if not report.clean:
        raise SystemExit(1)
    return loaded


def show(console: Console, directory: Path, wordnet: WordNet, encoder: Encoder, keys: Keys, loaded: Loaded) -> None:
    """Some descriptions: what is near them, and what energy reached besides."""
    with AESGMemory(directory, stores=embedded()) as memory:
        for asked, key in zip(ASKED, encoder(ASKED), strict=True):
            answer = ask(memory, loaded.ids, keys, asked, key)
            console.print(f"“{asked}”", style="bold")
            console.print(f"  most similar: {', '.join(answer.nearest)}", markup=False, highlight=False)
            for told in answer.spread:
                console.print(f"  by spreading: {told}", markup=False, highlight=False)
            console.print()


def count(console: Console, directory: Path, config: AESGConfig, wordnet: WordNet, keys: Keys, loaded: Loaded) -> None:
    """One relation after the other is held out, and looked for by similarity and along the other relations."""
    table = Table("held out", "asked", "cosine", "spreading", box=None, padding=(0, 2, 0, 0))
    table.title = f"recall at {TOP} of the relation that no energy flows along"
    for relation in HELD_OUT:
        if relation in wordnet.edges:
            found = hold_out(directory, config, wordnet, keys, loaded.ids, relation, SAMPLE)
            table.add_row(relation, str(found.sample), f"{found.cosine:.3f}", f"{found.spreading:.3f}")
    console.print(table)
    console.print()


def draw(path: Path, directory: Path, stores: StoreSettings | None, wordnet: WordNet, loaded: Loaded) -> None:
    """The neighbourhood of one concept, of the first where the limit left it out, as Neo4j Browser would show it."""
    from wordnet_demo.picture import picture

    with AESGMemory(directory, stores=stores or embedded()) as memory:
        named = (i for i in range(len(wordnet)) if (wordnet.words[i], wordnet.kinds[i]) == DRAWN)
        centre = next(named, 0)
        picture(memory, int(loaded.ids[centre]), path)


@contextlib.contextmanager
def progress(console: Console) -> Iterator[Tell]:
    """A bar for each part of the loading."""
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()
    with Progress(*columns, console=console, transient=True) as bars:
        tasks = {}

        def tell(part: str, done: int, total: int) -> None:
            if part not in tasks:
                tasks[part] = bars.add_task(part, total=total or None)
            bars.update(tasks[part], completed=done)

        yield tell


@contextlib.contextmanager
def servers(start: bool, root: Path, memory: str) -> Iterator[StoreSettings | None]:
    """Settings of a memory on the servers that the environment names, or on two that are started; None for neither."""
    if not start and not os.environ.get("AESG_GRAPH"):
        yield None
        return
    from digits_served import servers as named_or_started

    with named_or_started(root, memory) as stores:
        yield stores


if __name__ == "__main__":
    main(sys.argv[1:])
