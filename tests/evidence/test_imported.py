"""Imported figures in the store, out of it as rows, and in a decision."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from recommender.domain.measurement import Measurement
from recommender.evidence import elsewhere
from recommender.evidence.imported import imported
from recommender.store.database import SQLite
from recommender.store.evidence import EvidenceStore
from recommender.store.measured import measurements
from recommender.testing.store import measurement
from tests.evidence.conftest import Gather
from tests.evidence.test_llama_bench import DECODE, PREFILL

CARD = "nvidia.rtx-4080.gpu"


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("RECOMMEND_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.delenv("RECOMMEND_EVIDENCE_URL", raising=False)
    return tmp_path / "data" / "evidence.sqlite"


@pytest.fixture
def rows(gather: Gather) -> tuple[Measurement, ...]:
    return gather("llama-bench", json.dumps([PREFILL, DECODE]), source="a forum").measurements


def test_rows_come_back_with_everything(place: Path, rows: tuple[Measurement, ...]) -> None:
    store = EvidenceStore()
    assert store.add_all(rows) == 2 and store.add_all(rows) == 0
    store.add(measurement("ours"))
    store.add(measurement("ours-too", digest="", method="recommend"))
    found = {row.metric: row for row in imported(place)}
    assert set(found) == {"prefill_rate", "decode_rate"} and {row.metric: row for row in imported()} == found
    row = found["decode_rate"]
    assert (row.method, row.device, row.device_name, row.model, row.model_name) == ("llama-bench", CARD, "NVIDIA GeForce RTX 4080", "qwen2.5-7b", "Qwen2.5-7B-Instruct-Q4_K_M")
    assert (row.framework, row.execution_provider, row.scheme, row.precision, row.value, row.version) == ("llama-cpp", "cuda", "Q4_K_M", "Q4_K_M", 100.0, "abc12345")
    assert (row.prompt_tokens, row.output_tokens, row.depth, row.threads, row.batch, row.component) == (0, 128, 512, 8, None, "")
    assert (row.source, row.date, row.flags) == ("a forum", "2026-04-24T11:58:50+00:00", ())


def test_there_is_nothing_where_there_is_no_store(tmp_path: Path) -> None:
    assert imported(tmp_path / "none.sqlite") == () and not (tmp_path / "none.sqlite").exists()


def test_a_decision_gets_those_of_its_devices(place: Path, rows: tuple[Measurement, ...]) -> None:
    store = EvidenceStore()
    store.add_all(rows)
    store.add_all([measurement("here"), measurement("other", digest="d2")])
    of_card, warning = measurements("d1", ["qwen2.5-7b", "tiny"], ["a.b.gpu", CARD])
    assert not warning and {row.id for row in of_card} == {"here", *(row.id for row in rows)}
    assert {row.id for row in measurements("d1", ["qwen2.5-7b", "tiny"])[0]} == {"here"}
    assert {row.id for row in measurements("d1", ["qwen2.5-7b"], [CARD.replace("4080", "40_0"), "nvidia"])[0]} == set()
    assert {row.id for row in measurements("d1", ["tiny"], [CARD])[0]} == {"here"}
    evidence = elsewhere.evidence(of_card, "qwen2.5-7b")
    assert {(row.metric, row.value, row.device, row.digest, row.workload) for row in evidence} == {("prefill_rate", 5000.0, CARD, "", ()), ("decode_rate", 100.0, CARD, "", ())}
    assert all(row.source.startswith("measurement:") and "llama-bench" in row.conditions for row in evidence)


@pytest.mark.parametrize("change", [
    {"flags": ("partial-offload",)}, {"valid": False}, {"digest": "d1"}, {"method": "recommend"}, {"candidate": {"device": ""}}, {"candidate": {"device": CARD, "component": "Encoder"}},
])  # fmt: skip
def test_what_does_not_speak_for_the_model_on_the_device_is_left_out(change: dict[str, Any]) -> None:
    plain = {"digest": "", "method": "x", "candidate": {"device": CARD}, "workload": {}, "flags": ()}
    assert elsewhere.evidence([measurement(**plain)], "m") and elsewhere.evidence([measurement(**{**plain, "flags": ("copied", "split")})], "m")
    assert elsewhere.evidence([measurement(**{**plain, **change})], "m") == ()


@pytest.mark.parametrize(("workload", "expected"), [
    ({"prompt_tokens": 512, "depth": 0, "batch": 1}, ()),
    ({"output_tokens": 128, "depth": 16384}, (("batch", 1.0), ("output_tokens", 128.0), ("prompt_tokens", 16384.0), ("streams", 1.0))),
    ({"batch": 8}, (("batch", 8.0), ("output_tokens", 0.0), ("prompt_tokens", 0.0), ("streams", 1.0))),
    ({"streams": 4, "batch": 1}, (("batch", 1.0), ("output_tokens", 0.0), ("prompt_tokens", 0.0), ("streams", 4.0))),
])  # fmt: skip
def test_another_workload_is_said(workload: dict[str, int], expected: tuple[tuple[str, float], ...]) -> None:
    row, *_ = elsewhere.evidence([measurement(digest="", method="x", candidate={"device": CARD}, workload=workload, flags=())], "m")
    assert row.workload == expected


def test_a_store_of_the_first_schema_takes_them(tmp_path: Path, rows: tuple[Measurement, ...]) -> None:
    import shutil

    file = Path(shutil.copy(Path(__file__).parents[1] / "stores" / "schema-1.sqlite", tmp_path / "evidence.sqlite"))
    assert EvidenceStore(SQLite(file)).add_all(rows) == 2 and len(imported(file)) == 2
