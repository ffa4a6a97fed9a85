"""What every vector store must do, as tests.

Subclass :class:`VectorStoreSuite` (a memory with values) and :class:`KeyStoreSuite` (``value_dim`` 0) in a test module
and give two fixtures::

    class TestMyStore(VectorStoreSuite):
        @pytest.fixture
        def store(self): ...     # an empty store of self.vector_dim and self.value_dim

        @pytest.fixture
        def reopen(self): ...    # a function that closes the store it is given and opens it again
"""

from __future__ import annotations

from aesg_graph.stores.testing.vectors.base import directions
from aesg_graph.stores.testing.vectors.reading import ReadingTests
from aesg_graph.stores.testing.vectors.refusing import RefusalTests
from aesg_graph.stores.testing.vectors.values import NoValueTests, ValueTests
from aesg_graph.stores.testing.vectors.writing import WritingTests

__all__ = ["KeyStoreSuite", "VectorStoreSuite", "directions"]


class VectorStoreSuite(WritingTests, ReadingTests, RefusalTests, ValueTests):
    """The whole suite, for a store of a memory with values."""


class KeyStoreSuite(WritingTests, ReadingTests, RefusalTests, NoValueTests):
    """What holds without values, for a store of a memory whose ``value_dim`` is 0."""
