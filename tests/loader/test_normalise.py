from __future__ import annotations

from typing import Any

import pytest

from recommender.loader.normalise import FieldError, normalise

VOCABULARY = {"attribute": {"host.memory_total": {"type": "number", "unit": "bytes"}, "model.n_params": {"type": "number"}}}


def normalised(table: str, **row: Any) -> dict[str, Any]:
    return normalise(table, row, VOCABULARY)


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ({"value": 8, "unit": "GB/s"}, 8e9),
        ({"value": 24, "unit": "GiB"}, 24 * 2**30),
        ({"value": 2, "unit": "TOPS"}, 2e12),
        ({"value": [4, 8], "unit": "GiB"}, [4 * 2**30, 8 * 2**30]),
        ({"value": "unknown"}, None),
    ],
    ids=["rate", "size", "operations", "list", "unknown"],
)
def test_quantities_become_base_units(written: dict[str, Any], value: Any) -> None:
    found = normalised("device", capability={"x": {**written, "source": "s"}})
    assert found["capability"]["x"] == {"value": value, "source": "s"}


def test_a_table_without_value_stays() -> None:
    assert normalised("device", attributes={"unit": "GB", "n": 3})["attributes"] == {"unit": "GB", "n": 3}


@pytest.mark.parametrize(("table", "field"), [("machine", "memory_options"), ("budget", "cap"), ("budget", "reserve")])
def test_sizes_may_be_text_or_bytes(table: str, field: str) -> None:
    assert normalised(table, **{field: "2 GiB"})[field] == 2 * 2**30
    assert normalised(table, **{field: 12345})[field] == 12345
    assert normalised(table, **{field: ["1 GiB", 7]})[field] == [2**30, 7]


def test_constraints_are_parsed() -> None:
    found = normalised("workload", floor=["latency.p95<=30 ms"])["floor"][0]
    assert (found["metric"], found["statistic"], found["relation"], found["bound"]) == ("latency", "p95", "<=", 0.03)


def test_bounds_of_conditions_become_base_units() -> None:
    when = {"host.memory_total": {"at_least": "8GiB", "below": 5}, "model.n_params": {"above": 7}, "x": "8GiB"}
    assert normalised("rule", when=when)["when"] == {
        "host.memory_total": {"at_least": 8 * 2**30, "below": 5},
        "model.n_params": {"above": 7},
        "x": "8GiB",
    }


def test_children_are_normalised_too() -> None:
    rows = normalised("table", rules=[{"when": {"host.memory_total": {"at_most": "1KiB"}}}])["rules"]
    assert rows[0]["when"] == {"host.memory_total": {"at_most": 1024}}


@pytest.mark.parametrize(
    ("table", "row", "field", "words"),
    [
        ("device", {"capability": {"x": {"value": 8, "unit": "GB/x"}}}, "capability", "GB/x"),
        ("machine", {"memory_options": ["8 apples"]}, "memory_options", "apples"),
        ("workload", {"floor": ["speed>=3 tok/s"]}, "floor", "speed"),
        ("rule", {"when": {"host.memory_total": {"at_least": "8 s"}}}, "when", "measures s, not bytes"),
    ],
    ids=["unit", "size", "metric", "dimension"],
)
def test_faults_name_the_field_and_the_words(table: str, row: dict[str, Any], field: str, words: str) -> None:
    with pytest.raises(FieldError, match=words) as error:
        normalise(table, row, VOCABULARY)
    assert error.value.field == field
