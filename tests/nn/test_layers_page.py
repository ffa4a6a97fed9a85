"""The page on layers: what it shows runs, in order."""

import re
import textwrap
from pathlib import Path

PAGE = (Path(__file__).parents[2] / "docs" / "layers.md").read_text()
BLOCKS = re.findall(r"(?:^    .*\n|^\n(?=    ))+", PAGE, re.M)


def test_the_examples_run(place, monkeypatch):
    monkeypatch.chdir(place)
    names = {}
    for block in BLOCKS:
        exec(textwrap.dedent(block), names)
    memory = names["memory"]
    kinds = {memory.concept(int(i)).kind for i in memory.storage.nodes["id"]}
    assert kinds == {"words", "sentences", "pictures", "cued", "concept"}
    assert names["found"].read().shape == (4, 64)
    memory.close()
