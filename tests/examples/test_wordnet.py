"""A few thousand synsets of WordNet go into both engines, as everything would, and come out as they were told."""

import os
import re
import subprocess
import sys
from pathlib import Path

import neo4j
import numpy as np
import pytest

from tests.served.conftest import served

__all__ = ["served"]
pytestmark = pytest.mark.usefixtures("examples")
LIMIT = 2000
DATA = Path(os.environ.get("AESG_DATA") or Path(__file__).resolve().parents[3] / "shared" / "data")
NEEDS_DATA = pytest.mark.skipif(not (DATA / "wordnet").is_dir(), reason="WordNet is not here; AESG_DATA says where")


@NEEDS_DATA
def test_wordnet_goes_into_both_engines_and_check_agrees(served, examples, tmp_path):
    environment = os.environ | {
        "AESG_GRAPH": served.graph,
        "AESG_USER": served.user,
        "AESG_PASSWORD": served.password.get_secret_value(),
        "AESG_VECTORS": served.vectors,
        "AESG_GRPC_PORT": str(served.grpc_port or ""),
        "AESG_API_KEY": served.api_key.get_secret_value() if served.api_key else "",
        "AESG_DATA": str(DATA),
        "OMP_NUM_THREADS": "1",
    }
    picture = tmp_path / "telescope.png"
    given = ["--limit", str(LIMIT), "--memory", served.memory, "--picture", str(picture)]
    command = [sys.executable, "-W", "error", str(examples / "wordnet.py"), *given]
    run = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=240)
    assert run.returncode == 0, run.stdout[-2000:] + run.stderr[-4000:]
    told = " ".join(run.stdout.split())
    (edges,) = {int(n.replace(",", "")) for n in re.findall(r"2,000 synsets and ([\d,]+) edges", told)}
    assert told.count(f"2,000 concepts, {edges:,} edges: all agree") == 2
    assert "Embedded engine: everything in" in told
    assert "Served engine: everything in" in told
    assert "by spreading:" in told
    assert re.search(r"HYPERNYM \d+ 0\.\d{3} 0\.\d{3}", told)
    assert picture.stat().st_size > 10_000
    with neo4j.GraphDatabase.driver(served.graph, auth=(served.user, environment["AESG_PASSWORD"])) as driver:
        query = "MATCH (c:Noun {memory: $memory, name: 'entity'})<-[e:HYPERNYM]-(n) RETURN n.name AS name ORDER BY name"
        found = driver.execute_query(query, memory=served.memory).records
    assert [record["name"] for record in found] == ["abstraction", "physical entity", "thing"]


@NEEDS_DATA
def test_of_all_rows_each_is_an_edge_or_is_counted_as_dropped():
    from wordnet_demo.tables import INVERSE, SYMMETRIC, read, relation_types

    whole = read()
    dropped = whole.dropped
    assert (len(whole), whole.rows, whole.rows - dropped.repeated) == (117_659, 377_592, 364_552)
    assert whole.edge_count + dropped.repeated + dropped.loops + dropped.inverses + dropped.outside == whole.rows
    assert dropped.outside == 0
    assert {t.name for t in relation_types()} == set(whole.edges)
    assert not set(whole.edges) & {name.upper() for name in INVERSE}
    for name, ends in whole.edges.items():
        assert (ends[:, 0] != ends[:, 1]).all()
        assert len(np.unique(ends, axis=0)) == len(ends)
        if name.lower() in SYMMETRIC:
            assert (ends[:, 0] < ends[:, 1]).all()
    assert not any("(" in word and word.endswith(("(a)", "(p)", "(ip)")) for word in whole.words)


def test_the_same_text_gives_the_same_key_and_an_unknown_one_a_key_of_unit_length():
    from wordnet_demo.keys import Encoder

    letters = "abcdefghijklmnop"
    encoder = Encoder([f"word{a} thing{b} kind{a}{b}" for a in letters for b in letters], width=8)
    keys = encoder(["thing", "thingb kindc", "nothing known"])
    assert np.allclose(np.linalg.norm(keys, axis=1), 1.0, atol=1e-5)
    assert (encoder(["thing", "thingb kindc", "nothing known"]) == keys).all()


def test_data_that_is_not_there_is_asked_for(monkeypatch, tmp_path):
    from wordnet_demo.tables import folder

    monkeypatch.setenv("AESG_DATA", str(tmp_path))
    with pytest.raises(SystemExit, match="AESG_DATA names the folder"):
        folder()
