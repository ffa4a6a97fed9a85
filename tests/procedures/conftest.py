"""Memories on both shared servers, as the tests of the served engine have them."""

from tests.served.conftest import opened, served

__all__ = ["opened", "served"]
