from __future__ import annotations

from pathlib import Path

import pytest


@pytest.mark.usefixtures("examples")
def test_a_directory_of_aesg_becomes_a_memory(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    import coming_from_aesg

    source = coming_from_aesg.made_by_aesg(tmp_path / "aesg_memory")
    report = coming_from_aesg.main(source, tmp_path / "memory")
    said = capsys.readouterr().out
    assert report.added == 8 * 25 - 2  # one was merged away, one had no direction
    assert {"inactive", "not_finite", "dangling"} <= {found.what for found in report.findings}
    assert "asked with the vector of 'aesg id " in said
    assert f"imported again: 0 are new, {report.added} were there" in said
