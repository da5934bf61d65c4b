"""Fixtures: a real PostgreSQL server of the session, and empty databases of it. A conftest that wants them imports them."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterator

import pytest

from benchmarks.search.postgres_server import Server, programs


def started() -> Server:
    """A server of one's own. Skips where PostgreSQL is not installed, except in CI."""
    found = programs()
    if found is None:
        assert not os.environ.get("RECOMMEND_CI"), "PostgreSQL is not installed"
        pytest.skip("PostgreSQL (initdb, pg_ctl) is not installed")
    return Server(found)


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[Server]:
    server = started()
    try:
        yield server
    finally:
        server.close()


@pytest.fixture(scope="session")
def new_database(postgres_server: Server) -> Callable[[], str]:
    """Makes an empty database, gives its URL."""
    numbers = itertools.count()
    return lambda: postgres_server.database(f"store{next(numbers)}")
