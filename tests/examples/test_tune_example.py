from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from aesg_graph import AESGConfig, AESGMemory


@pytest.mark.usefixtures("examples")
def test_the_example_proposes_and_what_it_proposes_opens_a_memory(examples: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-W", "error", str(examples / "tune.py"), "--limit", "300", "--plot", "tuning.png"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False, cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    pictures, named = done.stdout.split("Pictures with what they show")
    assert "their mean cosine is 0.69" in pictures
    assert "subtract the mean" in " ".join(pictures.split())
    assert "standard error" in named
    assert (tmp_path / "tuning.png").stat().st_size > 10_000
    said = {"AESGConfig": AESGConfig}
    exec(named[named.index("config = ") : named.index("\n)") + 2], said)
    config = said["config"]
    assert isinstance(config, AESGConfig)
    assert config.value_dim == 10
    AESGMemory(tmp_path / "memory", config).close()
