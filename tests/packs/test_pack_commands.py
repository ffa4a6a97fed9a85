"""aesg pack: export, show, import."""

import json
import os

import numpy as np
import pytest
from pack_scenes import D, N, V, rows

from aesg_graph import AESGConfig, AESGMemory
from aesg_graph.cli.app import app


@pytest.fixture
def aesg(capsys, monkeypatch):
    """Run a command; its exit code and what it printed."""
    monkeypatch.setenv("COLUMNS", "100")

    def run(*arguments):
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            app([str(argument) for argument in arguments], prog_name="aesg")
        said = capsys.readouterr()
        return ended.value.code or 0, said.out, said.err

    return run


def test_a_pack_goes_from_one_directory_to_another(aesg, birds, tmp_path):
    memory, _ = birds
    out = tmp_path / "few.aesgpack"
    code, said, _ = aesg("pack", "export", out, "-d", memory.directory, "--kind", "bird", "--name", "few birds")
    assert (code, f"{N // 2} concepts and {N // 2 + 4} edges in" in said) == (0, True)
    AESGMemory(tmp_path / "other", memory.config).close()
    code, said, _ = aesg("pack", "import", out, "-d", tmp_path / "other", "--json")
    assert (code, json.loads(said)) == (0, {"concepts": N // 2, "edges": N // 2 + 4, "left_out": 0})
    with AESGMemory(tmp_path / "other") as other:
        assert other.storage.node_count == N // 2


def test_show_says_what_is_in_a_pack(aesg, packed, birds):
    count = birds[0].storage.node_count
    code, said, _ = aesg("pack", "show", packed)
    assert code == 0
    for told in (
        "birds",
        "8 for keys, 3 for values",
        f"{count}, ",
        "bird 20",
        "wren 4",
        "CAUSAL 39",
        "EATS 6",
        "bird 1",
    ):
        assert told in said
    told = json.loads(aesg("pack", "show", packed, "--json", "-n", 3)[1])
    assert (told["concepts"], told["kinds"]["wren"], told["relations"]["EATS"], told["version"]) == (count, 4, 6, 2)
    assert len(told["names"]) == 3
    assert [n["uses"] for n in told["names"]] == sorted((n["uses"] for n in told["names"]), reverse=True)
    assert told["provenance"]["memory"] == "memory"


def test_an_empty_selection_says_so(aesg, birds, tmp_path):
    code, _, said = aesg("pack", "export", tmp_path / "none", "-d", birds[0].directory, "--kind", "fish")
    assert (code, "nothing to pack" in said, os.listdir(tmp_path)) == (3, True, [])


@pytest.mark.parametrize("command", ["show", "import"])
def test_what_is_no_pack_is_told_on_stderr(aesg, tmp_path, command):
    (tmp_path / "diary").write_text("dear diary")
    code, _, said = aesg("pack", command, tmp_path / "diary", *(["-d", tmp_path] if command == "import" else []))
    assert code == 3
    assert said.startswith("aesg: ")


def test_import_without_room_writes_nothing_and_says_no(aesg, packed, tmp_path, birds):
    config = AESGConfig(vector_dim=D, value_dim=V, max_concepts=10, memory_mode="ONLINE", relations={"EATS": (1, 0)})
    AESGMemory(tmp_path / "small", config).close()
    code, said, _ = aesg("pack", "import", packed, "-d", tmp_path / "small")
    assert (code, "no room" in said) == (1, True)


def test_export_works_beside_an_owner_and_replaces_only_when_asked(aesg, tmp_path):
    with AESGMemory(tmp_path / "memory", AESGConfig(vector_dim=D)) as memory:
        memory.create(rows(6, 0))
        memory.flush()
        out = tmp_path / "six.aesgpack"
        code, said, _ = aesg("pack", "export", out, "-d", tmp_path / "memory", "--json")
        assert (code, json.loads(said)["concepts"]) == (0, 6)
        assert np.array_equal(memory.load_pack(out).rows.ids, memory.storage.nodes["id"])
        assert aesg("pack", "export", out, "-d", tmp_path / "memory")[0] == 3
        assert aesg("pack", "export", out, "-d", tmp_path / "memory", "--overwrite")[0] == 0


def test_every_command_shows_an_example(aesg):
    for command in ("export", "show", "import"):
        assert "Example: aesg pack" in " ".join(aesg("pack", command, "--help")[1].split())
