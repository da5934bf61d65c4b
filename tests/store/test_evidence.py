"""Several processes, processes that are killed, and stores that were written by earlier releases."""

from __future__ import annotations

import ast
import inspect
import json
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest

from recommender.domain.measurement import Measurement
from recommender.store import evidence, measured, migrations
from recommender.store.database import PostgreSQL, SQLite, run
from recommender.store.evidence import EvidenceStore
from recommender.store.rows import columns
from recommender.testing.store import failure, measurement

ROOT = Path(__file__).resolve().parents[2]
STORES = ROOT / "tests" / "stores"
SCHEMA_1 = STORES / "schema-1.sqlite"
# prints the number of each row once it is acknowledged
WRITER = """
import sys
from recommender.store.evidence import EvidenceStore
from recommender.testing.store import measurement
store, name = EvidenceStore(), sys.argv[1]
for number in range(int(sys.argv[2])):
    store.add(measurement(f"{name}-{number}", samples={"decode": [number] * 3000}))
    print(number, flush=True)
"""


def writer(folder: Path, name: str, rows: int, url: str = "") -> subprocess.Popen[str]:
    environment = {**os.environ, "RECOMMEND_DATA_DIR": str(folder), "RECOMMEND_EVIDENCE_URL": url, "PYTHONPATH": str(ROOT)}
    return subprocess.Popen([sys.executable, "-c", WRITER, name, str(rows)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)


def test_no_statement_changes_or_deletes() -> None:
    texts = [node.value for module in (evidence, measured, migrations) for node in ast.walk(ast.parse(inspect.getsource(module))) if isinstance(node, ast.Constant) and isinstance(node.value, str)]
    words = {text.split()[0].lower() for text in texts if text.split()}
    assert {"create", "insert", "select"} <= words and not words & {"update", "delete", "drop", "replace", "truncate"}


def test_four_processes_lose_nothing(tmp_path: Path) -> None:
    """They begin with no file at all."""
    processes = [writer(tmp_path, f"w{number}", 40) for number in range(4)]
    for process in processes:
        _, said = process.communicate(timeout=120)
        assert (process.returncode, said) == (0, "")
    found = {row.id: row.samples["decode"] for row in EvidenceStore(SQLite(tmp_path / "evidence.sqlite")).find()}
    assert found == {f"w{number}-{row}": [row] * 3000 for number in range(4) for row in range(40)}


def killed_after(process: subprocess.Popen[str], seconds: float) -> int:
    """Let it write its first row, kill it a moment later: how many rows it was told are stored."""
    assert process.stdout
    first = process.stdout.readline()
    time.sleep(seconds)
    process.send_signal(signal.SIGKILL)
    rest, _ = process.communicate(timeout=30)
    assert process.returncode == -signal.SIGKILL and first == "0\n"
    return 1 + rest.count("\n")


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGKILL")
def test_a_killed_writer_leaves_whole_rows_and_every_acknowledged_one(tmp_path: Path) -> None:
    store, chance, acknowledged = EvidenceStore(SQLite(tmp_path / "evidence.sqlite")), random.Random(5), {}
    for attempt in range(8):
        acknowledged[f"k{attempt}"] = killed_after(writer(tmp_path, f"k{attempt}", 100_000), chance.uniform(0.0, 0.12))
        by_name: dict[str, set[int]] = {}
        for row in store.find():
            name, _, number = row.id.partition("-")
            assert row == measurement(row.id, samples={"decode": [int(number)] * 3000})
            by_name.setdefault(name, set()).add(int(number))
        for name, count in acknowledged.items():  # the last one may be stored and not yet told
            assert by_name[name] in (set(range(count)), set(range(count + 1)))
    connection = sqlite3.connect(tmp_path / "evidence.sqlite")
    assert connection.execute("pragma integrity_check").fetchall() == [("ok",)]
    connection.close()


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGKILL")
def test_a_killed_writer_of_a_team_leaves_whole_rows(postgresql: PostgreSQL, tmp_path: Path) -> None:
    count = killed_after(writer(tmp_path, "k", 100_000, url=postgresql._url), 0.2)
    found = EvidenceStore(postgresql).find()
    assert {row.id for row in found} in ({f"k-{number}" for number in range(count)}, {f"k-{number}" for number in range(count + 1)})
    assert all(row.samples["decode"] == [int(row.id[2:])] * 3000 for row in found)


def test_a_server_that_throws_a_writer_out_costs_nothing(postgresql: PostgreSQL, server: str) -> None:
    """The connection is lost in the middle of the transaction; the next try stores the row once."""
    import psycopg

    EvidenceStore(postgresql).add(measurement("m0"))
    tries = []

    def work(connection: evidence.Connection) -> None:
        connection.execute("insert into recommend_schema (version) values (1)")
        tries.append(connection.execute("select pg_backend_pid()").fetchone()[0])
        if len(tries) == 1:
            with psycopg.connect(f"{server}/postgres", autocommit=True) as other:
                other.execute("select pg_terminate_backend(%s)", (tries[0],))
            connection.execute("select 1")

    run(postgresql, work, writing=True)
    assert len(tries) == 2 and tries[0] != tries[1]
    assert run(postgresql, lambda connection: connection.execute("select count(*) from recommend_schema").fetchone()[0]) == 2


def test_the_tables_have_a_column_for_every_field(tmp_path: Path) -> None:
    database = SQLite(tmp_path / "evidence.sqlite")
    EvidenceStore(database).add_failure(failure())
    for cls, table in ((Measurement, "recommend_measurements"), (type(failure()), "recommend_failures")):
        made = run(database, lambda connection, table=table: {row[1] for row in connection.execute(f"pragma table_info({table})").fetchall()})
        assert made - {"id"} == set(columns(cls)) - {"id"}


def test_a_store_of_schema_1_is_read_and_added_to(tmp_path: Path) -> None:
    file = Path(shutil.copy(SCHEMA_1, tmp_path / "evidence.sqlite"))
    store = EvidenceStore(SQLite(file))
    told = json.loads((STORES / "schema-1.json").read_text("utf-8"))
    assert [row.id for row in store.find()] == told["measurements"] and [row.kind for row in store.failures()] == told["failures"]
    assert store.get("whole") == measurement("whole")
    store.add(measurement("new"))
    assert len(store.find()) == len(told["measurements"]) + 1


def test_a_later_release_brings_it_up_to_date_before_it_reads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = Path(shutil.copy(SCHEMA_1, tmp_path / "evidence.sqlite"))
    step = "alter table recommend_measurements add column colour text not null default 'red'"
    monkeypatch.setattr(migrations, "MIGRATIONS", (*migrations.MIGRATIONS, lambda connection: connection.execute(step)))
    store = EvidenceStore(SQLite(file))
    assert store.get("whole") == measurement("whole")
    store.add(measurement("new"))
    colours = run(SQLite(file), lambda connection: connection.execute("select distinct colour from recommend_measurements").fetchall())
    assert colours == [("red",)]
    assert run(SQLite(file), lambda connection: connection.execute("select version from recommend_schema order by version").fetchall()) == [(1,), (2,)]
