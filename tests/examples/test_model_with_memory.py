from __future__ import annotations

from pathlib import Path

import pytest


@pytest.mark.usefixtures("examples")
def test_a_model_with_memory_learns_tasks_one_after_another_and_keeps_them(tmp_path: Path) -> None:
    import model_with_memory

    # One that forgets, and knows only its last two digits, names no more than a fifth.
    assert model_with_memory.main(str(tmp_path / "memory"), passes=2) > 0.8
