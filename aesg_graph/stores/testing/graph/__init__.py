"""What every graph store must do, as tests.

Subclass :class:`GraphStoreSuite` in a test module and give two fixtures::

    class TestMyStore(GraphStoreSuite):
        @pytest.fixture
        def store(self): ...     # an empty store with HEAD, LIMITS and RELATIONS

        @pytest.fixture
        def reopen(self): ...    # a function that closes the store it is given and opens it again
"""

from __future__ import annotations

from aesg_graph.stores.testing.graph.aging import AgingTests
from aesg_graph.stores.testing.graph.building import (
    HEAD,
    LIMITS,
    RELATIONS,
    Reopen,
    Scribe,
    create,
    everything,
    link,
    random_operations,
    touch,
)
from aesg_graph.stores.testing.graph.concepts import ConceptTests
from aesg_graph.stores.testing.graph.edges import EdgeTests
from aesg_graph.stores.testing.graph.removal import RemovalTests
from aesg_graph.stores.testing.graph.reorganisation import ReorganisationTests
from aesg_graph.stores.testing.graph.sequences import SequenceTests

__all__ = [
    "HEAD",
    "LIMITS",
    "RELATIONS",
    "GraphStoreSuite",
    "Reopen",
    "Scribe",
    "create",
    "everything",
    "link",
    "random_operations",
    "touch",
]


class GraphStoreSuite(SequenceTests, ConceptTests, EdgeTests, RemovalTests, ReorganisationTests, AgingTests):
    """Everything that is promised of a :class:`~aesg_graph.stores.abc.GraphStore`."""
