"""Everything that was measured, and what failed: append-only, in SQLite or in a team's PostgreSQL (see `database`)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

from recommender.domain.errors import ActionFailed, UsageError
from recommender.domain.measurement import Failure, Measurement
from recommender.store import migrations
from recommender.store.database import PATIENCE, Connection, Database, chosen, run
from recommender.store.rows import columns, from_row, to_row

T = TypeVar("T")
_MEASUREMENTS, _FAILURES = "recommend_measurements", "recommend_failures"


class EvidenceStore:
    """Rows are added and read; there is no way to change or delete one. A connection lives as long as one call.

    Every method raises ActionFailed, in one line that names the store, where it cannot be read or written.
    """

    def __init__(self, database: Database | None = None):
        self._database = chosen() if database is None else database

    @property
    def shown(self) -> str:
        """Path or URL, without a password."""
        return self._database.shown

    def add(self, measurement: Measurement) -> None:
        """Store a measurement as a whole. One that is stored already is left as it is.

        Raises:
            ActionFailed: not stored; or another measurement has this id.
        """
        row = to_row(measurement)
        if not self._insert(_MEASUREMENTS, row) and self._select(Measurement, _MEASUREMENTS, {"id": row["id"]}) != (measurement_of(row),):
            raise ActionFailed(f"another measurement `{measurement.id}` is in {self.shown}; measurements are never changed")

    def add_all(self, measurements: Iterable[Measurement]) -> int:
        """Store many in one transaction: all of them, or none. Those whose id is there already are left as they are; returns how many were new."""
        rows = [to_row(measurement) for measurement in measurements]

        def work(connection: Connection) -> int:
            migrations.migrate(connection, self._database)
            return sum(bool(connection.execute(_insertion(_MEASUREMENTS, row), tuple(row.values())).rowcount) for row in rows)

        return run(self._database, work, writing=True) if rows else 0

    def elsewhere(self) -> tuple[Measurement, ...]:
        """Those that no machine of ours took (imported, or typed in), the newest first."""
        return self._select(Measurement, _MEASUREMENTS, {}, condition="digest = ''")

    def find(self, *, since: str = "", limit: int | None = None, **equal: str) -> tuple[Measurement, ...]:
        """Measurements, the newest first.

        Args:
            since: only those of this moment (ISO 8601, UTC; a prefix will do) or later.
            equal: columns and what they must hold; an empty text asks for nothing (model, model_hash, framework, scheme, digest, ...).
        """
        return self._select(Measurement, _MEASUREMENTS, equal, since=since, limit=limit)

    def get(self, words: str) -> Measurement:
        """The measurement of this id, or the only one whose id starts with the words.

        Raises:
            UsageError: there is none, or several.
        """
        ids = self._ids(words)
        if words in ids:
            ids = [words]
        if len(ids) == 1:
            return self.find(id=ids[0])[0]
        if ids:
            raise UsageError(f"{len(ids)} measurements start with `{words}`: {', '.join(ids[:3])}{', ...' if len(ids) > 3 else ''}", hints=tuple(f"recommend evidence show {name}" for name in ids[:3]))
        raise UsageError(f"no measurement `{words}` in {self.shown}", hints=tuple(f"recommend evidence show {name}" for name in self._near(words)) or ("recommend evidence list",))

    def add_failure(self, failure: Failure) -> None:
        """Remember a step that failed."""
        import uuid

        self._insert(_FAILURES, {"id": uuid.uuid4().hex, **to_row(failure)})

    def failures(self, *, since: str = "", limit: int | None = None, **equal: str) -> tuple[Failure, ...]:
        """Failures, the newest first (digest, model_hash, candidate, step, kind, ...)."""
        return self._select(Failure, _FAILURES, equal, since=since, limit=limit)

    def _insert(self, table: str, row: Mapping[str, Any]) -> bool:
        """False when the id is there already."""
        def work(connection: Connection) -> bool:
            migrations.migrate(connection, self._database)
            return bool(connection.execute(_insertion(table, row), tuple(row.values())).rowcount)

        return run(self._database, work, writing=True)

    def _select(self, cls: type[T], table: str, equal: Mapping[str, str], *, since: str = "", limit: int | None = None, condition: str = "") -> tuple[T, ...]:
        names = columns(cls)
        if unknown := equal.keys() - set(names):
            raise TypeError(f"no column {', '.join(sorted(unknown))}")
        wanted = {name: value for name, value in equal.items() if value}
        conditions = [*(f"{name} = ?" for name in wanted), *(["created >= ?"] if since else []), *([condition] if condition else [])]
        sql = f"select {', '.join(names)} from {table}{' where ' if conditions else ''}{' and '.join(conditions)} order by created desc, id desc"
        values = [*wanted.values(), *([since] if since else []), *([limit] if limit is not None else [])]
        rows = self._read(lambda connection: connection.execute(sql + (" limit ?" if limit is not None else ""), values).fetchall())
        try:
            return tuple(from_row(cls, names, row) for row in rows)
        except (ValueError, TypeError) as error:
            raise ActionFailed(f"a row of the evidence store {self.shown} is damaged: {error}") from None

    def _ids(self, words: str) -> list[str]:
        sql = f"select id from {_MEASUREMENTS} where substr(id, 1, length(?)) = ? order by created desc, id desc"
        return [row[0] for row in self._read(lambda connection: connection.execute(sql, (words, words)).fetchall())]

    def _near(self, words: str) -> list[str]:
        """Ids that begin nearly so, or are nearly so."""
        import difflib

        by_beginning: dict[str, str] = {}
        for name in self._ids(""):
            by_beginning.setdefault(name[: len(words)], name)
        return [by_beginning[name] for name in difflib.get_close_matches(words, by_beginning, n=3, cutoff=0.55)]

    def _read(self, work: Callable[[Connection], list[Any]]) -> list[Any]:
        return read(self._database, work)


def _insertion(table: str, row: Mapping[str, Any]) -> str:
    return f"insert into {table} ({', '.join(row)}) values ({', '.join('?' * len(row))}) on conflict (id) do nothing"


def read(database: Database, work: Callable[[Connection], list[Any]], *, patience: float = PATIENCE) -> list[Any]:
    """Rows of a store; none where there is no store yet. One of an older schema is brought up to date first."""
    if not database.exists():
        return []

    def reading(connection: Connection) -> list[Any] | None:
        found = migrations.version(connection, database)
        if not found:
            return []
        return work(connection) if found == len(migrations.MIGRATIONS) else None

    rows = run(database, reading, patience=patience)
    if rows is None:
        run(database, lambda connection: migrations.migrate(connection, database), writing=True)
        rows = run(database, reading, patience=patience)
    return rows or []


def measurement_of(row: Mapping[str, Any]) -> Measurement:
    """A measurement of column -> value, as `rows.to_row` makes them."""
    return from_row(Measurement, tuple(row), tuple(row.values()))
