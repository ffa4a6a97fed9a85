"""Where a memory is, as a person names it: a directory, or ``served:NAME`` on the servers that the settings say."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from aesg_graph.errors import AESGConfigError
from aesg_graph.settings import EMBEDDED, StoreSettings
from aesg_graph.sync import MemoryDirectory
from aesg_graph.sync.directory import FORMAT
from aesg_graph.validation import HEADING

SERVED = "served:"


@dataclass(frozen=True)
class Place:
    """A memory's place. ``path`` is its directory in the embedded engine, None on servers."""

    path: Path | None
    settings: StoreSettings

    @classmethod
    def named(cls, text: str) -> Place:
        """The place that a text names.

        ``served:NAME`` is the memory NAME on the servers of the environment (``AESG_GRAPH``, ``AESG_VECTORS`` and the
        credentials); ``served:NAME@FILE`` on those that FILE says, in lines as ``AESG_GRAPH=neo4j://host:7687``.
        Anything else is a directory; one that belongs to a served memory stands for that. AESGConfigError for settings
        that are missing or bad.
        """
        if text.startswith(SERVED):
            name, _, file = text.removeprefix(SERVED).partition("@")
            return cls(None, _served(name, file))
        path = Path(text).expanduser().absolute()
        if (path / FORMAT).is_file():
            form = MemoryDirectory.create_or_open(path, read_only=True, repair=True).format
            if form is not None and form.engine == "served":
                return cls(None, _served(form.memory, ""))
        return cls(path, StoreSettings(graph=EMBEDDED, vectors=EMBEDDED, memory=None))

    def __str__(self) -> str:
        return str(self.path) if self.path is not None else f"{SERVED}{self.settings.memory}"


def _served(name: str, file: str) -> StoreSettings:
    if file and not Path(file).expanduser().is_file():
        raise AESGConfigError(HEADING, {"file": f"got {file!r}, which is no file, expected served:NAME@FILE"})
    known = {"_env_file": Path(file).expanduser()} if file else {}
    settings = StoreSettings(memory=name, **known)  # type: ignore[arg-type]  # one of pydantic-settings' own
    if settings.engine != "served":
        expected = f"got None, expected the address of a server (AESG_GRAPH, AESG_VECTORS) for {SERVED}{name}"
        raise AESGConfigError(HEADING, {"graph": expected})
    return settings
