"""What waits for the store is delivered once, whatever happened between."""

from __future__ import annotations

from pathlib import Path

import pytest

from recommender.domain.errors import ActionFailed
from recommender.store.database import SQLite
from recommender.store.evidence import EvidenceStore
from recommender.store.outbox import Outbox
from recommender.testing.store import measurement


def test_measurements_wait_until_the_store_takes_them(tmp_path: Path) -> None:
    outbox, rows = Outbox(tmp_path / "outbox"), [measurement("a"), measurement("b")]
    outbox.keep(rows)
    (tmp_path / "down").mkdir()
    with pytest.raises(ActionFailed, match="the measurements wait in"):
        outbox.deliver(EvidenceStore(SQLite(tmp_path / "down")))
    store = EvidenceStore(SQLite(tmp_path / "evidence.sqlite"))
    assert outbox.deliver(store) == 2 and outbox.deliver(store) == 0
    assert {row.id: row for row in store.find()} == {row.id: row for row in rows}


def test_one_that_was_stored_before_a_kill_is_not_stored_twice_and_a_damaged_file_stops_nothing(tmp_path: Path) -> None:
    outbox, store = Outbox(tmp_path / "outbox"), EvidenceStore(SQLite(tmp_path / "evidence.sqlite"))
    outbox.keep([measurement("a"), measurement("b")])
    store.add(measurement("a"))
    (outbox.folder / "0.json").write_text("{half")
    assert outbox.deliver(store) == 2 and len(store.find()) == 2
    assert [path.name for path in outbox.folder.iterdir()] == ["0.json"]
