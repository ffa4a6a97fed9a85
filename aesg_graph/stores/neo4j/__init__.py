"""The served engine's graph store: Neo4j, over Bolt."""

from aesg_graph.stores.neo4j.store import Neo4jGraphStore

__all__ = ["Neo4jGraphStore"]
