"""A memory in formats that other tools read: GraphML and JSON lines."""

from aesg_graph.interchange.export import FORMATS, Exported, export

__all__ = ["FORMATS", "Exported", "export"]
