"""`kill -9` of a worker, of the database, of the whole sweep; and eight workers on one database."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks.search.kills import ended, killed_at, lost, repeated, rows, started
from benchmarks.search.null_space import space_of
from recommender.tune.storage import LAPSED, Row
from tests.postgres import started as new_server


def points_of(found: list[Row]) -> set[str]:
    return {row.point for row in found if row.state == "COMPLETE"}


def test_another_worker_takes_the_point_of_one_that_was_killed(tmp_path: Path) -> None:
    url, flags = f"sqlite:///{tmp_path}/sweep.db", ("--points", "10", "--lease", "2", "--elsewhere", "--sampler", "none")
    assert killed_at(started(url, "s", "--seconds-a-trial", "60", *flags), 1)
    [held] = rows(url, "s")
    assert held.state == "RUNNING"
    told = ended(started(url, "s", "--seconds-a-trial", "0.01", *flags))
    after = rows(url, "s")
    assert points_of(after) == {point.id for point in space_of(10).points} and repeated(after) == []
    [given_back] = [row for row in after if row.state == "FAIL"]
    assert (given_back.number, given_back.point, given_back.why) == (held.number, held.point, LAPSED)
    assert next(row for row in after if row.point == held.point and row.state == "COMPLETE").worker == told["worker"]


def test_a_sweep_that_was_killed_goes_on_to_the_same_trials(tmp_path: Path) -> None:
    flags = ("--points", "48", "--trials", "14", "--seconds-a-trial", "0.02", "--seed", "3")
    wanted = ended(started(f"journal:{tmp_path}/calm.log", "s", *flags))["done"]
    url = f"journal:{tmp_path}/killed.log"
    for trial in (3, 5, 9):  # the last one in the final
        assert killed_at(started(url, "s", *flags), trial)
        before = rows(url, "s")
    told = ended(started(url, "s", *flags))
    after = rows(url, "s")
    assert told["done"] == wanted and told["ended"] == "trials" and len({point for point, _ in wanted}) == 14
    assert lost(before, after) == [] and repeated(after) == []
    assert ended(started(url, "s", *flags))["done"] != wanted  # it had come to its end: a further run has its trials anew


def test_the_sweep_outlives_its_database() -> None:
    server = new_server()
    try:
        url = server.database("sweep")
        worker = started(url, "s", "--points", "20", "--seconds-a-trial", "0.1", "--sampler", "none")
        assert worker.stderr is not None
        for _ in range(6):
            worker.stderr.readline()
        before = rows(url, "s")
        server.kill()
        time.sleep(2)
        server.start()
        told = ended(worker)
        after = rows(url, "s")
    finally:
        server.close()
    assert len(points_of(before)) >= 4 and lost(before, after) == [] and repeated(after) == []
    assert {point for point, _ in told["done"]} == {point.id for point in space_of(20).points}
    assert [row.state for row in after if row.state != "COMPLETE"] == []


def test_eight_workers_on_one_database(new_database: Callable[[], str]) -> None:
    url = new_database()
    output, errors = started(url, "s", "--points", "40", "--seconds-a-trial", "0.25", "--sampler", "none", "--workers", "8").communicate(timeout=120)
    names = {json.loads(line)["worker"] for line in output.splitlines()}
    after = rows(url, "s")
    assert len(names) == 8, errors
    assert len({row.worker for row in after if row.state == "COMPLETE"}) > 1
    assert points_of(after) == {point.id for point in space_of(40).points} and repeated(after) == []
    assert {row.state for row in after} <= {"COMPLETE", "PRUNED"}


def test_fresh_processes_are_swept_as_well(tmp_path: Path) -> None:
    url, flags = f"journal:{tmp_path}/sweep.log", ("--points", "4", "--processes", "--sampler", "none")
    assert killed_at(started(url, "s", *flags), 2)
    told = ended(started(url, "s", *flags))
    after = rows(url, "s")
    assert {point for point, _ in told["done"]} == {point.id for point in space_of(4).points} and repeated(after) == []
    assert all(row.outcome["facts"]["framework_version"] for row in after if row.state == "COMPLETE")
