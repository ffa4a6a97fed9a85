"""Files of migrations: how they are named, split and compared; no server is needed."""

import pytest

from aesg_graph.errors import AESGStorageError
from aesg_graph.stores.neo4j.migration_files import available
from aesg_graph.stores.neo4j.schema_rules import made_by, promised


def written(folder, text, name="V0001__One_thing.cypher"):
    folder.mkdir(exist_ok=True)
    (folder / name).write_bytes(text.encode())
    return available(folder)[0]


def test_statements_end_with_a_semicolon_at_the_end_of_a_line(tmp_path):
    text = "// a remark; no statement\nCREATE (:A {name: 'a;b'}); // why; why not\n\n"
    text += "RETURN 'http://x'\n  AS x;\nRETURN 3\n"
    migration = written(tmp_path, text)
    assert migration.statements == ("CREATE (:A {name: 'a;b'})", "RETURN 'http://x'\n  AS x", "RETURN 3")
    assert (migration.name, migration.file) == ("One thing", "V0001__One_thing.cypher")


def test_remarks_line_endings_and_blank_space_do_not_change_a_checksum(tmp_path):
    plain = written(tmp_path / "a", "RETURN 1;\nRETURN 2;")
    other = written(tmp_path / "b", "// why\r\nRETURN\r\n   1 ; // so\r\n\r\n  RETURN 2;\r\n")
    assert plain.checksum == other.checksum


@pytest.mark.parametrize("text", ["RETURN 1;\nRETURN 3;", "RETURN 1;", "RETURN 2;\nRETURN 1;", "RETURN 1\nRETURN 2;"])
def test_another_statement_changes_a_checksum(tmp_path, text):
    assert written(tmp_path / "a", text).checksum != written(tmp_path / "b", "RETURN 1;\nRETURN 2;").checksum


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (["V0001__One.cypher", "V0003__Three.cypher"], "expected V0001, V0002"),
        (["V0002__Two.cypher"], "expected V0001, V0002"),
        (["V0001__One.cypher", "V0001__Uno.cypher"], "expected V0001, V0002"),
        (["second.cypher"], r"second\.cypher is no name of a migration"),
        (["V1__One.cypher"], r"V1__One\.cypher is no name of a migration"),
        ([], "expected V0001, V0002"),
    ],
)
def test_names_and_order_of_files_are_checked(tmp_path, names, said):
    for name in names:
        (tmp_path / name).write_text("RETURN 1;")
    with pytest.raises(AESGStorageError, match=said):
        available(tmp_path)


def test_what_the_package_makes_can_be_looked_for_and_made_again():
    """A statement that is not understood would be recorded without being seen to have worked."""
    for migration in available():
        for statement in migration.statements:
            assert made_by(statement) is not None, statement


def test_rules_are_read_from_statements():
    unique = made_by("CREATE CONSTRAINT a IF NOT EXISTS FOR (c:Concept)\n  REQUIRE (c.memory, c.id) IS UNIQUE")
    assert (unique.kind, unique.label, unique.properties) == ("uniqueness constraint", "Concept", ("memory", "id"))
    one = made_by("CREATE CONSTRAINT b IF NOT EXISTS FOR (m:Memory) REQUIRE m.name IS UNIQUE")
    assert one.properties == ("name",)
    words = made_by("CREATE FULLTEXT INDEX c IF NOT EXISTS FOR (c:Concept) ON EACH [c.name, c.text] OPTIONS {x: c.y}")
    assert (words.kind, words.properties) == ("full-text index", ("name", "text"))
    assert made_by("MATCH (c:Concept) SET c.kind = 'x'") is None


def test_rules_that_were_dropped_are_not_promised():
    create = "CREATE INDEX {} IF NOT EXISTS FOR (c:Concept) ON (c.{})"
    statements = [create.format("a", "x"), create.format("b", "y"), "DROP INDEX a IF EXISTS", create.format("a", "z")]
    assert {rule.properties for rule in promised(statements)} == {("y",), ("z",)}
