from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest


@pytest.mark.usefixtures("examples")
def test_a_text_model_learns_a_file_and_goes_on_writing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    import text_model

    file = tmp_path / "text"
    file.write_text("the cat sat on the mat and the dog sat on the log. " * 20)
    written = text_model.main(file, str(tmp_path / "memory"), steps=30)
    assert written.startswith("the cat sat on the mat and the d")
    assert len(written) == text_model.ROW + 160
    made = list(pairwise(written[text_model.ROW :]))
    known = set(pairwise(file.read_text()))
    assert sum(pair in known for pair in made) > 0.7 * len(made)  # by chance it would be a tenth of them
    assert "concepts" in capsys.readouterr().out


@pytest.mark.usefixtures("examples")
def test_an_image_model_learns_the_digits(tmp_path: Path) -> None:
    import image_model

    full, empty = image_model.main(str(tmp_path / "memory"), passes=2, examples=600)
    assert full > 0.5
    assert empty != full
