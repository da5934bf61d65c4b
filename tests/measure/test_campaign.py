"""A whole campaign on executors that misbehave: each fault has its class, the others go on, nothing finished is lost."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from recommender.domain.catalog import Catalog
from recommender.domain.errors import ActionFailed
from recommender.domain.fingerprint import Fingerprint, HostMemory
from recommender.domain.measurement import Measurement
from recommender.domain.model import Artifact, ModelSpec
from recommender.domain.target import Target
from recommender.measure import report
from recommender.measure.campaign import Campaign, Found, Settings, Subject
from recommender.measure.data import Data
from recommender.measure.remembered import Memory
from recommender.store.database import SQLite
from recommender.store.evidence import EvidenceStore

FINGERPRINT = Fingerprint(
    os={"name": "linux"}, architecture="x86_64", machine={}, devices=(), memory=HostMemory(), frameworks=(), power={}, limits={}, microbenchmark={}, outcomes=(), digest="d1",
)


def choice(rank: int, **options: Any) -> dict[str, Any]:
    return {
        "rank": rank, "id": f"null/cpu/{rank}", "framework": "null", "execution_provider": "cpu", "device": "cpu0", "device_kind": "cpu", "format": "null", "scheme": "F32",
        "options": options, "runnable_here": True, "is_as_is": True, "recipe": {"steps": [], "launch": None},
        "estimates": {"latency": {"central": 0.001, "low": 0.0005, "high": 0.002, "basis": "analytic"}},
    }


class Stage:
    """A campaign over choices of the null executor, all files in one folder."""

    def __init__(self, folder: Path, catalog: Catalog, *choices: dict[str, Any], data: Path | None = None):
        artifact = folder / "model.json"
        artifact.write_text(json.dumps({"kind": "graph", "latency": 0.002}))
        model = ModelSpec(key="m", name="m", task="image-classification", structure="cnn", artifact=Artifact(format="onnx", path=str(artifact), size=10, scheme="F32"))
        workload = {"key": "w", "objective": "latency", "batch": 1, "prompt_tokens": 0, "output_tokens": 0, "context": 0, "concurrency": 1, "streams": 1, "needs": []}
        self.folder, self.said = folder, []  # type: ignore[var-annotated]
        self.store = EvidenceStore(SQLite(folder / "evidence.sqlite"))
        self.subject = Subject(
            document={"id": "a", "choices": list(choices), "workload": workload}, model=model, model_hash="mh", source=artifact,
            target=Target(kind="this-machine", name="this-machine", fingerprint=FINGERPRINT, matched={}), catalog=catalog, data=Data(calibration=None, evaluation=data, is_own=False),
        )

    def campaign(self, budget: float = 200.0, **settings: Any) -> Campaign:
        memory = Memory(store=self.store, digest="d1", model_hash="mh", say=self.said.append)
        return Campaign(
            subject=self.subject, settings=Settings(mode="quick", budget=budget, **settings), say=self.said.append, journals=self.folder / "runs", work=self.folder / "work", memory=memory,
        )

    def run(self, **settings: Any) -> tuple[Found, dict[str, Any], list[Measurement]]:
        found = self.campaign(**settings).run()
        rows = report.measurements(found, self.subject)
        return found, report.document(found, self.subject, rows, None), rows


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Repetitions of a second: the course is what is tested."""
    from recommender.measure import campaign, memory_energy

    monkeypatch.setattr(campaign, "_LEAST", 1.0)
    monkeypatch.setattr(campaign, "_MOST", {"quick": 1.0})
    monkeypatch.setattr(memory_energy, "_STEADY", {"quick": 0.2})


def test_a_crash_a_leak_and_nan_are_classified_and_the_others_are_measured(tmp_path: Path, catalog: Catalog, short: None) -> None:
    stage = Stage(tmp_path, catalog, choice(1), choice(2, latency=0.004), choice(3, crash=5), choice(4, leak=256 << 20), choice(5, nan=1))
    import recommender.measure.take as take

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(take, "_memory", lambda: 1 << 30)
        found, told, rows = stage.run()
    assert {row.candidate["id"] for row in rows} == {"null/cpu/1", "null/cpu/2"}
    why = {row["id"]: row["reason"] for row in told["not_measured"]}
    assert why["null/cpu/3"].startswith("crash") and why["null/cpu/4"].startswith("out-of-memory") and why["null/cpu/5"].startswith("wrong-output")
    [fast, slow] = told["measured"]
    assert 0.002 <= fast["metrics"]["latency"]["value"] < 0.004 <= slow["metrics"]["latency"]["value"]
    assert fast["metrics"]["latency"]["basis"] == "measured-here" and fast["metrics"]["peak_memory"]["value"] > 1e7
    assert fast["metrics"]["quality_drop"]["value"] is None and "samples" in fast["metrics"]["quality_drop"]["why"]
    assert told["verdict"] in ("KEEP-BASELINE", "INCONCLUSIVE", "TIE")
    kinds = {row.candidate: row.kind for row in stage.store.failures()}
    assert kinds == {"null/cpu/3": "crash", "null/cpu/4": "out-of-memory", "null/cpu/5": "wrong-output"}
    _, again, _ = stage.run()
    refused = {row["id"]: row["reason"] for row in again["not_measured"]}
    assert "it failed before and nothing has changed since: out-of-memory" in refused["null/cpu/4"]


def test_what_was_finished_before_a_kill_is_not_taken_again(tmp_path: Path, catalog: Catalog, short: None) -> None:
    stage = Stage(tmp_path, catalog, choice(1), choice(2, latency=0.004))
    first = stage.campaign()

    class Killed(BaseException):
        pass

    n = 0

    def dying(line: str) -> None:
        nonlocal n
        n += "round" in line
        if n == 4:
            raise Killed
    first.say = dying
    with pytest.raises(Killed):
        first.run()
    found, _, _ = stage.run()
    assert found.comparison and "going on with 3 repetitions of a run that was cut off" in stage.said
    taken = [(each.candidate, each.round) for each in found.comparison.repetitions if each.round]
    assert len(taken) == len(set(taken)) == 6


def test_an_empty_answer_and_one_that_nothing_can_run_are_one_error(tmp_path: Path, catalog: Catalog) -> None:
    with pytest.raises(ActionFailed, match="nothing could be measured; the answer has no choices"):
        Stage(tmp_path, catalog).run()
    foreign = {**choice(1), "framework": "hailo", "id": "hailo/hailo/int8-static"}
    with pytest.raises(ActionFailed, match="no executor for hailo here") as caught:
        Stage(tmp_path, catalog, foreign).run()
    assert "--runner" in caught.value.hints[0]


def test_only_as_many_as_the_budget_can_measure_are_begun(tmp_path: Path, catalog: Catalog, short: None) -> None:
    found, told, _ = Stage(tmp_path, catalog, *(choice(rank) for rank in range(1, 5))).run(budget=25.0)
    assert list(found.choices) == ["null/cpu/1"]
    assert {row["reason"] for row in told["not_measured"]} == {"not reached within the budget"}


def test_a_machine_that_is_not_quiet_is_refused_when_strict(tmp_path: Path, catalog: Catalog, monkeypatch: pytest.MonkeyPatch) -> None:
    from recommender.measure import preflight

    seen = {**preflight.record(seconds=0.1), "foreign_load": 0.5}
    monkeypatch.setattr(preflight, "record", lambda **_: seen)
    stage = Stage(tmp_path, catalog, choice(1))
    campaign = stage.campaign()
    campaign.settings = replace(campaign.settings, mode="strict")
    with pytest.raises(ActionFailed, match="strict: .*others use 50% of the processors") as caught:
        campaign.run()
    assert "recommend doctor" in caught.value.hints
