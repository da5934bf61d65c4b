"""One suite, two kinds of place."""

from __future__ import annotations

from pathlib import Path

import pytest

from recommender.store.database import Database, PostgreSQL, SQLite
from recommender.testing.store import EvidenceStoreSuite


class TestSQLite(EvidenceStoreSuite):
    @pytest.fixture
    def database(self, tmp_path: Path) -> Database:
        return SQLite(tmp_path / "a folder? 100%" / "evidence.sqlite")


class TestPostgreSQL(EvidenceStoreSuite):
    @pytest.fixture
    def database(self, postgresql: PostgreSQL) -> Database:
        return postgresql
