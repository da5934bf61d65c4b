"""The catalogue's names, and a store of each test alone."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from recommender.domain.catalog import Catalog
from recommender.evidence.formats import format_of, rows
from recommender.evidence.importing import Found, gathered
from recommender.evidence.resolve import Given
from recommender.evidence.told import Document, Fault, Told
from recommender.loader.files import built_in_root
from recommender.predict.spelling import Names, names_of, read_aliases

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
Gather = Callable[..., Found]


@pytest.fixture(scope="session")
def names(catalog: Catalog) -> Names:
    return names_of(catalog, read_aliases(built_in_root() / "aliases"))


@pytest.fixture
def gather(catalog: Catalog, names: Names, tmp_path: Path) -> Gather:
    """`gather(format, text or path, **given)`: what `recommend evidence import` would store."""

    def gathering(form: str, what: str | bytes | Path, *, name: str = "file", **given: str) -> Found:
        path = what if isinstance(what, Path) else tmp_path / name
        if not isinstance(what, Path):
            path.write_bytes(what if isinstance(what, bytes) else what.encode())
        return gathered(format_of(form), path, Given(**given), catalog, names, lambda text: None, now=NOW)

    return gathering


def told(form: str, text: str, *, folders: tuple[str, ...] = (), **beside: str) -> list[Told | Fault]:
    """The rows of a text, before names are looked up."""
    found = list(rows(format_of(form), Document(name="file", text=text, folders=folders, beside=beside)))
    assert all(isinstance(row, Told | Fault) for row in found)
    return found  # type: ignore[return-value]


def values(row: Told | Fault) -> dict[str, float | None]:
    assert isinstance(row, Told), row
    return {metric: summary.value for metric, summary in row.metrics.items()}
