"""What an evidence store must do, wherever it keeps its rows. Subclass `EvidenceStoreSuite` and give it a fixture `database`: an empty place.

    from recommender.store.database import SQLite
    from recommender.testing.store import EvidenceStoreSuite

    class TestSQLite(EvidenceStoreSuite):
        @pytest.fixture
        def database(self, tmp_path):
            return SQLite(tmp_path / "evidence.sqlite")
"""

from __future__ import annotations

import math
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

from recommender.domain.errors import ActionFailed, UsageError
from recommender.domain.measurement import Failure, Measurement, Summary
from recommender.store.database import Database
from recommender.store.evidence import EvidenceStore

WRITERS, ROWS = 4, 5


def measurement(id: str = "m1", **values: Any) -> Measurement:
    """A small measurement with something in every nested field."""
    return Measurement(**{
        "id": id, "created": "2026-11-20T10:00:00Z", "digest": "d1", "model": "tiny", "candidate": {"device": "cpu0", "options": {"n_threads": 2}},
        "framework": "alpha", "execution_provider": "cpu", "scheme": "W4", "version": "1.0", "workload": {"prompt_tokens": 512, "batch": 1},
        "metrics": {"decode_rate": Summary(unit="tok/s", value=20.0, low=19.0, high=21.5, n_processes=3, n_samples=30), "energy": Summary(unit="J", why="no counter")},
        "model_hash": "h1", "quality": {"kl": {"value": 0.01, "n": 3}}, "samples": {"decode": [[0.05, 0.049], [0.1 + 0.2]]}, "facts": {"précision": "f16 \"Ω\""},
        "environment": {"load": 0.1, "pids": [1, 2]}, "flags": ("quick", "foreign-load"), "reasons": ("because",), "reproducer": {"command": "run 100%s ?"}, **values,
    })  # fmt: skip


def failure(**values: Any) -> Failure:
    """A small failure."""
    return Failure(**{
        "created": "2026-11-20T10:00:00Z", "digest": "d1", "model_hash": "h1", "candidate": "alpha/cpu/W4", "step": "measure", "kind": "timeout",
        "message": "no end within 10 s", "version": "1.0", "condition": {"wall": 10.0}, **values,
    })  # fmt: skip


def refused(kind: type[Exception], call: Any, *arguments: Any, **named: Any) -> str:
    """What a call says that must fail in this way."""
    try:
        call(*arguments, **named)
    except kind as error:
        return str(error)
    raise AssertionError(f"no {kind.__name__}")


class EvidenceStoreSuite:
    """Tests of one kind of place."""

    def test_an_empty_place_holds_nothing(self, database: Database) -> None:
        store = EvidenceStore(database)
        assert store.find() == () and store.failures() == ()
        assert "no measurement `m1`" in refused(UsageError, store.get, "m1")

    def test_what_was_added_comes_back_whole_from_another_connection(self, database: Database) -> None:
        EvidenceStore(database).add(measurement())
        assert EvidenceStore(database).find() == (measurement(),)
        assert EvidenceStore(database).get("m1") == measurement()

    def test_a_measurement_is_stored_once_and_never_changed(self, database: Database) -> None:
        store = EvidenceStore(database)
        store.add(measurement())
        store.add(measurement())
        assert "another measurement `m1`" in refused(ActionFailed, store.add, measurement(scheme="W8"))
        assert store.find() == (measurement(),)

    def test_many_are_stored_together_once_each(self, database: Database) -> None:
        store = EvidenceStore(database)
        store.add(measurement("m1"))
        assert store.add_all([measurement("m1", scheme="W8"), measurement("m2"), measurement("m3"), measurement("m3")]) == 2
        assert store.add_all([measurement("m2"), measurement("m3")]) == store.add_all([]) == 0
        assert {row.id: row.scheme for row in store.find()} == {"m1": "W4", "m2": "W4", "m3": "W4"}

    def test_those_of_no_machine_are_found(self, database: Database) -> None:
        store = EvidenceStore(database)
        store.add_all([measurement("m1"), measurement("m2", digest=""), measurement("m3", digest="", created="2026-11-21T10:00:00Z")])
        assert [row.id for row in store.elsewhere()] == ["m3", "m2"]

    def test_there_is_no_way_to_change_or_delete(self) -> None:
        assert sorted(name for name in vars(EvidenceStore) if not name.startswith("_")) == ["add", "add_all", "add_failure", "elsewhere", "failures", "find", "get", "shown"]

    def test_filters_join_and_the_newest_comes_first(self, database: Database) -> None:
        store = EvidenceStore(database)
        rows = [measurement(f"m{day}", created=f"2026-11-{day}T10:00:00Z", scheme="W4" if day % 2 else "W8", model=f"model{day % 3}") for day in range(10, 16)]
        for row in (rows[3], rows[0], rows[5], rows[1], rows[4], rows[2]):
            store.add(row)
        assert store.find() == tuple(rows[::-1])
        assert [row.id for row in store.find(scheme="W4", model="model1")] == ["m13"]
        assert [row.id for row in store.find(since="2026-11-13", limit=2)] == ["m15", "m14"]
        assert [row.id for row in store.find(since="2026-11-15T10:00:00Z", framework="alpha", model_hash="h1", digest="d1")] == ["m15"]
        assert store.find(scheme="W4' or '1'='1") == () and store.find(model="model1", scheme="w4") == ()
        refused(TypeError, store.find, colour="red")

    def test_an_id_may_be_shortened_as_long_as_it_is_one(self, database: Database) -> None:
        store = EvidenceStore(database)
        for name in ("ab", "abc1", "abc2", "xyz"):
            store.add(measurement(name))
        assert store.get("x").id == "xyz" and store.get("ab").id == "ab"
        assert "2 measurements start with `abc`" in refused(UsageError, store.get, "abc")
        for words in ("%", "_bc1", "abc1 ", "ABC1"):
            assert f"no measurement `{words}`" in refused(UsageError, store.get, words)

    def test_what_no_json_or_text_can_hold_is_kept_as_near_as_possible(self, database: Database) -> None:
        odd = measurement(model="a\udcffb\0c", samples={"x": [math.nan, math.inf, 1.5]}, build="ü'\"; drop table recommend_measurements;--")
        EvidenceStore(database).add(odd)
        [found] = EvidenceStore(database).find()
        assert found == replace(odd, model="a\\udcffb\\0c", samples={"x": [None, None, 1.5]})

    def test_failures_are_kept_each(self, database: Database) -> None:
        store = EvidenceStore(database)
        store.add_failure(failure())
        store.add_failure(failure())
        store.add_failure(failure(kind="crash", created="2026-11-21T10:00:00Z", condition={}))
        assert [row.kind for row in store.failures()] == ["crash", "timeout", "timeout"]
        assert store.failures(kind="timeout", digest="d1", step="measure", limit=1) == (failure(),)
        assert store.failures(candidate="other") == ()

    def test_writers_side_by_side_lose_nothing(self, database: Database) -> None:
        """The first of them makes the tables."""

        def write(writer: int) -> None:
            store = EvidenceStore(database)
            for number in range(ROWS):
                store.add(measurement(f"w{writer}-{number}"))
                assert store.find(id=f"w{writer}-{number}")

        with ThreadPoolExecutor(WRITERS) as pool:
            list(pool.map(write, range(WRITERS)))
        assert {row.id for row in EvidenceStore(database).find()} == {f"w{writer}-{number}" for writer in range(WRITERS) for number in range(ROWS)}
