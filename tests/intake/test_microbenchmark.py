"""The microbenchmark: real numbers once a machine, or the reason why there are none."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import time

import pytest

from recommender.intake import microbenchmark as module
from recommender.intake.cache_folder import write_cached
from recommender.intake.microbenchmark import microbenchmark, run_microbenchmark, usable_threads


@pytest.fixture(autouse=True)
def folder(monkeypatch, tmp_path):
    monkeypatch.setenv("RECOMMEND_CACHE_DIR", str(tmp_path))


needs_numpy = pytest.mark.skipif(importlib.util.find_spec("numpy") is None, reason="numpy is not installed")


@needs_numpy
def test_it_measures_within_three_seconds_and_plausibly():
    found = run_microbenchmark(size=32 << 20)
    assert found["elapsed"] < 3.0
    assert found["threads"] == usable_threads()
    assert 1e8 < found["memory_bandwidth_1t"] <= found["memory_bandwidth"] < 1e13
    assert 1e8 < found["read_bandwidth_1t"] <= found["read_bandwidth"] < 1e13
    assert 1e8 < found["fp32_ops"] < 1e15


def test_it_runs_once_for_a_digest(monkeypatch):
    calls = []
    monkeypatch.setattr(module, "run_microbenchmark", lambda: calls.append(1) or {"memory_bandwidth": 5.0})
    assert microbenchmark("d1", allow_run=False).keys() == {"why"}
    assert [microbenchmark("d1") for _ in range(3)] == [{"memory_bandwidth": 5.0}] * 3
    assert microbenchmark("d1", allow_run=False) == {"memory_bandwidth": 5.0}
    assert len(calls) == 1
    microbenchmark("d2")
    assert len(calls) == 2


def test_a_disturbed_run_is_repeated_and_the_better_rates_are_kept(monkeypatch):
    runs = iter([(5.0, 0.5), (4.0, 0.6), (9.0, 0.95), (1.0, 1.0)])

    def run():
        rate, share = next(runs)
        return {"memory_bandwidth": rate, "processor_share": share}

    monkeypatch.setattr(module, "run_microbenchmark", run)
    assert [microbenchmark("d")["memory_bandwidth"] for _ in range(5)] == [5.0, 5.0, 9.0, 9.0, 9.0]
    assert microbenchmark("d", again=True) == {"memory_bandwidth": 9.0, "processor_share": 1.0}


def test_a_machine_that_is_never_quiet_is_not_measured_for_ever(monkeypatch):
    calls = []
    monkeypatch.setattr(module, "run_microbenchmark", lambda: calls.append(1) or {"fp32_ops": 1.0, "processor_share": 0.1})
    for _ in range(10):
        microbenchmark("d")
    assert len(calls) == module.TRIES


@pytest.mark.parametrize("kept", [{"tries": "many"}, {"result": {"fp32_ops": "fast"}}, {"result": 3}])
def test_a_kept_result_of_other_types_is_none(monkeypatch, kept):
    monkeypatch.setattr(module, "run_microbenchmark", lambda: {"fp32_ops": 2.0})
    write_cached("microbenchmark-d.json", {"schema": module.CACHE_SCHEMA, "result": {"fp32_ops": 1.0}, **kept})
    assert module.is_due("d")
    assert microbenchmark("d") == {"fp32_ops": 2.0}


def test_a_failure_is_told_and_not_kept(monkeypatch):
    monkeypatch.setattr(module, "run_microbenchmark", lambda: {"why": "busy"})
    assert microbenchmark("d") == {"why": "busy"}
    monkeypatch.setattr(module, "run_microbenchmark", lambda: {"fp32_ops": 1.0})
    assert microbenchmark("d") == {"fp32_ops": 1.0}


def test_without_numpy_the_reason_is_given(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert run_microbenchmark() == {"why": "numpy is not installed"}


@needs_numpy
@pytest.mark.parametrize(
    ("program", "words"),
    [
        ("raise ValueError('odd')", "odd"),
        ("print('no json')", "failed"),
        ("print('[1]')", "no result"),
        ("import sys; sys.exit(5)", "5"),
    ],
)
def test_a_child_that_fails_gives_the_reason(monkeypatch, program, words):
    monkeypatch.setattr(module, "_PROGRAM", program)
    assert words in run_microbenchmark()["why"]


@needs_numpy
def test_a_child_that_hangs_is_ended(monkeypatch):
    monkeypatch.setattr(module, "_PROGRAM", "import time; time.sleep(30)")
    monkeypatch.setattr(module, "TIME_LIMIT", 0.5)
    started = time.monotonic()
    assert "did not end" in run_microbenchmark()["why"]
    assert time.monotonic() - started < 10


def test_a_program_that_cannot_start_gives_the_reason(monkeypatch):
    def refuse(*args, **options):
        raise OSError("no memory")

    monkeypatch.setattr(subprocess, "run", refuse)
    assert "why" in run_microbenchmark()


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({}, 8),
        ({"/sys/fs/cgroup/cpu.max": "max 100000"}, 8),
        ({"/sys/fs/cgroup/cpu.max": "150000 100000"}, 2),
        ({"/sys/fs/cgroup/cpu.max": "10000 100000"}, 1),
        ({"/sys/fs/cgroup/cpu.max": "junk"}, 8),
        ({"/sys/fs/cgroup/cpu/cpu.cfs_quota_us": "-1\n", "/sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000\n"}, 8),
        (
            {
                "/sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us": "400000\n",
                "/sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us": "100000\n",
            },
            4,
        ),
        ({"/sys/fs/cgroup/cpu.max": "6400000 100000"}, 8),
    ],
)
def test_threads_keep_to_affinity_and_quota(monkeypatch, files, expected):
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(8)), raising=False)
    assert usable_threads(files.get) == expected
