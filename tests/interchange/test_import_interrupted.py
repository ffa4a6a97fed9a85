"""An import that is killed, or finds the disk full, leaves what can be done again; then everything is there once."""

import subprocess
import sys

import pytest

from aesg_graph.config import AESGConfig
from aesg_graph.interchange.aesg import import_aesg
from tests.interchange.aesg_world import DIM, engine_at, held
from tests.interchange.test_importing_aesg import expect_all

KILLED = """
import os, sys
from aesg_graph.interchange.aesg import import_aesg
import_aesg(sys.argv[1], sys.argv[2], tell=lambda what, done, total: what == sys.argv[3] and os._exit(9))
"""


def run(code, *arguments, **how):
    command = [sys.executable, "-c", code, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, **how)


@pytest.mark.parametrize(("there", "moment"), [(False, "concepts"), (False, "edges"), (True, "concepts")])
def test_what_was_killed_is_done_by_the_next(original, folder, tmp_path, there, moment):
    place = tmp_path / "memory"
    if there:
        with engine_at(place, AESGConfig(vector_dim=DIM)):
            pass
    assert run(KILLED, folder, place, moment).returncode == 9
    assert (held(place).concepts == {}) if there else not place.exists()
    report = import_aesg(folder, place)
    assert (report.made, report.there) == (not there, 0)
    expect_all(held(place), original)


FULL = """
import resource, sys
from aesg_graph.errors import AESGStorageError
from aesg_graph.interchange.aesg import import_aesg
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[3]),) * 2)
try:
    import_aesg(sys.argv[1], sys.argv[2])
except AESGStorageError as error:
    print(error)
"""


@pytest.mark.parametrize("size", [2_000, 20_000])
def test_a_full_disk_is_an_error_and_leaves_nothing(folder, tmp_path, size):
    (tmp_path / "place").mkdir()
    done = run(FULL, folder, tmp_path / "place" / "memory", size)
    assert (done.returncode, done.stderr) == (0, "")
    assert "File too large" in done.stdout or "disk" in done.stdout
    assert list((tmp_path / "place").iterdir()) == []
