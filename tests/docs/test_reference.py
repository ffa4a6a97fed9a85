"""The reference is written from the docstrings, and is as they are."""

import importlib.util
import re
from pathlib import Path

import pytest

import aesg_graph

DOCS = Path(__file__).parents[2] / "docs"


@pytest.fixture(scope="module")
def reference():
    spec = importlib.util.spec_from_file_location("reference", DOCS / "reference.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_public_name_has_a_section(reference):
    assert set(aesg_graph.__all__) - reference.documented() == set()


def test_the_pages_are_what_the_docstrings_say(reference):
    written = {path.name: path.read_text() for path in (DOCS / "api").iterdir()}
    stale = {name for name, text in reference.pages() if written.get(name) != text}
    assert stale == set(), "run `make docs`"
    assert set(written) == {"README.md", *(f"{name}.md" for name in reference.PAGES)}


def test_no_mark_of_another_markup_is_left(reference):
    left = re.compile(r"(?<!`)``(?!`)|:(class|meth|func|mod|attr):|^-{3,}$|^={3,}", re.M)
    found = {name: left.findall(text) for name, text in reference.pages() if left.search(text)}
    assert found == {}
