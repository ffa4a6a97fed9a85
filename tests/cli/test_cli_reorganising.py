"""reorganise: looked at beside an owner, done on a closed memory."""

import numpy as np
import pytest
from cli_world import digests

from aesg_graph.config import AESGConfig
from aesg_graph.engine import MemoryEngine
from aesg_graph.engine.checking import check
from aesg_graph.settings import StoreSettings

D = 6


@pytest.fixture
def crowded(tmp_path):
    """Four near pairs with names, a hub, and a dense group; in a mode that does not reorganise by itself."""
    path = tmp_path / "crowded"
    config = AESGConfig(vector_dim=D, max_edges_per_node=10, merge_similarity_threshold=0.99, memory_mode="ONLINE")
    engine = MemoryEngine(path, config, StoreSettings())
    eye = np.eye(D)
    ids = engine.create(np.concatenate([eye[:4], eye[:4] + 0.01]), names=[f"[bold]n{n}[/bold]" for n in range(8)])
    hub = engine.create(-eye[:1] - eye[1:2])
    group = engine.create(eye[5] + 0.2 * np.random.default_rng(0).standard_normal((14, D)))
    engine.link(np.repeat(hub, 14), group, "CAUSAL", 0.5)
    engine.link(group[:13], group[1:], "ASSOCIATION", 0.9)
    engine.close()
    return path, ids.tolist()


def test_a_look_tells_what_would_be_done_and_changes_nothing(aesg, crowded):
    path, ids = crowded
    before = digests(path)
    told = aesg("reorganise", "-d", path, "--dry-run", "--json").json
    assert digests(path) == before
    assert (told["merged"], told["dry_run"], told["split"]) == (4, True, 1)
    first = next(row for row in told["merges"] if row["id"] == ids[4])
    assert first["into"] == ids[0]
    assert (first["name"], first["into_name"]) == ("[bold]n4[/bold]", "[bold]n0[/bold]")
    assert 0.95 < first["cosine"] <= 1
    assert told["splits"][0]["parts"] == 2
    assert sum(told["region_sizes"]) >= 15
    people = aesg("reorganise", "-d", path, "--dry-run")
    assert people.code == 0
    assert "[bold]n4[/bold]" in people.out
    assert "would split into 2 parts" in people.out
    assert "nothing was changed" in people.out


def test_it_does_what_it_said_in_whatever_mode_the_memory_opens(aesg, crowded):
    path, _ = crowded
    would = aesg("reorganise", "-d", path, "--dry-run", "--json").json
    done = aesg("reorganise", "-d", path, "--json").json
    counts = ("merged", "split", "regions", "moved", "abstractions", "concepts", "region_sizes")
    assert {name: done[name] for name in counts} == {name: would[name] for name in counts}
    assert not done["dry_run"]
    assert check(path).clean
    assert check(path).concepts == done["concepts"]
    again = aesg("reorganise", "-d", path)
    assert again.out.splitlines()[0] == "0 concepts merged into others, 0 split off"
    engine = MemoryEngine(path, None, StoreSettings())
    assert engine.mode.name == "ONLINE"
    engine.close()


def test_beside_an_owner_it_looks_and_does_not_touch(aesg, crowded):
    path, _ = crowded
    owner = MemoryEngine(path, None, StoreSettings())
    try:
        assert aesg("reorganise", "-d", path, "--dry-run", "--json").json["merged"] == 4
    finally:
        owner.close()


def test_where_there_is_no_memory_it_says_so(aesg, tmp_path):
    for options in ([], ["--dry-run"]):
        answer = aesg("reorganise", "-d", tmp_path / "nowhere", *options)
        assert answer.code == 3
        assert "nowhere" in answer.err
    assert not (tmp_path / "nowhere").exists()
