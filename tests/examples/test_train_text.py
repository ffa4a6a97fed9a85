from __future__ import annotations

from pathlib import Path

import pytest


@pytest.mark.usefixtures("examples")
def test_a_language_model_is_interrupted_and_goes_on(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    import train_text

    said = train_text.main(tmp_path, epochs=12)
    assert said["epochs"] == 12
    # Words drawn at random would be right in one of 28; the most frequent word in one of nine.
    assert said["words of unseen texts that were right"] > 0.5
    assert said["concepts"] > 0
    assert "..." in capsys.readouterr().out
    assert [entry.name for entry in (tmp_path / "checkpoints").iterdir()] == ["epoch_10"]
