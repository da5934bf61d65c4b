from __future__ import annotations

import os
from pathlib import Path

import pytest

from recommender.measure import memory
from recommender.measure.memory import proportional, summary
from tests.measure.null_artifact import run_of


def test_what_a_candidate_keeps_is_seen(tmp_path: Path) -> None:
    plain = memory.measure(run_of(tmp_path / "a", latency=0.01), seconds=0.5)
    leaking = memory.measure(run_of(tmp_path / "b", latency=0.01, leak=1 << 20), seconds=0.5)
    for found in (plain, leaking):
        resident = found["resident"]
        assert resident["baseline"] > 5 << 20 and found["peak_memory"] == resident["peak"] == resident["net"] + resident["baseline"]
        assert resident["peak_load"] and resident["steady"] <= resident["peak_steady"] <= resident["peak"]
    assert leaking["resident"]["peak_steady"] - plain["resident"]["peak_steady"] > 5 << 20
    assert plain["device"].get("why") or plain["device"]["peak"] > 0


def test_a_candidate_that_fails_says_why(tmp_path: Path) -> None:
    found = memory.measure(run_of(tmp_path, crash=2), seconds=1.0)
    assert found["kind"] == "crash" and "SIGSEGV" in found["why"]


def test_phases_are_told_apart() -> None:
    rows = [(0.0, 10), (1.0, 50), (1.5, 90), (2.5, 60), (3.0, 70), (3.5, 70)]
    assert summary(rows, {"opening": 0.5, "steady": 2.0}) == {
        "baseline": 10, "peak_load": 90, "peak_steady": 70, "steady": 70, "peak": 90, "net": 80,
    }
    assert summary([(9.0, 5)], {"opening": 0.5, "steady": 2.0})["net"] is None
    assert "why" in summary([], {"opening": 0.5, "steady": 2.0})


def test_proportional_memory_adds_up(tmp_path: Path) -> None:
    for pid, size in ((1, 100), (2, 30)):
        (tmp_path / str(pid)).mkdir()
        (tmp_path / str(pid) / "smaps_rollup").write_text(f"00400000-7fff ---p 00000000 00:00 0 [rollup]\nRss: 900 kB\nPss: {size} kB\nPss_Anon: 7 kB\n")
    assert proportional([1, 2, 3], tmp_path) == 130 << 10
    assert proportional([3], tmp_path) is None


@pytest.mark.skipif(not Path("/proc/self/smaps_rollup").exists(), reason="this kernel does not tell proportional memory")
def test_this_process_has_some() -> None:
    assert (proportional([os.getpid()]) or 0) > 1 << 20
