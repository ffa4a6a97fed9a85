"""Spreading activation: pure functions over arrays, with no store, no file and no state but reused memory."""

from aesg_graph.activation.adjacency import Adjacency, from_edges, from_tables
from aesg_graph.activation.explain import Explained, Path, paths
from aesg_graph.activation.kernel import Spread, spread
from aesg_graph.activation.params import SpreadParams
from aesg_graph.activation.reference import spread_reference
from aesg_graph.activation.workspaces import Workspaces

__all__ = [
    "Adjacency",
    "Explained",
    "Path",
    "Spread",
    "SpreadParams",
    "Workspaces",
    "from_edges",
    "from_tables",
    "paths",
    "spread",
    "spread_reference",
]
