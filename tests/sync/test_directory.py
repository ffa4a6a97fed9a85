"""The memory directory: one writer at a time, whole or not at all."""

import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys

import pytest

from aesg_graph.errors import AESGStorageError
from aesg_graph.stores.abc import WriterState
from aesg_graph.sync import Format, Journal, MemoryDirectory

HOLD = """
import sys
from aesg_graph.sync import MemoryDirectory
try:
    directory = MemoryDirectory.create_or_open(sys.argv[1])
except Exception as error:
    print("refused:", error, flush=True)
else:
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def path(tmp_path):
    return tmp_path / "memory"


def complete(path):
    """A completed directory with a journal and stand-ins for what is only looked at by name."""
    directory = MemoryDirectory.create_or_open(path, 4, 2)
    Journal.create(directory.journal, directory.identity).close()
    directory.graph.touch()
    directory.vectors.mkdir()
    directory.complete(4, 2, "digits")
    directory.close()


def hold(path):
    """Another process that has, or was refused, the directory; and what it said."""
    child = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    return child, child.stdout.readline()


def end(child):
    child.communicate(timeout=10)


def test_a_completed_directory_opens_with_what_it_says(path):
    complete(path)
    directory = MemoryDirectory.create_or_open(path)
    assert directory.format == Format(1, 4, 2, "embedded", "digits")
    assert not directory.fresh
    assert not directory.read_only
    assert json.loads((path / "format.json").read_text())["engine"] == "embedded"
    directory.close()
    directory.close()


def test_parents_are_made_and_the_name_is_the_directorys(tmp_path):
    directory = MemoryDirectory.create_or_open(tmp_path / "a" / "b")
    assert directory.fresh
    directory.complete(3, 0)
    assert directory.format.memory == "b"
    directory.close()


@pytest.mark.parametrize(
    ("dims", "said"), [((8, 2), "vector_dim=4.*vector_dim=8"), ((4, 0), "value_dim=2.*value_dim=0")]
)
@pytest.mark.parametrize("read_only", [False, True])
def test_other_dimensions_name_both(path, dims, said, read_only):
    complete(path)
    with pytest.raises(AESGStorageError, match=said):
        MemoryDirectory.create_or_open(path, *dims, read_only=read_only)
    MemoryDirectory.create_or_open(path, 4, None).close()


def test_another_format_version_names_both(path):
    complete(path)
    form = json.loads((path / "format.json").read_text())
    (path / "format.json").write_text(json.dumps(form | {"format": 7}))
    with pytest.raises(AESGStorageError, match=r"version 7.*version 1"):
        MemoryDirectory.create_or_open(path)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"format": 1}', "7"])
def test_a_damaged_format_file_is_named(path, text):
    complete(path)
    (path / "format.json").write_text(text)
    with pytest.raises(AESGStorageError, match=r"format\.json is damaged"):
        MemoryDirectory.create_or_open(path)


def test_a_file_is_no_directory(path):
    path.write_text("hello")
    for read_only in (False, True):
        with pytest.raises(AESGStorageError, match="is a file"):
            MemoryDirectory.create_or_open(path, 4, 2, read_only=read_only)
    with pytest.raises(AESGStorageError, match="cannot be written"):
        MemoryDirectory.create_or_open(path / "below", 4, 2)
    assert path.read_text() == "hello"


def test_other_peoples_files_are_left_alone(path):
    path.mkdir()
    (path / "thesis.tex").write_text("precious")
    with pytest.raises(AESGStorageError, match=r"thesis\.tex"):
        MemoryDirectory.create_or_open(path, 4, 2)
    assert os.listdir(path) == ["thesis.tex"]


def test_reading_what_is_not_there_is_an_error_and_creates_nothing(path):
    with pytest.raises(AESGStorageError, match="no memory in"):
        MemoryDirectory.create_or_open(path, read_only=True)
    assert not path.exists()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_directory_without_permission_is_named(path):
    complete(path)
    path.chmod(0o500)
    try:
        with pytest.raises(AESGStorageError, match=r"memory cannot be written"):
            MemoryDirectory.create_or_open(path)
        MemoryDirectory.create_or_open(path, read_only=True)
    finally:
        path.chmod(0o700)


def test_a_file_system_that_refuses_is_named(path, monkeypatch):
    complete(path)

    def refuse(*_, **__):
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(AESGStorageError, match=r"memory cannot be written to: .*Read-only file system"):
        MemoryDirectory.create_or_open(path)


@pytest.mark.parametrize(
    ("name", "mend"), [("journal.db", "check --repair"), ("graph.db", "from a copy"), ("vectors", "from a copy")]
)
@pytest.mark.parametrize("read_only", [False, True])
def test_a_missing_component_is_named_with_how_to_mend(path, name, mend, read_only):
    complete(path)
    shutil.rmtree(path / name) if name == "vectors" else (path / name).unlink()
    with pytest.raises(AESGStorageError, match=f"{name} is missing.*{mend}"):
        MemoryDirectory.create_or_open(path, read_only=read_only)
    if name == "journal.db":
        MemoryDirectory.create_or_open(path, repair=True).close()


# -- unfinished creation ------------------------------------------------------------------------------------------


def test_what_an_unfinished_creation_left_is_wiped(path):
    directory = MemoryDirectory.create_or_open(path, 4, 2)
    journal = Journal.create(directory.journal, directory.identity)
    journal.begin(WriterState(5, 1, 0), directory.identity)
    journal.close()
    (path / "vectors" / "deep").mkdir(parents=True)
    for name in ("graph.db", "graph.db-wal", "format.json.new", "working.npz"):
        (path / name).write_text("half")
    directory.close()
    again = MemoryDirectory.create_or_open(path, 9, 0)
    assert again.fresh
    assert os.listdir(path) == ["lock"]
    again.close()


@pytest.mark.parametrize("content", [b"", None])
def test_a_journal_that_was_never_finished_proves_nothing(path, content):
    path.mkdir()
    if content is None:
        connection = sqlite3.connect(path / "journal.db")
        connection.execute("CREATE TABLE something (x)")
        connection.close()
    else:
        (path / "journal.db").write_bytes(content)
    directory = MemoryDirectory.create_or_open(path, 4, 2)
    assert directory.fresh
    directory.close()


def test_lessons_are_never_wiped(path):
    complete(path)
    journal = Journal.open(path / "journal.db")
    journal.begin(WriterState(5, 1, 0), "1:2")
    journal.append([], 1.0)
    journal.close()
    (path / "format.json").unlink()
    before = sorted(os.listdir(path))
    with pytest.raises(AESGStorageError, match=r"format\.json is missing.*recorded lessons"):
        MemoryDirectory.create_or_open(path, 4, 2)
    assert sorted(os.listdir(path)) == before


def test_a_damaged_journal_is_never_wiped(path):
    path.mkdir()
    (path / "journal.db").write_bytes(b"x" * 9000)
    with pytest.raises(AESGStorageError, match="nothing was touched"):
        MemoryDirectory.create_or_open(path, 4, 2)
    assert (path / "journal.db").stat().st_size == 9000


# -- the lock -----------------------------------------------------------------------------------------------------


def test_a_second_process_is_refused_and_told_who_holds_it(path):
    complete(path)
    mine = MemoryDirectory.create_or_open(path)
    child, said = hold(path)
    end(child)
    for part in ("refused", f"process {os.getpid()} on ", "since 2"):
        assert part in said
    mine.close()
    child, said = hold(path)
    assert said == "held\n"
    end(child)


def test_the_holder_is_seen_from_outside(path):
    complete(path)
    child, _ = hold(path)
    with pytest.raises(AESGStorageError, match=f"in use by process {child.pid} on "):
        MemoryDirectory.create_or_open(path)
    reader = MemoryDirectory.create_or_open(path, read_only=True)
    assert reader.read_only
    assert reader.holder().pid == child.pid
    end(child)
    assert reader.holder() is None
    reader.close()


def test_the_lock_of_a_killed_process_is_taken_over(path):
    complete(path)
    child, _ = hold(path)
    child.send_signal(signal.SIGKILL)
    end(child)
    assert str(child.pid) in (path / "lock").read_text()
    directory = MemoryDirectory.create_or_open(path)
    assert directory.holder().pid == os.getpid()
    assert str(child.pid) not in (path / "lock").read_text()
    directory.close()


def test_looking_at_the_lock_in_its_own_process_does_not_drop_it(path):
    complete(path)
    mine = MemoryDirectory.create_or_open(path)
    reader = MemoryDirectory.create_or_open(path, read_only=True)
    assert reader.holder().pid == os.getpid()
    with pytest.raises(AESGStorageError, match="open in this process already"):
        MemoryDirectory.create_or_open(path)
    reader.close()
    child, said = hold(path)
    end(child)
    assert "refused" in said
    mine.close()
    assert reader.holder() is None


def test_a_forked_child_neither_holds_nor_drops_the_lock(path):
    complete(path)
    mine = MemoryDirectory.create_or_open(path)
    child = os.fork()
    if child == 0:  # pragma: no cover - runs in the child
        refused = False
        try:
            MemoryDirectory.create_or_open(path)
        except AESGStorageError as error:
            refused = str(os.getppid()) in error.message
        mine.close()
        os._exit(0 if refused else 1)
    assert os.waitpid(child, 0)[1] == 0
    other, said = hold(path)
    end(other)
    assert "refused" in said
    mine.close()


def test_a_failed_opening_gives_the_lock_back(path):
    complete(path)
    with pytest.raises(AESGStorageError, match="vector_dim"):
        MemoryDirectory.create_or_open(path, 5, 2)
    MemoryDirectory.create_or_open(path).close()


def test_a_copy_has_another_identity_and_a_move_has_not(path, tmp_path):
    complete(path)
    directory = MemoryDirectory.create_or_open(path, read_only=True)
    identity = directory.identity
    shutil.copytree(path, tmp_path / "copy")
    assert MemoryDirectory.create_or_open(tmp_path / "copy", read_only=True).identity != identity
    path.rename(tmp_path / "moved")
    assert MemoryDirectory.create_or_open(tmp_path / "moved", read_only=True).identity == identity
