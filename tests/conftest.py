"""Settings that all tests share."""

import pytest
from hypothesis import settings

# No deadline (numba compiles on first use), and the same examples in each run of the same tests. To search further:
# pytest --hypothesis-profile=deep
settings.register_profile("house", deadline=None, derandomize=True, max_examples=50)
settings.register_profile("deep", deadline=None, max_examples=5000)
settings.load_profile("house")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--kills", type=int, default=200, help="how often the crash test kills a learning process")


@pytest.fixture(scope="session")
def kills(request: pytest.FixtureRequest) -> int:
    """How often the crash test kills a learning process."""
    return int(request.config.getoption("--kills"))
