"""Where the store is, what stands in its way, and that no password ever shows."""

from __future__ import annotations

import logging
import shutil
import subprocess
import sys
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from recommender.domain.errors import ActionFailed, RecommenderError, UsageError
from recommender.store import database, migrations
from recommender.store.database import PostgreSQL, SQLite, redacted
from recommender.store.evidence import EvidenceStore
from recommender.testing.store import measurement
from tests.store.conftest import PASSWORD


def fault(call: Callable[[], object]) -> RecommenderError:
    with pytest.raises(RecommenderError) as raised:
        call()
    return raised.value


# --- a file ------------------------------------------------------------------------------------------------------------


def test_without_a_url_it_is_a_file_of_the_data_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RECOMMEND_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("RECOMMEND_EVIDENCE_URL", " ")
    assert EvidenceStore().shown == database.shown() == str(tmp_path / "evidence.sqlite")


@pytest.mark.parametrize("damage", [lambda data: b"no database at all" * 100, lambda data: data[:4096] + b"\xff" * (len(data) - 4096), lambda data: data[:5000]])
def test_a_damaged_file_is_named_and_left_as_it_is(damage: Callable[[bytes], bytes], tmp_path: Path) -> None:
    file = tmp_path / "it's here" / "evidence.sqlite"
    store = EvidenceStore(SQLite(file))
    store.add(measurement())
    damaged = damage(file.read_bytes())
    file.write_bytes(damaged)
    for call in (store.find, lambda: store.add(measurement("m2"))):
        error = fault(call)
        assert isinstance(error, ActionFailed) and str(file) in error.message and "damaged" in error.message
    assert file.read_bytes() == damaged
    subprocess.run(error.hints[0], shell=True, check=True)
    store.add(measurement())
    assert store.find() == (measurement(),) and (file.parent / "damaged" / file.name).read_bytes() == damaged


def test_a_damaged_row_is_told(tmp_path: Path) -> None:
    import sqlite3

    store = EvidenceStore(SQLite(tmp_path / "evidence.sqlite"))
    store.add(measurement())
    for text in ("{half", '{"decode_rate": {"colour": 1}}', "7"):
        connection = sqlite3.connect(tmp_path / "evidence.sqlite")
        with connection:
            connection.execute("update recommend_measurements set metrics = ?", (text,))
        connection.close()
        assert "a row of the evidence store" in fault(store.find).message


def test_a_file_in_the_place_of_the_folder(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("")
    store = EvidenceStore(SQLite(tmp_path / "data" / "evidence.sqlite"))
    assert store.find() == ()
    error = fault(lambda: store.add(measurement()))
    assert str(tmp_path / "data") in error.message and "cannot be opened or written" in error.message and error.hints


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 256 KiB. Skipped where none can be mounted."""
    folder = tmp_path / "disk"
    folder.mkdir()
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(folder)], capture_output=True, check=False) if shutil.which("mount") else None
    if done is None or done.returncode:
        pytest.skip("no file system can be mounted here")
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def test_a_full_disk_refuses_the_row_and_keeps_the_others(small_disk: Path) -> None:
    store = EvidenceStore(SQLite(small_disk / "evidence.sqlite"))

    def fill() -> None:
        for number in range(1000):
            store.add(measurement(f"m{number}", samples={"decode": [0.1] * 500}))

    error = fault(fill)
    assert isinstance(error, ActionFailed) and "no room" in error.message and str(small_disk) in error.message
    kept = store.find()
    assert 0 < len(kept) < 1000 and {row.id for row in kept} == {f"m{number}" for number in range(len(kept))}


@pytest.mark.parametrize("was_read", [False, True], ids=["closed", "with the log a reader leaves"])
def test_a_file_system_that_may_only_be_read(was_read: bool, small_disk: Path) -> None:
    store = EvidenceStore(SQLite(small_disk / "evidence.sqlite"))
    store.add(measurement())
    assert not was_read or store.find()
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    assert store.find() == (measurement(),)
    error = fault(lambda: store.add(measurement("m2")))
    assert isinstance(error, ActionFailed) and "cannot be opened or written" in error.message and str(small_disk) in error.message


def test_a_lock_that_stays_is_told(tmp_path: Path) -> None:
    import sqlite3

    file = tmp_path / "evidence.sqlite"
    EvidenceStore(SQLite(file)).add(measurement())
    holder = sqlite3.connect(file, isolation_level=None)
    holder.execute("begin immediate")
    try:
        error = fault(lambda: database.run(SQLite(file), lambda connection: None, writing=True, patience=0.2))
    finally:
        holder.close()
    assert "locked by another process" in error.message
    assert database.run(SQLite(file), lambda connection: 7, writing=True) == 7


# --- schemas -----------------------------------------------------------------------------------------------------------


def test_a_newer_schema_is_refused_by_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = EvidenceStore(SQLite(tmp_path / "evidence.sqlite"))
    with monkeypatch.context() as future:
        future.setattr(migrations, "MIGRATIONS", (*migrations.MIGRATIONS, lambda connection: None))
        store.add(measurement())
    for call in (store.find, lambda: store.add(measurement("m2")), lambda: store.get("m1")):
        assert "written by a newer release (schema 2; this one knows 1)" in fault(call).message


def test_an_empty_file_is_an_empty_store(tmp_path: Path) -> None:
    """What a process leaves that was killed before the first row."""
    (tmp_path / "evidence.sqlite").touch()
    store = EvidenceStore(SQLite(tmp_path / "evidence.sqlite"))
    assert store.find() == ()
    store.add(measurement())
    assert store.find() == (measurement(),)


# --- a URL -------------------------------------------------------------------------------------------------------------

SECRET = "hunter2%40home"  # `hunter2@home`


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        (f"postgresql://me:{SECRET}@host/db", "postgresql://me:***@host/db"),
        (f"postgres://me:{SECRET}@[::1]:5432,b:1/db?sslmode=require", "postgres://me:***@[::1]:5432,b:1/db?sslmode=require"),
        (f"postgresql://host/db?user=me&password={SECRET}&sslpassword={SECRET}", "postgresql://host/db?user=me&password=***&sslpassword=***"),
        (f"postgresql://:{SECRET}@/db?PASSWORD={SECRET}", "postgresql://:***@/db?PASSWORD=***"),
        ("postgresql:///db", "postgresql:///db"),
        ("postgresql://me@host/host", "postgresql://me@host/host"),
        ("postgresql://me:password@host/db?application_name=password", "postgresql://me:***@host/db?application_name=password"),
    ],
)
def test_every_password_is_hidden(url: str, shown: str) -> None:
    assert redacted(url) == shown


@pytest.mark.parametrize(
    "url",
    [
        f"mysql://me:{SECRET}@host/db", f"me:{SECRET}@host/db", SECRET, "postgresql://me:hunter2@home@host/db", "postgresql://me:hunter2/home@host/db",
        "postgresql://me:hunter2", "postgresql://me:hunter2#@host", "postgresql://me:hunter2?x@host/db", "host=h password=hunter2", "postgresql://h/db?a=b#hunter2",
        "postgresql://me:x:hunter2@host/db", "postgresql:me:hunter2@host/db",
    ],
)  # fmt: skip
def test_what_is_no_such_url_is_refused_unseen(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """libpq would take such a password for a host or a port and say it aloud."""
    monkeypatch.setenv("RECOMMEND_EVIDENCE_URL", url)
    error = fault(EvidenceStore)
    assert isinstance(error, UsageError) and "RECOMMEND_EVIDENCE_URL" in error.message
    assert "hunter2" not in told(error) + database.shown()


def told(error: BaseException) -> str:
    """Everything that a traceback, `repr` or a chained error may show."""
    parts = ["".join(traceback.format_exception(error)), repr(error), *map(str, getattr(error, "hints", ()))]
    for chained in (error.__cause__, error.__context__):
        parts += [told(chained)] if chained else []
    return "\n".join(parts)


@pytest.mark.parametrize("where", ["127.0.0.1:9/db", "no-such-host.invalid/db", "127.0.0.1:9/db?target_session_attrs=nonsense", "127.0.0.1:9/db%zz"])
def test_a_server_that_is_not_there(where: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    store = EvidenceStore(PostgreSQL(f"postgresql://me:{SECRET}@{where}"))
    for call in (store.find, lambda: store.add(measurement())):
        error = fault(call)
        assert isinstance(error, ActionFailed) and "postgresql://me:***@" in error.message and error.hints
        assert not any(form in told(error) + caplog.text + repr(vars(error)) for form in ("hunter2", "hunter2@home"))


def test_a_password_that_libpq_quotes(caplog: pytest.LogCaptureFixture) -> None:
    error = fault(EvidenceStore(PostgreSQL("postgresql://me:hunter2%zz@127.0.0.1:9/db")).find)
    assert "***" in error.message and "hunter2" not in told(error)


def test_a_wrong_password(server: str) -> None:
    error = fault(EvidenceStore(PostgreSQL(f"{server.replace(PASSWORD, SECRET)}/postgres")).find)
    assert "authentication failed" in error.message and "hunter2" not in told(error)


def test_a_database_that_does_not_exist(server: str) -> None:
    assert "nowhere" in fault(EvidenceStore(PostgreSQL(f"{server}/nowhere")).find).message


def test_without_the_driver_a_hint_unlocks_it(tmp_path: Path) -> None:
    code = (
        "import sys; sys.modules['psycopg'] = None\n"
        "from recommender.store import database\n"
        "from recommender.domain.errors import ActionFailed\n"
        "print(database.shown())\n"
        "try: database.chosen()\n"
        "except ActionFailed as error: print(error.message, error.hints)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env={"RECOMMEND_EVIDENCE_URL": f"postgresql://me:{SECRET}@host/db", "PYTHONPATH": str(Path(database.__file__).parents[2])})
    assert done.stdout.splitlines()[0] == "postgresql://me:***@host/db"
    assert "psycopg is not installed" in done.stdout and "edge-recommender[team]" in done.stdout and "hunter2" not in done.stdout + done.stderr
