"""Settings that all tests share."""

import pytest
from hypothesis import settings

# One profile for every machine: no deadline (numba compiles on first use), and the same examples in each run.
settings.register_profile("house", deadline=None, derandomize=True, max_examples=50)
settings.load_profile("house")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--kills", type=int, default=200, help="how often the crash test kills a learning process")


@pytest.fixture(scope="session")
def kills(request: pytest.FixtureRequest) -> int:
    """How often the crash test kills a learning process."""
    return int(request.config.getoption("--kills"))
