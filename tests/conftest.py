"""Settings that all tests share."""

import os

import pytest
from hypothesis import settings

# No deadline (numba compiles on first use), and the same examples in each run of the same tests. To search further:
# pytest --hypothesis-profile=deep
settings.register_profile("house", deadline=None, derandomize=True, max_examples=50)
settings.register_profile("deep", deadline=None, max_examples=5000)
settings.load_profile("house")

# The servers for tests import gRPC before the package does, which says why.
os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "0")

# The public suites' assertions explain themselves as those of test modules do, whichever test imports them first.
pytest.register_assert_rewrite("aesg_graph.stores.testing")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--kills", type=int, default=200, help="how often the crash test kills a learning process")
    parser.addoption("--served-kills", type=int, default=100, help="the same on servers")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """With several processes (``pytest -n 2 --dist loadgroup``) a file stays whole, and one of them has the servers."""
    for item in items:
        shares_servers = {"neo4j_server", "qdrant_server"} & set(getattr(item, "fixturenames", ()))
        item.add_marker(pytest.mark.xdist_group("servers" if shares_servers else str(item.path)))


@pytest.fixture(scope="session")
def kills(request: pytest.FixtureRequest) -> int:
    """How often the crash test kills a learning process."""
    return int(request.config.getoption("--kills"))


@pytest.fixture(scope="session")
def served_kills(request: pytest.FixtureRequest) -> int:
    """How often the crash test on servers kills something."""
    return int(request.config.getoption("--served-kills"))


@pytest.fixture(scope="session")
def neo4j_server(tmp_path_factory: pytest.TempPathFactory):
    """The Neo4j that most tests of the served engine share; each test has memories of its own names."""
    from tests.servers.neo4j_server import shared_neo4j  # its driver takes a while to import

    server = shared_neo4j(tmp_path_factory.mktemp("neo4j"))
    yield server
    if server.controllable:
        server.kill()


@pytest.fixture(scope="session")
def qdrant_server(tmp_path_factory: pytest.TempPathFactory):
    """The Qdrant that most tests of the served engine share; each test has collections of its own names."""
    from tests.servers.qdrant_server import shared_qdrant

    server = shared_qdrant(tmp_path_factory.mktemp("qdrant"))
    yield server
    if server.controllable:
        server.kill()
