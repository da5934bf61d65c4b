"""What the decision reads: quickly, of one machine, and never at the price of an answer."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from recommender.store import measured, migrations
from recommender.store.database import PostgreSQL, SQLite
from recommender.store.evidence import EvidenceStore
from recommender.testing.store import measurement

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("RECOMMEND_DATA_DIR", str(tmp_path))
    monkeypatch.delenv("RECOMMEND_EVIDENCE_URL", raising=False)
    return tmp_path


ROWS = (
    measurement("key", model_hash=""), measurement("hash", created="2026-11-21T10:00:00Z", model="other", model_hash="h9"), measurement("invalid", valid=False),
    measurement("elsewhere", digest="d2"), measurement("stranger", model="stranger", model_hash="h2"),
)  # fmt: skip


def filled(store: EvidenceStore) -> None:
    for row in ROWS:
        store.add(row)


def test_valid_measurements_of_the_machine_and_the_models_without_their_bulk(folder: Path) -> None:
    filled(EvidenceStore())
    found, warning = measured.measurements("d1", ["tiny", "h9"])
    assert ([row.id for row in found], warning) == (["hash", "key"], "")
    [key] = [row for row in found if row.id == "key"]
    assert key.metrics == ROWS[0].metrics and key.workload == ROWS[0].workload and key.candidate == ROWS[0].candidate and key.flags == ROWS[0].flags
    assert key.samples == {} and key.reproducer == {}


def test_a_team_store_is_read_alike(postgresql: PostgreSQL, monkeypatch: pytest.MonkeyPatch) -> None:
    filled(EvidenceStore(postgresql))
    monkeypatch.setenv("RECOMMEND_EVIDENCE_URL", postgresql._url)
    found, warning = measured.measurements("d1", ["tiny", "h9"])
    assert ([row.id for row in found], warning) == (["hash", "key"], "")


def test_no_store_no_models(folder: Path) -> None:
    assert measured.measurements("d1", ["tiny"]) == ((), "") and list(folder.iterdir()) == []
    filled(EvidenceStore())
    assert measured.measurements("d1", []) == measured.measurements("d3", ["tiny"]) == ((), "")


def test_a_damaged_store_is_a_warning(folder: Path) -> None:
    (folder / "evidence.sqlite").write_bytes(b"nonsense" * 1000)
    found, warning = measured.measurements("d1", ["tiny"])
    assert found == () and "left aside" in warning and str(folder / "evidence.sqlite") in warning


@pytest.mark.parametrize("metrics", ["{half", "[1]", '{"decode_rate": 7}', '{"decode_rate": {"colour": "red"}}'])
def test_a_damaged_row_is_a_warning(metrics: str, folder: Path) -> None:
    import sqlite3

    filled(EvidenceStore())
    connection = sqlite3.connect(folder / "evidence.sqlite")
    with connection:
        connection.execute("update recommend_measurements set metrics = ?", (metrics,))
    connection.close()
    found, warning = measured.measurements("d1", ["tiny"])
    assert found == () and "left aside" in warning and "damaged" in warning


def test_a_newer_store_is_a_warning(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as future:
        future.setattr(migrations, "MIGRATIONS", (*migrations.MIGRATIONS, lambda connection: None))
        filled(EvidenceStore(SQLite(folder / "evidence.sqlite")))
    assert "newer release" in measured.measurements("d1", ["tiny"])[1]


@pytest.mark.parametrize("url", ["postgresql://me:hunter2@127.0.0.1:9/db", "nonsense://me:hunter2@host"])
def test_a_team_store_that_is_not_there_is_a_warning_without_the_password(url: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RECOMMEND_EVIDENCE_URL", url)
    found, warning = measured.measurements("d1", ["tiny"])
    assert found == () and "left aside" in warning and "hunter2" not in warning


def test_a_file_is_read_without_any_driver_of_a_server(folder: Path) -> None:
    filled(EvidenceStore())
    code = "import sys; from recommender.store.measured import measurements; assert measurements('d1', ['tiny'])[0]; print(sorted(set(sys.modules) & {'psycopg', 'sqlalchemy', 'pandas', 'pyarrow', 'pydantic', 'numpy', 'subprocess', 'socket'}))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout == "[]\n"
