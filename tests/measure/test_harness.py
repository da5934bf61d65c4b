from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest

from recommender.domain.errors import Unsupported, WrongOutput
from recommender.measure import harness
from tests.measure.null_artifact import GRAPH, LIMITS, RUNNER, TOKENS, artifact


def sped(folder: Path, plan: dict[str, Any], **told: Any) -> dict[str, Any]:
    found = harness.speed(RUNNER, str(artifact(folder, **told)), {}, plan, "normal")
    return json.loads(json.dumps(found, allow_nan=False))  # type: ignore[no-any-return]


def test_a_slow_graph_is_timed_call_by_call(tmp_path: Path) -> None:
    found = sped(tmp_path, GRAPH, latency=0.004, load=0.05)
    assert found["kind"] == "graph" and len(found["calls"]) >= 6 and found["single_calls"] == []
    assert min(found["calls"]) >= 0.004 and found["cold"]["first_call"] >= 0.004
    assert found["cold"]["load_time"] >= 0.05 and found["cold"]["import"] >= 0
    assert found["outputs"]["outputs"]["y"]["shape"] == [1, 8]
    assert found["window"]["end"] > found["window"]["start"] and found["cpu"]["wall"] >= sum(found["calls"])


def test_a_fast_graph_is_timed_in_batches_with_single_calls_beside(tmp_path: Path) -> None:
    found = sped(tmp_path, {**GRAPH, "throughput": True}, latency=0.0001)
    assert all(sample["calls"] > 1 and sample["seconds"] / sample["calls"] >= 0.0001 for sample in found["calls"])
    assert sum(sample["seconds"] for sample in found["calls"]) >= 0.1
    assert len(found["single_calls"]) == 10 * len(found["calls"]) and min(found["single_calls"]) >= 0.0001
    assert found["windows"] and all(window["calls"] / window["seconds"] <= 10_000 for window in found["windows"])
    assert found["inputs"]["kind"] == "synthetic" and found["inputs"]["n"] == 8


def test_tokens_carry_their_times(tmp_path: Path) -> None:
    found = sped(tmp_path, TOKENS, kind="tokens", latency=0.002)
    for request in found["tokens"]:
        assert (request["n_prompt"], request["n_tokens"], len(request["token_times"])) == (32, 8, 8)
        assert request["ttft"] == request["token_times"][0] >= 0.002
        assert all(b - a >= 0.0019 for a, b in zip(request["token_times"], request["token_times"][1:], strict=False))
    assert {each["n_tokens"] for each in found["end_to_end"]} == {8} and all(each["seconds"] >= 0.016 for each in found["end_to_end"])
    assert len(found["outputs"]["tokens"]) == 8 and math.isfinite(found["outputs"]["logits"]["max"])
    assert "not-deterministic" not in found["flags"]


@pytest.mark.parametrize(("kind", "plan"), [("graph", GRAPH), ("tokens", TOKENS)])
def test_the_allowance_cuts_short_and_keeps_what_there_is(tmp_path: Path, kind: str, plan: dict[str, Any]) -> None:
    found = sped(tmp_path, {**plan, "limits": {"seconds": 60.0}, "seconds": 0.3}, kind=kind, latency=0.003)
    assert "capped" in found["flags"] and found["calls" if kind == "graph" else "tokens"]


def test_loading_long_leaves_time_for_samples(tmp_path: Path) -> None:
    found = sped(tmp_path, {**GRAPH, "seconds": 0.3}, load=0.4, latency=0.003)
    assert len(found["calls"]) > 3 and len(found["warm_up"]["samples"]) >= 1


@pytest.mark.parametrize("kind", ["graph", "tokens"])
def test_nan_is_a_wrong_output(tmp_path: Path, kind: str) -> None:
    with pytest.raises(WrongOutput, match="NaN"):
        sped(tmp_path, TOKENS if kind == "tokens" else GRAPH, kind=kind, nan=1)


def test_nan_that_comes_late_is_seen(tmp_path: Path) -> None:
    with pytest.raises(WrongOutput, match="NaN"):
        sped(tmp_path, GRAPH, latency=0.002, nan=30)


def test_an_emulated_device_is_run_once(tmp_path: Path) -> None:
    found = sped(tmp_path, GRAPH, facts={"speed_is_meaningful": False})
    assert "calls" not in found and found["outputs"]["outputs"]["y"]


def test_drift_is_flagged(tmp_path: Path) -> None:
    found = sped(tmp_path, {"limits": {**LIMITS, "seconds": 0.4}}, latency=0.002, drift=0.02)
    assert "unstable" in found["flags"]


def test_what_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Unsupported, match="nothing.json"):
        harness.speed(RUNNER, str(tmp_path / "nothing.json"), {}, GRAPH)


def test_steady_runs_for_its_time(tmp_path: Path) -> None:
    found = harness.steady(RUNNER, str(artifact(tmp_path, kind="tokens", latency=0.001)), {}, TOKENS, 0.2)
    marks = found["marks"]
    assert marks["opening"] < marks["loaded"] < marks["steady"] < marks["end"]
    assert marks["end"] - marks["steady"] >= 0.2 and found["tokens"] == 8 * found["calls"] > 0


def test_smoke_tells_what_came_out(tmp_path: Path) -> None:
    graph = harness.smoke(RUNNER, str(artifact(tmp_path)), {}, {})
    tokens = harness.smoke(RUNNER, str(artifact(tmp_path, kind="tokens")), {}, {})
    assert graph["outputs"]["outputs"]["y"]["dtype"] == "float32" and len(tokens["outputs"]["tokens"]) == 8
    json.dumps([graph, tokens])
