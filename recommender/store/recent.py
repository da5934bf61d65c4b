"""Past answers in one small SQLite file, so that `explain` and `diff` read what was said then. Plain sqlite3: it is on the fast path."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

from recommender.domain.errors import UsageError

KEPT = 200  # answers; older ones are dropped
_SCHEMA = "create table if not exists answers (number integer primary key, id text not null, said text not null default current_timestamp, document text not null)"


def data_dir() -> Path:
    """Where answers are kept (RECOMMEND_DATA_DIR, else the platform's data folder)."""
    if chosen := os.environ.get("RECOMMEND_DATA_DIR"):
        return Path(chosen)
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA", Path.home() / "AppData/Local")) / "recommend"
    if sys.platform == "darwin":
        return Path.home() / "Library/Application Support/recommend"
    return Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local/share") / "recommend"


def path() -> Path:
    return data_dir() / "answers.sqlite"


def keep(document: dict[str, Any]) -> str:
    """Store an answer; a text says why it could not be (a warning, never an error)."""
    import sqlite3

    try:
        path().parent.mkdir(parents=True, exist_ok=True)
        connection = sqlite3.connect(path(), timeout=2.0)
    except (OSError, sqlite3.Error, RuntimeError) as error:
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
    if words and Path(words).is_file():
        return _from_file(words)
    import sqlite3

    if not path().is_file():
        raise UsageError("no answer is stored yet" if words is None else f"no stored answer `{words}`", hints=("recommend --target this-machine",))
    try:
        with sqlite3.connect(f"file:{path()}?mode=ro", uri=True) as connection:
            query = "select document from answers where substr(id, 1, length(?1)) = ?1 order by number desc limit 1"
            row = connection.execute(query, (words or "",)).fetchone()
    except sqlite3.Error as error:
        raise UsageError(f"{path()} cannot be read: {error}", hints=("recommend cache prune",)) from None
    if row is None:
        raise UsageError(f"no stored answer `{words}`", hints=("recommend cache list",))
    document: dict[str, Any] = json.loads(row[0])
    return document


def _from_file(words: str) -> dict[str, Any]:
    try:
        document = json.loads(Path(words).read_text("utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise UsageError(f"`{words}` is not a recommendation document: {str(error).splitlines()[0]}") from None
    if not isinstance(document, dict) or "verdict" not in document:
        raise UsageError(f"`{words}` is not a recommendation document", hints=("recommend --json",))
    return document


def stored() -> list[tuple[str, str, str]]:
    """(id, when, what) of the stored answers, newest first."""
    import sqlite3

    if not path().is_file():
        return []
    try:
        with sqlite3.connect(f"file:{path()}?mode=ro", uri=True) as connection:
            rows = connection.execute("select id, said, document from answers order by number desc").fetchall()
    except sqlite3.Error:
        return []
    return [(name, said, _summary(json.loads(text))) for name, said, text in rows]


def _summary(document: dict[str, Any]) -> str:
    model = document.get("model", {}).get("key", "one of each class")
    return f"{model} on {document['target']['name']}: {document['verdict']}"
