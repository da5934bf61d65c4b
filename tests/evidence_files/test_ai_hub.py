"""AI Hub's tables to evidence: repeats, copies and failures of invented jobs, and what holds of the files that ship."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Mapping
from typing import Any

import pandas as pd
import pytest

from benchmarks.evidence.ai_hub import COLUMNS, KNOWLEDGE, failures, no_longer_shown, noise, rows
from recommender.loader.compiled import load_catalog
from recommender.predict.spelling import Names, names_of, read_aliases

JOB: Mapping[str, Any] = {
    "release": "v2", "release_date": "2026-02-24", "model": "mobilenet_v2", "base_model": "mobilenet_v2", "model_name": "MobileNet-v2", "component": "MobileNet-v2", "params_m": 3.49,
    "params_scope": "component", "model_size_mb": None, "model_size_float_mb": 13.3, "input": "224x224", "use_case": "Image Classification", "domain": "Computer Vision",
    "precision": "w8a8", "component_precision": None, "device": "Samsung Galaxy S24", "chipset": "x", "silicon_group": "sm8650", "os": "Android 14", "form_factor": "Phone",
    "runtime": "tflite", "inference_ms": 2.0, "peak_mem_mb_low": 0.0, "peak_mem_mb_high": 30.0, "primary_unit": "NPU", "layers_npu": 66, "layers_gpu": 0, "layers_cpu": 0,
    "job_status": "Passed", "job_id": "j1", "job_copied_from_to": None,
}  # fmt: skip


@pytest.fixture(scope="module")
def names() -> Names:
    return names_of(load_catalog(), read_aliases(KNOWLEDGE / "aliases"))


def jobs(*told: Mapping[str, Any]) -> pd.DataFrame:
    return pd.DataFrame([{**JOB, **row} for row in told])


def test_a_job_serves_decisions_with_its_memory(names: Names) -> None:
    found = rows(jobs({}), names, for_decisions=True)
    assert list(found.columns) == list(COLUMNS) and list(found.metric) == ["latency", "peak_memory"]
    assert set(found.model) == {"mobilenet-v2"} and set(found.scheme) == {"int8-static"} and set(found.device) == {"qualcomm.sm8650.npu"}
    assert list(found.value) == [0.002, 30 * 2**20]


@pytest.mark.parametrize("told", [
    {"params_m": 8.0}, {"input": "448x448"}, {"primary_unit": "CPU"}, {"precision": "w8a8_mixed_int16"}, {"runtime": "qnn_context_binary"}, {"device": "Foo 9"},
])  # fmt: skip
def test_what_a_decision_would_take_for_something_else_serves_fits_only(told: dict[str, Any], names: Names) -> None:
    found = rows(jobs(told), names, for_decisions=True)
    assert list(found.metric) == ["latency"] and set(found.model) == {""} and set(found.device) == {""}


def test_repeats_become_their_median_and_copies_and_failures_are_left_out(names: Names) -> None:
    found = rows(
        jobs({}, {"inference_ms": 3.0}, {"inference_ms": 10.0}, {"inference_ms": 99.0, "job_copied_from_to": "SA8775P ADP"}, {"inference_ms": 99.0, "job_status": "Failed"}),
        names, for_decisions=False,
    )  # fmt: skip
    assert list(found.value) == [0.003] and list(found.n) == [3]


def test_of_earlier_releases_only_what_is_gone_is_kept() -> None:
    gone, shown = {"base_model": "old", "release_date": "2025-07-01"}, {"release_date": "2025-07-01"}
    earlier = jobs(gone, {**gone, "release_date": "2025-08-01", "inference_ms": 5.0}, shown, {**gone, "component": "LLM", "params_m": 7000})
    found = no_longer_shown(jobs({}), earlier)
    assert list(found.base_model) == ["old"] and list(found.inference_ms) == [5.0]


def test_noise_is_what_a_job_moves_until_the_next_release() -> None:
    before = jobs({"job_id": "j0", "release_date": "2026-01-27", "inference_ms": 1.9}, {"job_id": "j-1", "release_date": "2025-12-15", "inference_ms": 2.0})
    assert noise(jobs({}), before) == {"median": pytest.approx(0.0513, abs=1e-4), "p90": pytest.approx(0.0524, abs=2e-4), "n": 2}
    assert failures(jobs({}, {"job_status": "Failed"}, {"job_status": "Skipped"})) == {"tflite": [1, 2]}


def test_the_files_that_ship_hold_each_job_once() -> None:
    catalog = load_catalog()
    for name in ("ai-hub.csv", "ai-hub-earlier.csv"):
        with open(KNOWLEDGE / "evidence" / name, encoding="utf-8", newline="") as stream:
            found = list(csv.DictReader(stream))
        assert tuple(found[0]) == COLUMNS
        latencies = [row for row in found if row["metric"] == "latency"]
        assert max(Counter((row["model_name"], row["component"], row["runtime"], row["precision"], row["component_precision"], row["device_name"]) for row in latencies).values()) == 1
        for row in found:
            assert float(row["value"]) > 0 and bool(row["model"]) == bool(row["device"])
            assert not row["model"] or (row["model"] in catalog.models and row["device"] in catalog.devices and row["scheme"] in catalog.schemes)
