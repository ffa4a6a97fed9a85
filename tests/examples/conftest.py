from __future__ import annotations

from pathlib import Path

import pytest

EXAMPLES = Path(__file__).resolve().parent.parent.parent / "examples"


@pytest.fixture
def examples(monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of examples, from which they can be imported as they are when they run as scripts."""
    monkeypatch.syspath_prepend(str(EXAMPLES))
    return EXAMPLES
