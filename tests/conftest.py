"""Every test runs without the user's caches, past answers and the network; the catalogue is loaded once."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from recommender.compose import load_catalog
from recommender.domain.catalog import Catalog
from tests.postgres import new_database, postgres_server

__all__ = ["new_database", "postgres_server"]


@pytest.fixture(autouse=True)
def hermetic_environment(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    root: Path = tmp_path_factory.getbasetemp()
    for name in ("RECOMMEND_CACHE_DIR", "RECOMMEND_DATA_DIR", "HF_HOME"):
        monkeypatch.setenv(name, str(root / name.lower()))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("RECOMMEND_ENVIRONMENTS_DIR", str(Path(sys.prefix) / "side-environments"))  # made once, minutes each


@pytest.fixture(scope="session")
def catalog(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Catalog]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RECOMMEND_CACHE_DIR", str(tmp_path_factory.getbasetemp() / "recommend_cache_dir"))
        yield load_catalog()
