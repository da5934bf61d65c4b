from __future__ import annotations

import json
import math
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recommender.decide.advise import advise
from recommender.decide.document import content_id, document, rounded
from recommender.domain.fingerprint import HostMemory
from recommender.domain.recommendation import Request, Wishes
from tests.invented import GIB, catalog, framework, model, rule, table, target, with_frameworks, workload

TOP = {
    "schema_version", "target", "model", "workload", "choices", "rejected", "undetermined", "hints", "trace", "verdict", "catalog_version", "engine_version", "id",
}
CHOICE = {
    "rank", "framework", "execution_provider", "device_kind", "preparer", "format", "scheme", "options", "portability", "runnable_here",
    "eligibility", "estimates", "criteria", "rules", "warnings", "recipe", "pareto",
}
TABLES = {"t": table(rule("A001", {"device.kind": "cpu"}), rule("A002", {"device.kind": "gpu"}), rule("A003", {"device.driver": "x"}), id="t")}


def made(*, box: Any = None, found: Any = None, work: Any = None, of: Any = None, today: str = "2026-11-24", full: bool = False, **wishes: Any) -> dict[str, Any]:
    where, knowledge = box or target(), found or catalog(tables=TABLES)
    request = Request(model=of or model(), workload=work or workload(), wishes=Wishes(**wishes))
    return document(advise(request, where, knowledge), where, knowledge, today=today, full_trace=full)


def test_the_contracts_names() -> None:
    found = made()
    assert TOP <= set(found)
    assert CHOICE <= set(found["choices"][0])
    assert set(found["choices"][0]["estimates"]["peak_memory"]) >= {"central", "low", "high", "unit", "basis", "proxy", "sources", "why"}


def test_the_same_values_give_the_same_bytes() -> None:
    assert json.dumps(made(), sort_keys=True) == json.dumps(made(), sort_keys=True)


@pytest.mark.parametrize("change", [
    {"box": target(memory=HostMemory(total=32 * GIB))},
    {"found": replace(catalog(tables=TABLES), version="2026.02")},
    {"work": workload(output_tokens=257)},
    {"of": model(license="mit")},
    {"today": "2026-11-25"},
    {"is_offline": True},
    {"full": True},
    {"found": with_frameworks(framework("alpha"), framework("beta"), tables=TABLES)},
], ids=lambda change: next(iter(change)))
def test_the_id_changes_when_anything_changes(change: dict[str, Any]) -> None:
    assert made(**change)["id"] != made()["id"]


def test_the_id_is_the_hash_of_everything_else() -> None:
    found = made()
    assert content_id({name: value for name, value in found.items() if name != "id"}) == found["id"]


def test_the_document_is_plain_json() -> None:
    assert json.loads(json.dumps(made(), allow_nan=False)) == made()


def test_the_full_trace_has_every_step_and_the_short_one_counts_them() -> None:
    full, short = made(full=True)["trace"], made()["trace"]
    assert len(full["steps"]) == sum(full["counts"].values())
    assert short["counts"] == full["counts"]
    assert {step["rule"] for step in full["steps"]} == {"A001", "A002", "A003"}
    assert {step["rule"] for step in short["steps"]} == {"A001", "A003"}
    assert short["steps"][0]["subjects"] == ["alpha/cpu/W4", "alpha/cpu/W8"]


def test_what_is_not_known_is_null_with_a_reason() -> None:
    found = made(found=catalog(efficiencies=()))["choices"][0]["estimates"]["decode_rate"]
    assert found["central"] is None and found["low"] is None and found["basis"] == "unknown" and found["why"]


def test_entries_of_an_overlay_are_named_only_when_there_are_any() -> None:
    assert "overlaid" not in made()
    assert made(found=replace(catalog(tables=TABLES), overlaid={"models:x": "mine"}))["overlaid"] == {"models:x": "mine"}


@given(st.floats(allow_nan=False, allow_infinity=False, min_value=-1e30, max_value=1e30))
def test_rounding_keeps_six_digits_and_is_stable(value: float) -> None:
    once = rounded(value)
    assert math.isclose(once, value, rel_tol=1e-5, abs_tol=1e-300)
    assert rounded(once) == once


def test_rounding_leaves_flags_texts_and_counts_alone() -> None:
    assert rounded({"a": True, "b": "x", "c": 1234567, "d": (1.23456789, None)}) == {"a": True, "b": "x", "c": 1234567, "d": [1.23457, None]}


def test_memory_that_happens_to_be_free_is_no_part_of_the_answer() -> None:
    assert made(box=target(memory=HostMemory(total=16 * GIB, available=3 * GIB))) == made(box=target(memory=HostMemory(total=16 * GIB, available=9 * GIB)))
