"""What goes wrong is told on stderr, without a traceback, with an exit code; help is quick."""

import json
import shutil
import subprocess
import sys
import time

import numpy as np
import pytest

import aesg_graph

COMMANDS = ("stats", "show", "search", "neighbors", "explain", "history", "check", "optimize", "export")


def failed(aesg, *command):
    """The message of a command that fails, for people and for machines alike."""
    people, machine = aesg(*command), aesg(*command, "--json")
    assert (people.code, people.out) == (3, "")
    assert people.err.startswith("aesg: ")
    assert "Traceback" not in people.err
    assert (machine.code, machine.out) == (3, "")
    told = json.loads(machine.err)
    assert people.err == f"aesg: {told['error']}\n"
    return told


@pytest.mark.parametrize("command", ["stats", "history", "check", "optimize", "export x.jsonl", "show 1"])
def test_where_there_is_no_memory_it_is_said_and_none_is_made(aesg, tmp_path, command):
    told = failed(aesg, *command.split(), "-d", tmp_path / "absent")
    assert "There is no memory in" in told["error"]
    assert told["subsystem"] == "storage"
    (tmp_path / "empty").mkdir()
    assert "no format.json" in failed(aesg, *command.split(), "-d", tmp_path / "empty")["error"]
    (tmp_path / "file").write_text("text")
    assert "is a file" in failed(aesg, *command.split(), "-d", tmp_path / "file")["error"]
    assert sorted(p.name for p in tmp_path.iterdir()) == ["empty", "file", "memory"]
    assert list((tmp_path / "empty").iterdir()) == []


@pytest.mark.parametrize("command", ["show 7", "neighbors 7", "explain 7 {0}", "explain {0} 7", "search --near 7"])
def test_an_unknown_id(aesg, ids, command):
    told = failed(aesg, *command.format(*ids).split())
    assert "Concept 7 does not exist in the memory in" in told["error"]
    assert told["subsystem"] == "memory"


def test_an_id_that_cannot_be_one(aesg):
    assert "2^63" in failed(aesg, "show", 10**30)["error"]
    assert aesg("show", "zebra").code == 2
    assert aesg("show", "--", "-1").code == 2


def test_vectors_that_cannot_be_searched_for(aesg, tmp_path):
    file = tmp_path / "v.npy"
    for vector, said in (
        (np.zeros(6), "zero"),
        (np.ones(5), "expected [N, 6]"),
        (np.full(6, np.nan), "finite"),
        (np.array(["a"] * 6), "expected real numbers"),
        (np.ones((2, 6)), "shape"),
    ):
        np.save(file, vector)
        assert said in failed(aesg, "search", "--vector", file)["error"]
    file.write_text("no numbers")
    assert "is not a .npy file" in failed(aesg, "search", "--vector", file)["error"]
    assert aesg("search", "--vector", tmp_path / "absent.npy").code == 2


@pytest.mark.parametrize(
    "command",
    ["search", "search --near 1 --text a", "search --text a -n 0", "frobnicate", "show", "explain 1", "stats --frob"],
)
def test_what_is_not_understood(aesg, command):
    answer = aesg(*command.split())
    assert (answer.code, answer.out) == (2, "")
    assert "Usage: aesg" in answer.err


def test_an_unknown_type_of_event(aesg):
    assert "expected some of CREATE" in failed(aesg, "history", "--type", "BIRTH")["error"]


def test_settings_that_are_wrong(aesg, monkeypatch):
    monkeypatch.setenv("AESG_CACHE_BYTES", "much")
    told = failed(aesg, "optimize")
    assert "cache_bytes" in told["error"]
    assert told["subsystem"] == "config"


@pytest.mark.parametrize("command", ["stats", "show {0}", "search --text n", "history", "export {0}.jsonl"])
def test_a_missing_part_is_named_with_how_to_mend(aesg, path, ids, command):
    command = command.format(*ids).split()
    for part, mend in (("journal.db", "check --repair"), ("vectors", "check --repair"), ("graph.db", "from a copy")):
        (path / part).rename(path.parent / part)
        told = failed(aesg, *command)["error"]
        assert f"{part} is missing" in told
        assert mend in told
        (path.parent / part).rename(path / part)
    assert aesg("stats").code == 0


def test_check_without_a_journal_or_vectors_finds_it_and_repair_mends_it(aesg, path):
    (path / "journal.db").unlink()
    assert [f["kind"] for f in aesg("check", "--json").json["findings"]] == ["journal"]
    assert aesg("check", "--repair").code == 0
    shutil.rmtree(path / "vectors")
    answer = aesg("check", "--json")
    assert (answer.code, [f["kind"] for f in answer.json["findings"]]) == (1, ["vector store"])


@pytest.mark.parametrize("kept", [0, 100, 5000, 30000])
def test_a_truncated_graph_is_an_error_or_a_finding_never_an_answer(aesg, path, ids, kept):
    graph = path / "graph.db"
    whole = graph.read_bytes()
    assert len(whole) > kept
    graph.write_bytes(whole[:kept])
    checked = aesg("check", "--json")
    assert checked.code in (1, 3)
    assert "graph" in (checked.out + checked.err)
    assert aesg("check", "--repair").code == checked.code
    assert aesg("show", ids[0]).code == 3
    assert graph.read_bytes() == whole[:kept]


@pytest.mark.parametrize("kept", [0, 100, 5000])
def test_a_truncated_journal_is_an_error_to_look_at_and_mended_by_repair(aesg, path, kept):
    journal = path / "journal.db"
    journal.write_bytes(journal.read_bytes()[:kept])
    assert "journal" in failed(aesg, "stats")["error"]
    assert aesg("check").code == 1
    assert aesg("check", "--repair").code == 0
    assert aesg("stats").code == 0


def test_a_damaged_shard_is_an_error_only_where_vectors_are_needed(aesg, path, ids):
    (path / "cache" / "header.bin").unlink()
    shutil.rmtree(next((path / "vectors" / "segments").iterdir()))
    assert "damaged" in failed(aesg, "search", "--near", ids[0])["error"]
    assert aesg("stats").code == 0
    assert aesg("search", "--text", "zebra").code == 0
    assert aesg("check").code == 1


# -- the command itself -----------------------------------------------------------------------------------------------


def run(*arguments):
    return subprocess.run([sys.executable, "-m", "aesg_graph.cli", *arguments], capture_output=True, text=True)


def test_help_names_every_command_and_the_exit_codes(aesg):
    answer = aesg("--help")
    assert answer.code == 0
    assert all(f"\n  {command} " in answer.out for command in COMMANDS)
    assert "Exit codes: 0" in answer.out
    assert "..." not in answer.out.partition("Commands:")[2]
    for command in COMMANDS:
        told = aesg(command, "--help").out
        assert "--json" in told
        assert "AESG_DIRECTORY" in told
        assert max(map(len, told.splitlines())) <= 80


def test_nothing_asked_shows_the_help(aesg):
    answer = aesg()
    assert answer.code == 2
    assert "Commands:" in answer.out + answer.err


def test_the_version(aesg):
    assert aesg("--version").out == f"aesg-graph {aesg_graph.__version__}\n"


def test_help_answers_within_half_a_second():
    def seconds():
        begun = time.perf_counter()
        assert run("--help").returncode == 0
        return time.perf_counter() - begun

    assert min(seconds() for _ in range(5)) < 0.5


def test_a_command_ends_quietly_when_nobody_reads_on(path):
    command = f"'{sys.executable}' -m aesg_graph.cli history -d '{path}' -n 1000 --json | head -n 1"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("{\n", "")


def test_a_terminal_that_cannot_show_a_name_shows_the_rest(path, monkeypatch):
    monkeypatch.setenv("PYTHONIOENCODING", "ascii")
    done = run("export", str(path.parent / "ü.jsonl"), "-d", str(path))
    assert (done.returncode, done.stderr) == (0, "")
    assert "11 concepts" in done.stdout
