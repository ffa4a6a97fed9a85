"""The pages' queries run on the same servers as the served engine's tests, in a memory of their own."""

from tests.served.conftest import opened, served

__all__ = ["opened", "served"]
