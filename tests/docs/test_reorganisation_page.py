"""The example of the page on reorganisation prints what the page says, and what it says of defaults is so."""

import re
import subprocess
import sys
from pathlib import Path

from aesg_graph.config import AESGConfig

PAGE = (Path(__file__).parents[2] / "docs" / "reorganisation.md").read_text()


def test_the_example_prints_what_the_page_says(tmp_path):
    (example,) = re.findall(r"```python\n(.*?)```", PAGE, re.S)
    (expected,) = re.findall(r"```text\n(.*?)```", PAGE, re.S)
    run = subprocess.run(
        [sys.executable, "-W", "error", "-c", example], cwd=tmp_path, capture_output=True, text=True, timeout=120
    )
    assert run.returncode == 0, run.stderr
    assert run.stdout == expected


def test_defaults_are_as_the_page_says():
    config = AESGConfig()
    told = dict(re.findall(r"`(\w+)` \[([^]]+)\]", PAGE))
    assert len(told) >= 5
    assert told == {name: str(getattr(config, name)) for name in told}
