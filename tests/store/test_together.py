"""Many measurements in one transaction: all of them or none."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest

from recommender.domain.errors import ActionFailed
from recommender.evidence.imported import imported
from recommender.store import measured
from recommender.store.database import PostgreSQL, SQLite
from recommender.store.evidence import EvidenceStore
from recommender.testing.store import measurement

ROOT = Path(__file__).resolve().parents[2]
ROWS = 3000
WRITER = f"""
from recommender.store.evidence import EvidenceStore
from recommender.testing.store import measurement
rows = [measurement(f"k{{number}}", digest="") for number in range({ROWS})]
print("begins", flush=True)
EvidenceStore().add_all(rows)
print("ended", flush=True)
"""


def test_one_that_is_refused_takes_the_others_with_it(tmp_path: Path) -> None:
    file = tmp_path / "evidence.sqlite"
    store = EvidenceStore(SQLite(file))
    store.add(measurement("m1"))
    connection = sqlite3.connect(file)
    with connection:
        connection.execute("create trigger refusing before insert on recommend_measurements when new.id = 'm3' begin select raise(abort, 'refused'); end")
    connection.close()
    with pytest.raises(ActionFailed, match="refused"):
        store.add_all([measurement("m2"), measurement("m3"), measurement("m4")])
    assert [row.id for row in store.find()] == ["m1"]


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGKILL")
@pytest.mark.parametrize("seconds", [0.0, 0.03, 0.1])
def test_a_killed_import_leaves_all_or_nothing(seconds: float, tmp_path: Path) -> None:
    environment = {**os.environ, "RECOMMEND_DATA_DIR": str(tmp_path), "RECOMMEND_EVIDENCE_URL": "", "PYTHONPATH": str(ROOT)}
    process = subprocess.Popen([sys.executable, "-c", WRITER], stdout=subprocess.PIPE, text=True, env=environment)
    assert process.stdout and process.stdout.readline() == "begins\n"
    time.sleep(seconds)
    process.send_signal(signal.SIGKILL)
    rest, _ = process.communicate(timeout=60)
    stored = len(EvidenceStore(SQLite(tmp_path / "evidence.sqlite")).elsewhere())
    assert stored in ((ROWS,) if "ended" in rest else (0, ROWS))


def test_a_team_imports_too(postgresql: PostgreSQL, monkeypatch: pytest.MonkeyPatch) -> None:
    """By its URL, and for a decision on a device."""
    rows = [measurement(f"m{number}", digest="", method="llama-bench", candidate={"device": f"a.b{number}.gpu"}) for number in range(3)]
    assert EvidenceStore(postgresql).add_all(rows) == 3
    assert {row.id for row in imported(postgresql._url)} == {"m0", "m1", "m2"}
    monkeypatch.setenv("RECOMMEND_EVIDENCE_URL", postgresql._url)
    found, warning = measured.measurements("d9", ["tiny"], ["a.b1.gpu", "100%"])
    assert ([row.id for row in found], warning) == (["m1"], "")
