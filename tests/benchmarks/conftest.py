"""The benchmarks are scripts beside the package: here their folder can be imported from."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))

from settings import Setting


@pytest.fixture
def tiny(tmp_path: Path) -> Setting:
    """A run that is over at once."""
    return Setting(tmp_path, sizes=(300,), seconds=0.02, rounds=3, other_seconds=0.05)
