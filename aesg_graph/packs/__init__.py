"""Packs: some of a memory in one file, to be attached to another memory, or taken into it for good."""

from aesg_graph.packs.exporting import Filters, Packed, Source, export_pack
from aesg_graph.packs.importing import import_pack
from aesg_graph.packs.manager import PackManager
from aesg_graph.packs.pack import MemoryPack, load_pack
from aesg_graph.packs.reading import PackFile

__all__ = [
    "Filters",
    "MemoryPack",
    "PackFile",
    "PackManager",
    "Packed",
    "Source",
    "export_pack",
    "import_pack",
    "load_pack",
]
