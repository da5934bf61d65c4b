"""The tables of the evidence store, as numbered steps. A released step is never changed; the next one is added below it."""

from __future__ import annotations

from collections.abc import Callable

from recommender.domain.errors import ActionFailed
from recommender.store.database import Connection, Database


def tables(connection: Connection) -> None:
    """1: measurements and failures; `json` is a type of PostgreSQL and plain text for SQLite. What is large comes last: the decision reads the rest."""
    connection.execute(
        """create table recommend_measurements (
            id text primary key, created text not null, digest text not null, model text not null, candidate json not null,
            framework text not null, execution_provider text not null, scheme text not null, version text not null,
            workload json not null, metrics json not null, model_hash text not null, artifact_hash text not null, recipe_hash text not null,
            build text not null, driver text not null, protocol text not null, mode text not null, method text not null,
            valid boolean not null, flags json not null, reasons json not null, quality json not null,
            samples json not null, facts json not null, environment json not null, reproducer json not null)"""
    )
    connection.execute("create index recommend_measurements_machine on recommend_measurements (digest, model)")
    connection.execute(
        """create table recommend_failures (
            id text primary key, created text not null, digest text not null, model_hash text not null, candidate text not null,
            step text not null, kind text not null, message text not null, version text not null, condition json not null,
            reproducer json not null)"""
    )
    connection.execute("create index recommend_failures_machine on recommend_failures (digest, model_hash)")


MIGRATIONS: tuple[Callable[[Connection], None], ...] = (tables,)


def version(connection: Connection, database: Database) -> int:
    """Number of the last step that was taken; 0 when there are no tables yet.

    Raises:
        ActionFailed: the store is newer than this program.
    """
    if not connection.execute(database.has_schema).fetchone()[0]:
        return 0
    found = int(connection.execute("select max(version) from recommend_schema").fetchone()[0] or 0)
    if found > len(MIGRATIONS):
        raise ActionFailed(
            f"the evidence store {database.shown} was written by a newer release (schema {found}; this one knows {len(MIGRATIONS)})",
            hints=("pip install --upgrade edge-recommender",),
        )
    return found


def migrate(connection: Connection, database: Database) -> None:
    """Take the steps that are missing, inside the transaction of the caller."""
    if version(connection, database) == len(MIGRATIONS):
        return
    connection.execute(database.alone)
    done = version(connection, database)  # somebody else may have been first
    if not done:
        connection.execute("create table if not exists recommend_schema (version integer not null)")
    for number, step in enumerate(MIGRATIONS[done:], done + 1):
        step(connection)
        connection.execute("insert into recommend_schema (version) values (?)", (number,))
