"""Where concepts, edges and vectors live for good. Interfaces in :mod:`aesg_graph.stores.abc`."""
