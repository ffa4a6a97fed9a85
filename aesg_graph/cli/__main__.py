"""``python -m aesg_graph.cli``."""

from aesg_graph.cli.app import main

main()
