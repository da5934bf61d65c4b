"""The evidence store on a real PostgreSQL server: an empty database for each test."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from benchmarks.search.postgres_server import PASSWORD, Server
from recommender.store.database import PostgreSQL

__all__ = ["PASSWORD"]


@pytest.fixture(scope="session")
def server(postgres_server: Server) -> str:
    """URL of the server without the name of a database."""
    return postgres_server.url


@pytest.fixture
def postgresql(new_database: Callable[[], str]) -> PostgreSQL:
    return PostgreSQL(new_database())
