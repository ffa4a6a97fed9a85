"""The Cypher texts: one file a statement in ``schema/cypher``, which the wheel holds beside this module."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from aesg_graph.errors import AESGMemoryError
from aesg_graph.relations import NAME

HERE = Path(__file__).parent
CHECKOUT = HERE.parents[2] / "schema"
COMMENT = "//"


def folder(name: str) -> Path:
    """Where files of this kind (``cypher``) lie: beside this module in a wheel, in ``schema`` in a checkout."""
    inside = HERE / name
    return inside if inside.is_dir() else CHECKOUT / name


def migrations_folder() -> Path:
    """Where the migrations lie: beside this module in a wheel, in ``migrations`` in a checkout."""
    inside = HERE / "migrations"
    return inside if inside.is_dir() else HERE.parents[2] / "migrations"


@cache
def cypher(name: str, type: str | None = None) -> str:
    """The statement in ``<name>.cypher`` without its comments.

    Values travel as parameters. Only a relationship type cannot: it stands for ``{type}`` in the file, and must be a
    declared one's name (AESGMemoryError), which no quoting could break out of.
    """
    lines = (folder("cypher") / f"{name}.cypher").read_text(encoding="utf-8").splitlines()
    text = "\n".join(line for line in lines if not line.lstrip().startswith(COMMENT)).strip()
    return text if type is None else text.replace("{type}", quoted(type))


def quoted(type: str) -> str:
    """A relationship type in backticks. AESGMemoryError for a name that no declared type could have."""
    if not NAME.fullmatch(type):
        raise AESGMemoryError(
            f"The relation type {type[:80]!r} cannot be stored; expected A-Z, 0-9 and _, beginning with a letter"
        )
    return f"`{type}`"
