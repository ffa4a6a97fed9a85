"""The suites' assertions explain themselves as those of test modules do."""

import pytest

pytest.register_assert_rewrite("aesg_graph.stores.testing")
