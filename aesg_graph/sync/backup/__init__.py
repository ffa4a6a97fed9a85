"""Backups: a memory's rows and vectors in a folder, taken while others write, and put back without loss."""

from aesg_graph.sync.backup.archive import Archive, ArchiveWriter, Held, Manifest, Part
from aesg_graph.sync.backup.putting import Target, put_back
from aesg_graph.sync.backup.taking import Progress, Taking, silent

__all__ = [
    "Archive",
    "ArchiveWriter",
    "Held",
    "Manifest",
    "Part",
    "Progress",
    "Taking",
    "Target",
    "put_back",
    "silent",
]
