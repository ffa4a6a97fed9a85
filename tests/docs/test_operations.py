"""The operator's page lists every setting with its default, and names only commands that there are."""

import re
from pathlib import Path

from typer.testing import CliRunner

from aesg_graph.cli.app import app
from aesg_graph.settings import StoreSettings

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "operations.md").read_text()


def test_every_setting_is_listed_with_its_default():
    listed = dict(re.findall(r"^\| `(\w+)` \| `(.*?)` \|", PAGE, re.M))
    assert listed == {name: repr(field.default) for name, field in StoreSettings.model_fields.items()}


def test_commands_exist():
    commands = set(re.findall(r"`?aesg ([a-z]+)", PAGE + (DOCS / "security.md").read_text()))
    helped = CliRunner().invoke(app, ["--help"]).output
    assert commands - set(re.findall(r"^  ([a-z]+)  ", helped, re.M)) == set()
