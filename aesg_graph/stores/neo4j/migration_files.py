"""The migrations of this package: numbered files of Cypher, named as neo4j-migrations names them."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

from aesg_graph.errors import AESGStorageError
from aesg_graph.stores.neo4j.statements import COMMENT, migrations_folder

NAMED = re.compile(r"V(\d{4})__(\w+)\.cypher")
END = re.compile(rf";[ \t]*(?:{COMMENT}.*)?$", re.MULTILINE)
"""A statement ends with a semicolon at the end of a line; a remark may follow it."""


@dataclass(frozen=True)
class Migration:
    """One file: its number, its name, and the statements in it.

    The checksum is SHA-256 over the statements; lines of remarks, line endings and blank space do not matter to it.
    """

    version: int
    name: str
    checksum: str
    statements: tuple[str, ...]

    @property
    def file(self) -> str:
        """The file's name."""
        return f"V{self.version:04}__{self.name.replace(' ', '_')}.cypher"


def available(folder: Path | None = None) -> list[Migration]:
    """The migrations of this package, by number. AESGStorageError for a file that is not named as one, or a gap."""
    found = sorted((folder or migrations_folder()).glob("*.cypher"))
    migrations = [_parsed(path) for path in found]
    if not found or [m.version for m in migrations] != list(range(1, len(migrations) + 1)):
        raise AESGStorageError(f"The migrations are {[p.name for p in found]}, expected V0001, V0002 and so on")
    return migrations


def _parsed(path: Path) -> Migration:
    named = NAMED.fullmatch(path.name)
    if named is None:
        raise AESGStorageError(f"{path.name} is no name of a migration, expected V0001__Name.cypher")
    lines = path.read_text(encoding="utf-8").splitlines()
    text = "\n".join(line.rstrip() for line in lines if line.strip() and not line.lstrip().startswith(COMMENT))
    statements = tuple(statement.strip() for statement in END.split(text) if statement.strip())
    plain = "\n".join(" ".join(statement.split()) for statement in statements)
    return Migration(int(named[1]), named[2].replace("_", " "), hashlib.sha256(plain.encode()).hexdigest(), statements)
