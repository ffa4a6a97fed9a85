"""``aesg import`` as a person and as a script meet it."""

import json

import pytest

from aesg_graph.cli.app import app
from tests.interchange.aesg_world import DIM, changed_edges, changed_nodes, text


@pytest.fixture
def aesg(capsys, monkeypatch):
    """Run a command in this process; its exit code, what it said, and what it said on stderr."""
    monkeypatch.delenv("AESG_DIRECTORY", raising=False)
    monkeypatch.setenv("COLUMNS", "200")

    def run(*arguments):
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            app([str(argument) for argument in arguments], prog_name="aesg")
        said = capsys.readouterr()
        return ended.value.code or 0, said.out, said.err

    return run


def test_what_came_is_found_by_its_old_id(aesg, original, folder, tmp_path):
    code, out, _ = aesg("import", folder, "-d", tmp_path / "memory", "--kind", "old")
    assert code == 0
    assert f"{len(original.active)} concepts of {DIM} dimensions" in out
    assert "concepts that aesg had pruned or merged: left out" in out
    id = original.active["id"][4]
    code, out, _ = aesg("search", "-d", tmp_path / "memory", "--text", text(id), "--json")
    (found,) = json.loads(out)["results"]
    assert (code, found["kind"], found["text"]) == (0, "old", text(id))


def test_a_script_gets_one_object(aesg, original, folder, tmp_path):
    with changed_nodes(folder) as rows:
        rows["vector"][0] = float("nan")
        id = int(rows["id"][0])
    code, out, err = aesg("import", folder, "-d", tmp_path / "memory", "--json")
    said = json.loads(out)
    assert (code, err, said["made"], said["dry_run"]) == (0, "", True, False)
    assert said["added"] == said["concepts"] == len(original.active) - 1
    findings = {found["what"]: found for found in said["findings"]}
    assert (findings["not_finite"]["count"], findings["not_finite"]["first"]) == (1, [id])
    assert "NaN" in findings["not_finite"]["told"]


def test_a_dry_run_needs_no_place(aesg, folder):
    code, out, _ = aesg("import", folder, "--dry-run")
    assert (code, "nothing was written" in out) == (0, True)


def test_many_ids_are_told_by_the_first(aesg, folder):
    with changed_edges(folder) as rows:
        rows["target"][:20] = 5
    _, out, _ = aesg("import", folder, "--dry-run")
    assert ", ...)" in out


def test_a_place_has_to_be_named(aesg, folder):
    code, _, err = aesg("import", folder)
    assert (code, "expected -d with a directory or served:NAME" in err) == (3, True)


def test_errors_are_told_on_stderr(aesg, folder, pack, tmp_path):
    pack.write_bytes(pack.read_bytes()[:-1])
    for arguments, said in (
        ([tmp_path / "nothing"], "There is nothing at"),
        ([pack], "is damaged: its header says"),
        ([folder, "--config", tmp_path / "none.json"], "Cannot read"),
        ([folder, "--vector-dim", "7"], f"makes sense with vector_dim={DIM}, and vector_dim=7 was said"),
    ):
        code, out, err = aesg("import", *arguments, "-d", tmp_path / "memory")
        assert (code, out) == (3, "")
        assert said in err
    assert not (tmp_path / "memory").exists()


def test_a_configuration_can_be_given(aesg, folder, tmp_path):
    (tmp_path / "config.json").write_text(json.dumps({"vector_dim": DIM, "top_k": 3}))
    code, _, err = aesg("import", folder, "-d", tmp_path / "memory", "--config", tmp_path / "config.json")
    assert (code, err) == (0, "")
