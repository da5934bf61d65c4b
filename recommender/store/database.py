"""Where measurements are kept: a SQLite file of this machine, or a team's PostgreSQL. Standard library only, unless a URL is set.

Both speak one SQL text through Python's database interface (`?` stands for a value). What differs is here: how to connect, how to be alone
while tables are made, which faults pass by themselves, and how a fault is told. A password is in no message, no `repr` and no chained error.
"""

from __future__ import annotations

import os
import random
import re
import shlex
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, Protocol, TypeVar
from urllib.parse import unquote

from recommender.domain.errors import ActionFailed, UsageError
from recommender.store.recent import data_dir

URL_VARIABLE = "RECOMMEND_EVIDENCE_URL"
PATIENCE = 60.0  # seconds that a lock or a lost connection is waited for: what is stored took minutes to measure
_BUSY_TIMEOUT = 10.0  # seconds that SQLite itself waits for a lock, within one try
_FIRST_PAUSE, _LONGEST_PAUSE = 0.02, 1.0  # seconds between two tries; doubled each time
_CONNECT_TIMEOUT = 10  # seconds, PostgreSQL
_HOST = r"(?:\[[0-9A-Fa-f:.]+\]|[^\[\]@:/?#,]*)(?::\d*)?"
_URL = rf"postgres(?:ql)?://(?:[^@:/?#]*(?::(?P<password>[^@:/?#]*))?@)?{_HOST}(?:,{_HOST})*(?:/[^@/?#]*)?(?:\?(?P<query>[^#]*))?"
_SECRET = r"(?i)(?:^|&)(?:ssl)?password=(?P<value>[^&]*)"  # patterns are compiled where a URL is set: not on the way to an answer
_PASSING = ("08", "40001", "40P01", "53300", "55P03", "57P")  # connection lost, deadlocks, too many clients, the server restarts

T = TypeVar("T")


class Connection(Protocol):
    """What we use of a connection."""

    def execute(self, sql: str, values: Sequence[Any] = (), /) -> Any: ...

    def close(self) -> None: ...


class Database(Protocol):
    """One place.

    shown: path or URL, without a password. errors: what its driver raises. begin: starts a transaction that will write. alone: waits until
    nobody else makes tables. has_schema: tells whether there are tables of ours.
    """

    shown: str
    errors: tuple[type[Exception], ...]
    begin: str
    alone: str
    has_schema: str

    def exists(self) -> bool: ...

    def connect(self, *, writing: bool, patience: float) -> Connection: ...

    def is_passing(self, error: Exception, *, was_connected: bool) -> bool:
        """Whether another try may help."""

    def explained(self, error: Exception) -> ActionFailed: ...


def chosen() -> Database:
    """The team's database where RECOMMEND_EVIDENCE_URL names one, else the file in the data folder.

    Raises:
        UsageError: the URL is none of PostgreSQL. ActionFailed: its driver is not installed.
    """
    url = os.environ.get(URL_VARIABLE, "").strip()
    return PostgreSQL(url) if url else SQLite(path())


def at(place: str | Path) -> Database:
    """The store in a file, or behind a PostgreSQL URL. Raises as `chosen` does."""
    return PostgreSQL(str(place)) if str(place).startswith(("postgres://", "postgresql://")) else SQLite(Path(place))


def path() -> Path:
    return data_dir() / "evidence.sqlite"


def shown() -> str:
    """Path or URL of the chosen store, the password left out; needs no driver."""
    url = os.environ.get(URL_VARIABLE, "").strip()
    return redacted(url) if url else str(path())


def run(database: Database, work: Callable[[Connection], T], *, writing: bool = False, patience: float = PATIENCE) -> T:
    """Do the work in one transaction on a connection of its own: all of it is stored, or nothing.

    Locks and lost connections are tried again, with growing pauses. `work` may run several times.

    Raises:
        ActionFailed: what stands in the way, told without a password. Raised outside the handler, so that nothing is chained to it.
    """
    deadline, pause, was_connected = time.monotonic() + patience, _FIRST_PAUSE, False
    while True:
        try:
            with closing(database.connect(writing=writing, patience=patience)) as connection:
                was_connected = True
                connection.execute(database.begin if writing else "begin")
                found = work(connection)
                connection.execute("commit")
                return found  # without a commit, closing drops the transaction
        except database.errors as error:
            fault = error
        if time.monotonic() > deadline or not database.is_passing(fault, was_connected=was_connected):
            raise database.explained(fault)
        time.sleep(pause * random.uniform(0.5, 1.0))
        pause = min(2 * pause, _LONGEST_PAUSE)


class SQLite:
    """A file, with a write-ahead log: readers wait for nobody, writers for one another."""

    begin = "begin immediate"  # takes the write lock first: a lock that is asked for half-way cannot be waited for
    alone = "select 1"
    has_schema = "select count(*) from sqlite_master where name = 'recommend_schema'"

    def __init__(self, file: Path):
        import sqlite3

        self._file, self._driver = file, sqlite3
        self.shown = str(file)
        self.errors: tuple[type[Exception], ...] = (sqlite3.Error, OSError)

    def exists(self) -> bool:
        try:
            return self._file.exists()
        except OSError:  # a folder that may not be entered: opening it tells why
            return True

    def connect(self, *, writing: bool, patience: float) -> Connection:
        timeout = min(patience, _BUSY_TIMEOUT)
        if not writing:
            mode = "mode=ro" if self._may_change() else "immutable=1"
            return self._driver.connect(f"{self._file.absolute().as_uri()}?{mode}", uri=True, timeout=timeout, isolation_level=None)
        self._file.parent.mkdir(parents=True, exist_ok=True)
        connection = self._driver.connect(self._file, timeout=timeout, isolation_level=None)
        try:
            connection.execute("pragma journal_mode=wal")
        except self._driver.Error:
            connection.close()
            raise
        return connection

    def _may_change(self) -> bool:
        """False on a file system that may only be read: no log can be made there, nor is one there."""
        return os.access(self._file.parent, os.W_OK) or self._file.with_name(f"{self._file.name}-wal").exists()

    def is_passing(self, error: Exception, *, was_connected: bool) -> bool:
        return _name(error).startswith(("SQLITE_BUSY", "SQLITE_LOCKED", "SQLITE_PROTOCOL"))

    def explained(self, error: Exception) -> ActionFailed:
        """One line that names the file, by the class of the fault; nothing is ever moved or deleted here."""
        name, folder = _name(error), self._file.parent
        if name.startswith(("SQLITE_CORRUPT", "SQLITE_NOTADB")):
            aside = shlex.quote(str(folder / "damaged"))
            return ActionFailed(
                f"the evidence store {self.shown} is damaged ({error}); it is left as it is",
                hints=(f"mkdir -p {aside} && mv {shlex.quote(self.shown)}* {aside}   # then the next measurement starts a new one",),
            )
        if name.startswith("SQLITE_FULL"):
            return ActionFailed(f"no room for the evidence store {self.shown} ({error})", hints=(f"df -h {shlex.quote(str(folder))}",))
        if isinstance(error, OSError) or name.startswith(("SQLITE_READONLY", "SQLITE_CANTOPEN", "SQLITE_PERM", "SQLITE_AUTH")):
            reason = error.strerror if isinstance(error, OSError) else str(error)
            return ActionFailed(f"the evidence store {self.shown} cannot be opened or written ({reason})", hints=("RECOMMEND_DATA_DIR=FOLDER names another folder",))
        if self.is_passing(error, was_connected=True):
            return ActionFailed(f"the evidence store {self.shown} stays locked by another process ({error})")
        return ActionFailed(f"the evidence store {self.shown}: {error}")


def _name(error: Exception) -> str:
    """SQLite's own name of a fault; empty for what Python raises itself."""
    return getattr(error, "sqlite_errorname", "")


class PostgreSQL:
    """A team's database, through psycopg (the extra `team`)."""

    begin = "begin"
    alone = "select pg_advisory_xact_lock(7236524)"  # any number that nobody else uses
    # not to_regclass: its answer is cached within a transaction, and somebody else may make the table while we wait
    has_schema = "select count(*) from pg_class where relname = 'recommend_schema' and pg_table_is_visible(oid)"

    def __init__(self, url: str):
        if not re.fullmatch(_URL, url):
            raise UsageError(
                f"{URL_VARIABLE} is not postgresql://user:password@host/database (in a password, write @ : / ? # as %40 %3A %2F %3F %23)",
                hints=(f"unset {URL_VARIABLE}",),
            )
        try:
            import psycopg
        except ImportError:
            raise ActionFailed(f"{URL_VARIABLE} is set, but psycopg is not installed", hints=("pip install 'edge-recommender[team]'",)) from None
        self._url, self._driver = url, psycopg
        self.shown = redacted(url)
        self.errors: tuple[type[Exception], ...] = (psycopg.Error,)

    def exists(self) -> bool:
        return True

    def connect(self, *, writing: bool, patience: float) -> Connection:
        seconds = max(2, min(_CONNECT_TIMEOUT, int(patience)))
        return _Numbered(self._driver.connect(self._url, connect_timeout=seconds, application_name="recommend", autocommit=True))

    def is_passing(self, error: Exception, *, was_connected: bool) -> bool:
        state = getattr(error, "sqlstate", None)
        if state is None:  # told by the client library: a server that answered before is worth waiting for
            return was_connected and isinstance(error, self._driver.OperationalError)
        return str(state).startswith(_PASSING)

    def explained(self, error: Exception) -> ActionFailed:
        text = " ".join(str(error).split()) or type(error).__name__
        for secret in sorted(_secrets(self._url), key=len, reverse=True):
            text = text.replace(secret, "***")
        return ActionFailed(f"the evidence store {self.shown}: {text}", hints=(f"unset {URL_VARIABLE}   # keeps measurements in a file of this machine",))


class _Numbered:
    """A psycopg connection that takes `?` for a value."""

    def __init__(self, connection: Any):
        self._connection = connection

    def execute(self, sql: str, values: Sequence[Any] = (), /) -> Any:
        return self._connection.execute(sql.replace("?", "%s"), values or None)

    def close(self) -> None:
        self._connection.close()


def redacted(url: str) -> str:
    """The URL with `***` for every password; nothing at all of what is no such URL, since it may be a password."""
    match = re.fullmatch(_URL, url)
    if not match:
        return "***"
    query = match["query"] or ""
    hidden = re.sub(_SECRET, lambda found: found[0][: found.start("value") - found.start()] + "***", query)
    if match["password"]:
        start, end = match.span("password")
        url = f"{url[:start]}***{url[end:]}"
    return url.removesuffix(query) + hidden


def _secrets(url: str) -> set[str]:
    """Every password in the URL, as written and as meant."""
    match = re.fullmatch(_URL, url)
    written = [match["password"] or "", *(found["value"] for found in re.finditer(_SECRET, match["query"] or ""))] if match else []
    return {form for text in written for form in (text, unquote(text)) if form}
