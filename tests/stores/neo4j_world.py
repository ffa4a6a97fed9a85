"""Memories on a Neo4j for tests: settings for one, stores that are open in it, and several writers at once."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from aesg_graph.settings import StoreSettings
from aesg_graph.stores.neo4j import Neo4jGraphStore
from aesg_graph.stores.neo4j.migrating import apply
from aesg_graph.stores.testing.graph import HEAD, LIMITS, RELATIONS


def settings_for(server: Any, memory: str, **others: Any) -> StoreSettings:
    """Settings for a memory on a test server."""
    given = {"user": server.user, "password": server.password, "graph": server.url} | others
    return StoreSettings(memory=memory, vectors="http://127.0.0.1:6333", **given)


def prepare(server: Any) -> None:
    """Bring the server's schema up to date."""
    apply(settings_for(server, "none"))


@contextmanager
def memory_of(server: Any, name: str, **others: Any) -> Iterator[StoreSettings]:
    """A new, empty memory, deleted in the end."""
    settings = settings_for(server, name, **others)
    Neo4jGraphStore.destroy(settings)
    Neo4jGraphStore.establish(settings, replace(HEAD, name=name), LIMITS)
    try:
        yield settings
    finally:
        Neo4jGraphStore.destroy(settings_for(server, name))


@contextmanager
def opened(settings: StoreSettings) -> Iterator[Neo4jGraphStore]:
    """A store that is open in a memory."""
    store = Neo4jGraphStore.open(settings, RELATIONS)
    try:
        yield store
    finally:
        store.close()


def at_once(*works: Callable[[], Any]) -> list[Any]:
    """Do several things at the same time; what each gave. The first error of theirs is raised."""
    start = threading.Barrier(len(works))
    given: list[Any] = [None] * len(works)
    errors: list[BaseException] = []

    def run(place: int, work: Callable[[], Any]) -> None:
        start.wait()
        try:
            given[place] = work()
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=run, args=pair) for pair in enumerate(works)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
        assert not thread.is_alive()
    if errors:
        raise errors[0]
    return given
