"""What concepts are called that nobody named, and how Neo4j labels their kinds; alike in both engines."""

from dataclasses import replace

import neo4j
import pytest

from aesg_graph.cli.app import app
from aesg_graph.config import StoreSettings
from aesg_graph.engine.core import MemoryEngine
from aesg_graph.engine.names import LENGTH, name_from
from aesg_graph.engine.naming import Named, name_concepts
from aesg_graph.errors import AESGMemoryError
from tests.served.world import CONFIG, V, vectors


@pytest.fixture(params=["embedded", "served"])
def engine(request, tmp_path):
    """An empty memory of each engine."""
    if request.param == "served":
        yield request.getfixturevalue("opened")("a")
        return
    one = MemoryEngine(tmp_path / "a", CONFIG, StoreSettings())
    yield one
    one.close()


def born(engine, count, seed=0, **lines):
    return engine.create(vectors(count, seed), vectors(count, seed + 1, V), **lines).tolist()


def called(engine, *ids):
    engine.flush()
    return [engine.inspector.concept(id).name for id in ids]


def test_a_text_names_what_is_born_with_it_and_the_name_is_marked(engine):
    ids = born(
        engine, 3, names=["given", None, None], texts=["any", "an instrument for seeing far things at sea", None]
    )
    assert called(engine, *ids) == ["given", "~an instrument for seeing far things…", None]
    assert [engine.inspector.concept(id).name_derived for id in ids] == [False, True, False]


def test_the_nameless_are_called_after_their_text_their_strongest_named_neighbour_or_their_kind(engine):
    told, seven, one, near, far, beside, alone = born(engine, 7, names=["", "seven", "one", None, None, None, None])
    engine.annotate([told], texts=["a round thing"])
    engine.link([near, near, far], [seven, one, near], "ASSOCIATION", [0.9, 0.4, 0.5])
    engine.link([beside], [seven], "CONTRADICTS", 1.0)  # along which no energy flows
    number = alone & ((1 << 43) - 1)
    assert name_concepts(engine) == Named(text=1, neighbour=2, kind=2)
    assert called(engine, told, seven, one, near, far) == ["~a round thing", "seven", "one", "~seven", "~seven"]
    assert called(engine, beside, alone) == [f"~concept {number - 1}", f"~concept {number}"]
    assert name_concepts(engine).total == 0


def test_given_names_replace_derived_ones_and_derived_ones_follow_when_asked_again(engine):
    hub, leaf = born(engine, 2, names=["old", None])
    engine.link([hub], [leaf])
    name_concepts(engine)
    engine.annotate([hub], names=["new"])
    assert name_concepts(engine).total == 0
    assert called(engine, leaf) == ["~old"]
    assert name_concepts(engine, again=True) == Named(text=0, neighbour=1, kind=0)
    engine.annotate([leaf], names=["leaf"])
    assert name_concepts(engine, again=True).total == 0
    assert called(engine, hub, leaf) == ["new", "leaf"]


def test_a_limit_names_the_lowest_ids_first(engine):
    ids = born(engine, 3)
    assert name_concepts(engine, limit=2).total == 2
    assert [name is None for name in called(engine, *ids)] == [False, False, True]


def test_nothing_is_named_in_inference_or_inside_a_step_or_with_a_limit_of_none_at_all(engine):
    born(engine, 1)
    for wrong in (0, -1, True, 1.5):
        with pytest.raises(AESGMemoryError, match="whole number of at least 1"):
            name_concepts(engine, limit=wrong)
    with engine.step(), pytest.raises(AESGMemoryError, match="inside a step"):
        name_concepts(engine)
    engine.set_mode("INFERENCE")
    assert name_concepts(engine).total == 0


def test_names_from_texts_are_short():
    assert name_from("  \n") is None
    assert name_from("One.") == "~One"
    assert name_from("...") == "~..."
    assert name_from("x" * 1000) == "~" + "x" * LENGTH + "…"
    assert name_from("a b c d e f, g") == "~a b c d e f…"
    assert len(name_from("extraordinarily " * 10)) <= LENGTH + 2


def test_the_command_names_a_memory_that_nobody_has_open(tmp_path, capsys):
    with pytest.raises(SystemExit) as ended:
        app(["name", "-d", str(tmp_path / "none")])
    assert ended.value.code == 3
    one = MemoryEngine(tmp_path / "m", CONFIG, StoreSettings())
    (id,) = born(one, 1)
    one.close()
    MemoryEngine(tmp_path / "m", replace(CONFIG, memory_mode="INFERENCE"), StoreSettings()).close()
    with pytest.raises(SystemExit) as ended:
        app(["name", "-d", str(tmp_path / "m")])
    assert not ended.value.code
    assert "1 named: 0 by text, 0 by neighbour, 1 by kind" in capsys.readouterr().out
    again = MemoryEngine(tmp_path / "m", None, StoreSettings())
    assert called(again, id)[0].startswith("~concept ")
    again.close()


def test_neo4j_shows_kinds_as_labels_where_they_make_a_plain_one(opened, served):
    engine = opened("a")
    kinds = {
        "word sense": ["WordSense"],
        "verb": ["Verb"],
        "web_page-2": ["WebPage2"],
        "concept": [],
        "memory": [],  # a label of the package's own
        "2nd": [],
        "mot clé": [],
        "x`) DETACH DELETE n //": [],
    }
    for seed, kind in enumerate(kinds):
        born(engine, 1, seed, kind=kind)
    engine.flush()
    auth = (served.user, served.password.get_secret_value())
    with neo4j.GraphDatabase.driver(served.graph, auth=auth) as driver:
        query = "MATCH (c:Concept {memory: $memory}) RETURN c.kind, labels(c)"
        found = driver.execute_query(query, memory=served.memory).records
    assert {kind: sorted(set(labels) - {"Concept"}) for kind, labels in found} == kinds
