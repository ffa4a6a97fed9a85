"""Ways to ask, and something to ask about."""

import pytest
from cli_world import Answer, build
from sparse_files import copy_tree

from aesg_graph.cli.app import app


@pytest.fixture(scope="session")
def built(tmp_path_factory):
    path = tmp_path_factory.mktemp("built") / "memory"
    return path, build(path)


@pytest.fixture
def path(built, tmp_path):
    """A closed memory of this test's own."""
    return copy_tree(built[0], tmp_path / "memory")


@pytest.fixture
def ids(built):
    return built[1]


@pytest.fixture
def aesg(path, capsys, monkeypatch):
    """Run a command on the memory, in this process."""
    monkeypatch.setenv("AESG_DIRECTORY", str(path))
    monkeypatch.setenv("COLUMNS", "80")

    def run(*arguments):
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            app([str(argument) for argument in arguments], prog_name="aesg")
        said = capsys.readouterr()
        return Answer(ended.value.code or 0, said.out, said.err)

    return run
