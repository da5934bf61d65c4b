"""Shape proxies measured and extrapolated: on the null executor, and on repetitions that were made up."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from recommender.apply.artifacts import Artifacts
from recommender.domain.errors import StepFailed
from recommender.measure.proxy import measure_proxy, metrics_of, plan_of
from recommender.measure.repetition import Repetition
from tests.invented import catalog, model, scheme
from tests.measure.null_proxy import FIXED, SLOW, install

WORKLOAD = {"prompt_tokens": 8, "output_tokens": 4, "context": 64, "batch": 1, "concurrency": 1, "streams": 1}


@pytest.fixture
def null_frameworks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The null frameworks, and a cache of this test's own."""
    install(monkeypatch)
    monkeypatch.setenv("RECOMMEND_CACHE_DIR", str(tmp_path / "cache"))
    return tmp_path


def choice(framework: str = "alpha", **values: Any) -> dict[str, Any]:
    return {
        "id": f"{framework}/cpu/W4", "framework": framework, "execution_provider": "cpu", "device": "cpu0", "device_kind": "cpu", "format": "gguf", "scheme": "W4",
        "options": {}, "runnable_here": True, "estimates": {}, **values,
    }


def test_two_depths_of_a_few_layers_tell_the_whole_model(null_frameworks: Path) -> None:
    said: list[str] = []
    found = measure_proxy(choice(), model(), WORKLOAD, catalog(), null_frameworks / "work", said.append, rounds=2)
    assert [line.split(": ")[1] for line in said] == ["2 of 22 layers, round 1", "6 of 22 layers, round 1", "6 of 22 layers, round 2", "2 of 22 layers, round 2"]
    whole = SLOW.per_layer * (FIXED + 22)
    rate = found.metrics["decode_rate"]
    assert rate.value and rate.low and rate.high and rate.low < rate.value < rate.high
    assert rate.value == pytest.approx(1 / whole, rel=0.5), "the time of six layers would give three times as much"
    assert found.metrics["ttft"].value == pytest.approx(whole, rel=0.5) and found.metrics["prefill_rate"].value == pytest.approx(8 / (found.metrics["ttft"].value or 0))
    assert found.cost["write"] > 0 and found.cost["run"] > 4 * 3 * SLOW.per_layer * (FIXED + 2)
    again = measure_proxy(choice(), model(), WORKLOAD, catalog(), null_frameworks / "again", said.append)
    assert [made.hash for made in again.made] == [made.hash for made in found.made] and len([path for path in Artifacts().root.iterdir() if path.name != "partial"]) == 2


def test_what_cannot_be_measured_says_why_and_leaves_nothing(null_frameworks: Path) -> None:
    with pytest.raises(StepFailed, match="no such layers"):
        measure_proxy(choice("gamma"), model(), WORKLOAD, catalog(), null_frameworks / "work", print)
    with pytest.raises(StepFailed, match="has 4 layers: too few"):
        measure_proxy(choice(), model(n_layers=4), WORKLOAD, catalog(), null_frameworks / "work", print)
    with pytest.raises(StepFailed, match=r"with 2 layers: .*\(crash\)"):
        measure_proxy(choice(options={"crash": 3}), model(), WORKLOAD, catalog(), null_frameworks / "work", print)
    assert not list((Artifacts().root / "partial").iterdir())


def repetition(n_layers: int, *, decode: float, prefill: float, memory: int = 0, disturbed: float = 0.0) -> Repetition:
    """Requests of a proxy with so many seconds a token and for the prompt; one of them takes longer by `disturbed`."""
    requests = [{"n_prompt": 512, "ttft": prefill + extra, "token_times": [prefill + extra + at * (decode + extra) for at in range(32)]} for extra in (disturbed, 0.0)]
    samples = {"ttft": [each["ttft"] for each in requests], "tpot": [decode + disturbed, decode]}
    return Repetition(candidate="c", round=1, samples=samples, raw={"tokens": requests, "peak_memory": memory})


def taken(**values: Any) -> dict[int, list[Repetition]]:
    """As a model would give whose token takes 3 ms and 1 ms a layer, its prompt 10 ms a layer, its memory 100 and 10 MB a layer."""
    return {n: [repetition(n, decode=0.003 + 0.001 * n, prefill=0.01 * n, memory=100_000_000 + 10_000_000 * n, **values)] for n in (2, 6)}


def test_metrics_are_those_of_the_whole_model_at_the_depth_of_the_workload() -> None:
    workload = {**WORKLOAD, "prompt_tokens": 512, "output_tokens": 32}
    found = metrics_of(taken(), model(), scheme(), workload, plan_of(workload))
    assert found["decode_rate"].value == pytest.approx(1 / 0.025) and found["ttft"].value == pytest.approx(0.22) and found["prefill_rate"].value == pytest.approx(512 / 0.22)
    assert found["peak_memory"].value == pytest.approx(320e6)
    longer = metrics_of(taken(), model(), scheme(), {**workload, "output_tokens": 2048}, plan_of(workload))
    assert 0.9 / 0.025 < (longer["decode_rate"].value or 0) < 0.99 / 0.025, "a longer answer fills the cache, and reading it takes time"
    assert metrics_of(taken(disturbed=0.5), model(), scheme(), workload, plan_of(workload)) == found
    assert set(metrics_of(taken(), model(), scheme(), {**workload, "prompt_tokens": 0}, plan_of(workload))) == {"decode_rate", "peak_memory"}


def test_noise_that_drowns_the_layers_is_told() -> None:
    drowned = taken()
    drowned[6] = [repetition(6, decode=0.001, prefill=0.06)]
    with pytest.raises(StepFailed, match="a decoded token took no longer with 6 layers than with 2"):
        metrics_of(drowned, model(), scheme(), WORKLOAD, plan_of(WORKLOAD))
