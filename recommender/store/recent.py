"""Past answers in one small SQLite file, so that `explain` and `diff` read what was said then. Plain sqlite3: it is on the fast path."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from recommender.domain.errors import UsageError

if TYPE_CHECKING:
    import sqlite3

MAX_DOCUMENT = 64 << 20  # bytes
KEPT = 200  # answers; older ones are dropped
_SCHEMA = "create table if not exists answers (number integer primary key, id text not null, said text not null default current_timestamp, document text not null)"


def data_dir() -> Path:
    """Where answers are kept (RECOMMEND_DATA_DIR, else the platform's data folder)."""
    if chosen := os.environ.get("RECOMMEND_DATA_DIR"):
        return Path(chosen)
    given = os.environ.get({"win32": "LOCALAPPDATA", "darwin": ""}.get(sys.platform, "XDG_DATA_HOME"))
    if given:
        return Path(given) / "recommend"
    try:
        home = Path.home()
    except RuntimeError:
        raise UsageError("no home folder is known: set RECOMMEND_DATA_DIR to a folder for past answers") from None
    return home / {"win32": "AppData/Local", "darwin": "Library/Application Support"}.get(sys.platform, ".local/share") / "recommend"


def path() -> Path:
    return data_dir() / "answers.sqlite"


def keep(document: dict[str, Any]) -> str:
    """Store an answer; a text says why it could not be (a warning, never an error)."""
    import sqlite3

    try:
        path().parent.mkdir(parents=True, exist_ok=True)
        connection = sqlite3.connect(path(), timeout=2.0)
    except UsageError as error:
        return f"the answer was not stored: {error.message}"
    except (OSError, sqlite3.Error) as error:
        return f"the answer was not stored: {error}"
    try:
        with connection:
            connection.execute("pragma synchronous=off")  # past answers are a convenience; a power cut may cost the last one
            connection.execute(_SCHEMA)
            connection.execute("insert into answers (id, document) values (?, ?)", (document["id"], json.dumps(document)))
            connection.execute("delete from answers where number <= (select max(number) from answers) - ?", (KEPT,))
    except sqlite3.Error as error:
        return f"the answer was not stored in {path()}: {error}"
    finally:
        connection.close()
    return ""


def recall(words: str | None = None) -> dict[str, Any]:
    """The last answer, the one whose id starts with `words`, or the document in the file of that name.

    Raises:
        UsageError: there is none.
    """
    if words and (Path(words).is_file() or words.startswith(("/dev/fd/", "/dev/stdin"))):
        return _from_file(words)
    import sqlite3

    if not _is_there():
        raise UsageError("no answer is stored yet" if words is None else f"no stored answer `{words}`", hints=("recommend --target this-machine",))
    try:
        with _opened() as connection:
            query = "select document from answers where substr(id, 1, length(?1)) = ?1 order by number desc limit 1"
            row = connection.execute(query, (words or "",)).fetchone()
    except sqlite3.Error as error:
        raise UsageError(f"{path()} cannot be read: {error}", hints=("recommend cache prune",)) from None
    if row is None:
        raise UsageError(f"no stored answer `{words}`", hints=("recommend cache list",))
    try:
        document = json.loads(row[0])
    except (ValueError, TypeError, RecursionError):
        document = None
    if not isinstance(document, dict):
        raise UsageError(f"stored answer `{words or 'last'}` in {path()} is damaged", hints=("recommend cache prune --answers",))
    return document


@contextmanager
def _opened() -> Iterator[sqlite3.Connection]:
    """The store for reading only; a folder's name may hold `?` or `%`."""
    import sqlite3

    connection = sqlite3.connect(f"{path().absolute().as_uri()}?mode=ro", uri=True, timeout=5.0)
    try:
        yield connection
    finally:
        connection.close()


def _from_file(words: str) -> dict[str, Any]:
    try:
        with Path(words).open("rb") as stream:
            data = stream.read(MAX_DOCUMENT + 1)
        if len(data) > MAX_DOCUMENT:
            raise ValueError(f"larger than {MAX_DOCUMENT >> 20} MiB")
        document = json.loads(data.decode("utf-8-sig"))
    except (OSError, ValueError, RecursionError) as error:
        raise UsageError(f"`{words}` is not a recommendation document: {str(error).splitlines()[0]}") from None
    if not isinstance(document, dict) or "verdict" not in document:
        raise UsageError(f"`{words}` is not a recommendation document", hints=("recommend --json",))
    return document


def stored() -> list[tuple[str, str, str]]:
    """(id, when, what) of the stored answers, newest first."""
    import sqlite3

    if not _is_there():
        return []
    try:
        with _opened() as connection:
            rows = connection.execute("select id, said, document from answers order by number desc").fetchall()
    except sqlite3.Error:
        return []
    return [(str(name), str(said), _summary(text)) for name, said, text in rows]


def _summary(text: Any) -> str:
    try:
        document = json.loads(text)
        model = document.get("model", {}).get("key", "one of each class")
        return f"{model} on {document['target']['name']}: {document['verdict']}"
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return "damaged"


def _is_there() -> bool:
    try:
        return path().is_file()
    except OSError:  # a folder that may not be entered
        return False
