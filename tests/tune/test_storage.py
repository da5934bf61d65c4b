"""The record of a sweep on every kind of storage: claims, leases, what is kept, and what is refused."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from recommender.domain.errors import ActionFailed, UsageError
from recommender.tune.backends import FileLock, Patience, drop_torn_line, is_away, storage_of
from recommender.tune.storage import LAPSED, TAKEN, Record, names, rows_of
from recommender.tune.worker import is_gone, worker_name

META = {"model": "m", "objectives": [{"metric": "decode_rate", "better": "up"}], "workload": {"key": "chat"}, "class": "class", "estimates": {"a": {}}}
PARAMETERS, DOMAINS = {"choice": "a"}, {"choice": ("a", "b")}


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def record(url: str, study: str, *, clock: Clock | None = None, worker: str = "", lease: float = 10.0, **meta: Any) -> Record:
    return Record(url, study, directions=["up"], meta={**META, **meta}, worker=worker, lease=lease, clock=clock or Clock())


def claimed(one: Record, point: str = "a", round: int = 1) -> Any:
    return one.claim(point, round, PARAMETERS, DOMAINS)


def test_a_claim_is_exclusive_until_it_is_told(url: str, study: str) -> None:
    clock = Clock()
    one, two = record(url, study, clock=clock), record(url, study, clock=clock)
    mine = claimed(one)
    assert mine is not None and (mine.point, mine.round) == ("a", 1)
    assert claimed(two) is None and claimed(one) is None
    assert claimed(two, round=2) is not None
    assert one.tell(mine, [5.0], outcome={"metrics": {"decode_rate": 5.0}})
    assert claimed(two) is None
    [row] = [row for row in two.rows() if row.round == 1 and row.state != "PRUNED"]
    assert (row.state, row.values, row.point, row.worker, row.params) == ("COMPLETE", (5.0,), "a", one.worker, PARAMETERS)
    assert row.outcome == {"metrics": {"decode_rate": 5.0}}


def test_of_many_that_claim_at_once_one_has_it(url: str, study: str) -> None:
    workers = [record(url, study) for _ in range(4)]
    found: list[Any] = []
    start = threading.Barrier(len(workers))

    def claim(one: Record) -> None:
        start.wait()
        found.append(claimed(one))

    threads = [threading.Thread(target=claim, args=(one,)) for one in workers]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert len([claim for claim in found if claim is not None]) == 1
    states = sorted(row.state for row in workers[0].rows())
    assert states[-1] == "RUNNING" and set(states[:-1]) <= {"PRUNED"}
    assert all(row.why == TAKEN for row in workers[0].rows() if row.state == "PRUNED")


def test_a_lapsed_lease_is_given_back_once_and_a_late_tell_is_refused(url: str, study: str) -> None:
    clock = Clock()
    one, two, three = (record(url, study, clock=clock) for _ in range(3))
    mine = claimed(one)
    clock.now += 9
    assert two.give_back_lapsed() == []
    one.renew(mine)
    clock.now += 9
    assert two.give_back_lapsed() == [] and claimed(two) is None
    clock.now += 2
    assert two.give_back_lapsed() == ["a"] and three.give_back_lapsed() == []
    taken = claimed(two)
    assert taken is not None
    assert not one.tell(mine, [1.0], outcome={"metrics": {}})
    assert not one.tell(mine, None, state="FAIL", why="crash", outcome={"kind": "crash"})
    assert two.tell(taken, [2.0], outcome={})
    rows = three.rows()
    assert [(row.state, row.why, row.values) for row in rows] == [("FAIL", LAPSED, ()), ("COMPLETE", "", (2.0,))]
    assert rows[0].outcome == {}


def test_what_failed_is_not_tried_again(url: str, study: str) -> None:
    one = record(url, study)
    assert one.tell(claimed(one), None, state="FAIL", why="crash: it fell", outcome={"kind": "crash", "step": "measure"})
    assert claimed(one) is None
    [row] = one.rows()
    assert (row.state, row.why, row.outcome["kind"]) == ("FAIL", "crash: it fell", "crash")


def test_machines_of_a_class_may_differ_in_what_they_can_run(url: str, study: str) -> None:
    one, two = record(url, study), record(url, study)
    first = one.claim("a", 1, {"choice": "a", "x.n": "1"}, {"choice": ("a", "b"), "x.n": ("1", "2")})
    other = two.claim("c", 1, {"choice": "c", "x.n": "2"}, {"choice": ("c", "b", "a"), "x.n": ("2", "1")})
    beyond = two.claim("b", 1, {"choice": "b", "x.n": "4", "y.m": "8"}, {"choice": ("c", "b", "a"), "x.n": ("4",), "y.m": ("8",)})
    assert first and other and beyond
    assert [row.params for row in one.rows()] == [{"choice": "a", "x.n": "1"}, {"choice": "c", "x.n": "2"}, {"choice": "b", "x.n": "4", "y.m": "8"}]
    assert [trial.params for trial in one._study.get_trials()] == [{"choice": "a", "x.n": "1"}, {"x.n": "2"}, {"choice": "b", "y.m": "8"}]


def test_a_creation_whose_answer_was_lost_is_not_made_twice(url: str, study: str) -> None:
    one = Record(url, study, directions=["up"], meta=META, pause=lambda seconds: None)
    create, calls = one._storage.create_new_trial, []

    def lose(*arguments: Any, **named: Any) -> int:
        calls.append(create(*arguments, **named))
        raise ConnectionError("the answer was lost")

    one._storage.create_new_trial = lose
    claim = claimed(one)
    assert claim is not None and calls == [claim.trial_id] and len(one.rows()) == 1


def test_a_tell_whose_answer_was_lost_counts(url: str, study: str) -> None:
    one = Record(url, study, directions=["up"], meta=META, pause=lambda seconds: None)
    claim, write, calls = claimed(one), one._storage.set_trial_state_values, []

    def lose(*arguments: Any, **named: Any) -> bool:
        calls.append(write(*arguments, **named))
        raise ConnectionError("the answer was lost")

    one._storage.set_trial_state_values = lose
    assert one.tell(claim, [3.0], outcome={}) and len(calls) == 1
    assert record(url, study).rows()[0].values == (3.0,)


def test_what_the_study_was_begun_with_is_kept_and_another_sweep_is_refused(url: str, study: str) -> None:
    assert record(url, study).meta == META
    assert record(url, study, estimates={"other": {}}).meta == META
    for change in ({"model": "n"}, {"workload": {"key": "batch-text"}}, {"objectives": [{"metric": "ttft", "better": "down"}]}, {"class": "d"}):
        with pytest.raises(UsageError, match=f"another sweep: its {next(iter(change))} is"):
            record(url, study, **change)
    meta, rows = rows_of(url, study)
    assert {name: meta[name] for name in META} == META and rows == [] and study in names(url)


def test_what_follows_the_end_is_told_from_what_came_before(url: str, study: str) -> None:
    one = record(url, study)
    one.tell(claimed(one), [1.0], outcome={})
    assert record(url, study).first == 0
    one.end()
    assert record(url, study).first == 1
    one.keep("final", {"names": ["a"]})
    assert record(url, study).kept("final") == {"names": ["a"]} and record(url, study).kept("nothing") is None


def test_workers_whose_process_ended_on_this_machine_give_back_at_once(tmp_path: Path) -> None:
    child = subprocess.run([sys.executable, "-c", "from recommender.tune.worker import worker_name; print(worker_name())"], capture_output=True, text=True, check=True, cwd=Path(__file__).parents[2])
    dead = child.stdout.strip()
    url = f"journal:{tmp_path}/sweep.log"
    claimed(record(url, "s/c", worker=dead))
    claimed(record(url, "s/c", worker=worker_name()), "b")
    claimed(record(url, "s/c", worker="board-0123abcd-7-1700000000-abcdef"), "c")
    assert record(url, "s/c").give_back_lapsed() == ["a"]
    assert is_gone(dead) and not is_gone(worker_name()) and not is_gone("somebody")


# --- storages that are away, torn, or none ---------------------------------------------------------------------------------


def test_a_storage_that_came_back_leaves_time_to_tell(tmp_path: Path) -> None:
    clock = Clock()
    one, two = (Record(f"journal:{tmp_path}/sweep.log", "s/c", directions=["up"], meta=META, worker=name, lease=30.0, clock=clock, pause=lambda seconds: None) for name in ("x", "y"))
    claimed(one)
    clock.now += 100
    read, failures = two._storage.get_all_trials, [ConnectionError("away")]

    def once(*arguments: Any, **named: Any) -> Any:
        if failures:
            raise failures.pop()
        return read(*arguments, **named)

    two._storage.get_all_trials = once
    assert two.give_back_lapsed() == []
    clock.now += 21
    assert two.give_back_lapsed() == ["a"]


def test_patience_ends() -> None:
    said: list[str] = []
    pauses: list[float] = []
    patiently = Patience("sqlite:///x", 30.0, said.append, Clock(), pauses.append)

    def away() -> None:
        raise RuntimeError("commit failed") from ConnectionError("server closed the connection\nunexpectedly")

    with pytest.raises(ActionFailed, match="is away for 3[0-9] s: server closed the connection$"):
        patiently(away)
    assert pauses[:4] == [0.2, 0.4, 0.8, 1.6] and max(pauses) == 10.0 and said == ["the storage `sqlite:///x` is away; waiting"]
    with pytest.raises(KeyError):
        patiently(lambda: {}["no fault of the connection"])
    assert is_away(ConnectionResetError()) and not is_away(ValueError("x"))
    try:
        try:
            raise ConnectionError("terminated")
        except ConnectionError:
            raise RuntimeError("rollback first")  # noqa: B904  as a driver does that fails once more while it cleans up
    except RuntimeError as error:
        assert is_away(error)


def test_a_line_that_was_torn_off_is_dropped(tmp_path: Path) -> None:
    path = tmp_path / "sweep.log"
    one = record(f"journal:{path}", "s/c")
    one.tell(claimed(one), [1.0], outcome={})
    whole = path.read_bytes()
    path.write_bytes(whole + b'{"op_code":5,"worker')
    again = record(f"journal:{path}", "s/c")
    assert path.read_bytes().startswith(whole) and [row.values for row in again.rows()] == [(1.0,)]
    assert claimed(again, "b") is not None
    path.write_bytes(b"")
    drop_torn_line(path)
    assert path.read_bytes() == b""


def test_a_lock_goes_with_its_holder(tmp_path: Path) -> None:
    path = tmp_path / "sweep.log"
    code = f"import sys, time; from pathlib import Path; from recommender.tune.backends import FileLock; lock = FileLock(Path({str(path)!r})); lock.acquire(); print('held', flush=True); time.sleep(60)"
    holder = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[2])
    assert holder.stdout is not None and holder.stdout.readline() == "held\n"
    got = threading.Event()

    lock = FileLock(path)

    def wait() -> None:
        lock.acquire()
        got.set()

    waiter = threading.Thread(target=wait, daemon=True)
    waiter.start()
    assert not got.wait(0.2)
    holder.kill()
    holder.wait()
    holder.stdout.close()
    assert got.wait(10)
    lock.release()


@pytest.mark.parametrize("url", ["redis://x", "sweep.db", "journal:", "sqlite:////proc/no/such/folder.db", "postgresql://nobody@127.0.0.1:9/x", "grpc://host:port"])
def test_what_is_no_storage(url: str) -> None:
    with pytest.raises(UsageError, match="--storage") as raised:
        storage_of(url)
    assert url in raised.value.message and "--storage journal:sweep.log" in raised.value.hints
