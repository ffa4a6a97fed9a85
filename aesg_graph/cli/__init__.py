"""The ``aesg`` command: looking into a memory and caring for it, without torch."""

from aesg_graph.cli.app import main

__all__ = ["main"]
