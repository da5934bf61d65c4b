from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from recommender.executors import environment, registry
from recommender.executors.null.executor import NullRunner
from recommender.measure import isolate
from recommender.measure.quality import gate
from recommender.measure.take import job, options_of, smoke, take
from recommender.ports import Availability
from tests.measure.null_artifact import GRAPH, LIMITS, artifact, run_of


@pytest.mark.parametrize(("kind", "metrics"), [("graph", {"latency"}), ("tokens", {"ttft", "prefill_rate", "tpot", "decode_rate"})])
def test_a_repetition(tmp_path: Path, kind: str, metrics: set[str]) -> None:
    found = take(run_of(tmp_path, kind=kind, latency=0.003), 2)
    assert found.ok, found.message
    assert set(found.samples) == metrics and found.round == 2 and found.single_calls <= metrics
    assert all(value > 0 for values in found.samples.values() for value in values)
    assert found.cold["load_time"] > 0 and found.cold["first_call"] > 0 and found.facts["precision"] == "f32"
    assert "quick" in found.flags and found.foreign_load is not None and found.elapsed > 0.1
    assert json.loads(json.dumps(dict(found.raw)))["inputs"]["sha256"] and found.raw["peak_memory"] > 0
    assert "child.py" in found.reproducer["command"] and (tmp_path / "work/round-2/reproduce.sh").is_file()


def test_prompts_come_from_one_text_for_all(tmp_path: Path) -> None:
    found = take(run_of(tmp_path, kind="tokens"), 1)
    assert found.raw["inputs"]["source"].startswith("evaluation-")


@pytest.mark.parametrize(("behaviour", "changes", "kind", "words"), [
    ({"hang": 2}, {"wall": 1.5}, "timeout", "1.5 s"),
    ({"leak": 4 << 20, "latency": 0.005}, {"memory": 150 << 20}, "out-of-memory", "150 MiB"),
    ({"crash": 2}, {}, "crash", "SIGSEGV"),
    ({"nan": 3}, {}, "wrong-output", "NaN"),
    ({"kind": "video"}, {}, "unsupported", "video"),
])
def test_failures_have_their_class(tmp_path: Path, behaviour: dict[str, Any], changes: dict[str, Any], kind: str, words: str) -> None:
    plan = {"limits": {**LIMITS, "warm_up_seconds": 20.0, "warm_up_cap": 20.0}} if "leak" in behaviour else GRAPH
    found = take(replace(run_of(tmp_path, plan=plan, **behaviour), **changes), 1)
    assert (found.kind, found.ok) == (kind, False) and words in found.message and found.samples == {}
    assert found.reproducer["command"]


def test_an_emulated_device_has_no_speed(tmp_path: Path) -> None:
    found = take(run_of(tmp_path, facts={"speed_is_meaningful": False}), 1)
    assert found.ok and found.samples == {} and "emulated" in found.flags and found.raw["outputs"]


def test_an_executor_that_is_not_there_is_unsupported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    nobody = take(replace(run_of(tmp_path), runner="zyx"), 1)
    assert nobody.kind == "unsupported" and "`zyx`" in nobody.message and "recommend frameworks" in nobody.message
    monkeypatch.setattr(NullRunner, "availability", lambda _: Availability(ok=False, reason="no such library", hint="pip install it"))
    missing = take(run_of(tmp_path), 1)
    assert missing.kind == "unsupported" and "no such library" in missing.message and "pip install it" in missing.message
    assert smoke(artifact(tmp_path), {"id": "null", "framework": "null", "options": {}, "execution_provider": "cpu", "scheme": "F32"}).hints == ("pip install it",)


def test_an_environment_that_is_not_made_is_unsupported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry.runner("null").__class__, "environment", "olive")
    monkeypatch.setattr(environment, "interpreter", lambda key: None)
    assert "olive" in take(run_of(tmp_path), 1).message


def test_the_child_gets_its_environment_and_limits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(NullRunner, "environ", lambda _, options: {"SPIN": options["spin"]})
    run = replace(run_of(tmp_path, plan={"seconds": 4.0}), spin="passive", wall=None, memory=None, options={"n_threads": 2})
    made = job(run, "speed", "one")
    assert made.environ["SPIN"] == "passive" and made.arguments["options"] == {"n_threads": 2, "spin": "passive"}
    assert Path(made.environ["TMPDIR"]).is_dir() and tmp_path in Path(made.environ["TMPDIR"]).parents
    assert made.wall == 68.0 and made.memory and made.memory > 1 << 20 and "recommender" in made.packages


def test_smoke_runs_a_choice(tmp_path: Path) -> None:
    choice = {"id": "null/cpu/F32", "framework": "null", "options": {"n_threads": 1}, "execution_provider": "cpu", "scheme": "F32"}
    assert options_of(choice) == {"n_threads": 1, "execution_provider": "cpu", "scheme": "F32"}
    found = smoke(artifact(tmp_path, kind="tokens"), choice)
    assert found.ok and len(found.value["outputs"]["tokens"]) == 8
    assert smoke(artifact(tmp_path, nan=1), choice, folder=tmp_path / "kept").kind == "wrong-output"
    assert (tmp_path / "kept/smoke/log.txt").is_file()


def test_quality_in_children(tmp_path: Path) -> None:
    plan = {"window": 64, "n_windows": 2}
    kept = str(tmp_path / "reference.npz")
    source, candidate = run_of(tmp_path, plan=plan, kind="tokens"), run_of(tmp_path, plan=plan, kind="tokens", error=0.1)
    assert isolate.run(job(source, "reference", "reference", out=kept)).ok
    found = isolate.run(job(candidate, "compare", "compare", reference=kept))
    assert found.ok and found.value["kl"]["value"] > 0 and gate(found.value, {}, {"kl": 10.0})[0] == "pass"
