"""Memories as wholes: backed up, restored and copied, from any engine to any."""

from aesg_graph.engine.moving.copying import copy
from aesg_graph.engine.moving.moves import BackedUp, Restored, backup, backup_open, restore
from aesg_graph.engine.moving.places import Place

__all__ = ["BackedUp", "Place", "Restored", "backup", "backup_open", "copy", "restore"]
