from __future__ import annotations

import itertools
from typing import Any

import pytest

from recommender.decide.tables import effective, evaluate, evaluate_table, readings, unknown
from tests.invented import rule, table

VALUES = {True: 1, False: 0, None: None}


@pytest.mark.parametrize("answers", itertools.product((True, False, None), repeat=3))
def test_and_is_kleenes(answers: tuple[bool | None, ...]) -> None:
    attributes = {f"a{i}": (VALUES[answer], "probed") for i, answer in enumerate(answers)}
    expected = False if False in answers else None if None in answers else True
    assert evaluate({name: 1 for name in attributes}, attributes) is expected


def test_no_condition_always_holds_and_a_missing_attribute_is_unknown() -> None:
    assert evaluate({}, {}) is True
    assert evaluate({"never.seen": 1}, {}) is None


def test_the_trace_says_what_was_read_from_where_and_what_came_of_it() -> None:
    found = readings({"a": 1, "b": {"above": 2}, "c": 3}, {"a": (1, "probed"), "b": (1, "fact")})
    assert [(r.attribute, r.value, r.origin, r.outcome) for r in found] == [
        ("a", 1, "probed", "fired"), ("b", 1, "fact", "not-fired"), ("c", None, "unknown", "unknown"),
    ]
    assert found[1].condition == {"above": 2}


def outcomes(*rows: Any, **attributes: Any) -> dict[str, tuple[str, str]]:
    steps = evaluate_table(table(*rows), "s", {name: (value, "probed") for name, value in attributes.items()})
    return {step.rule: (step.outcome, step.overridden_by) for step in steps}


@pytest.mark.parametrize("glob", ["PLT001", "PLT0*"])
def test_a_better_row_overrides_where_both_fire(glob: str) -> None:
    rows = rule("PLT001", {"a": 1}), rule("PLT002", {"a": 2}), rule("PLT500", {"a": 1}, overrides=(glob,))
    assert outcomes(*rows, a=1) == {"PLT001": ("fired", "PLT500"), "PLT002": ("not-fired", ""), "PLT500": ("fired", "")}


@pytest.mark.parametrize("better", [{"a": 2}, {"b": 1}])  # not fired, unknown
def test_a_row_that_did_not_fire_overrides_nothing(better: dict[str, Any]) -> None:
    assert outcomes(rule("PLT001", {"a": 1}), rule("PLT500", better, overrides=("PLT0*",)), a=1)["PLT001"] == ("fired", "")


def test_a_row_never_overrides_itself() -> None:
    assert outcomes(rule("PLT500", {"a": 1}, overrides=("PLT*",)), a=1) == {"PLT500": ("fired", "")}


def test_retired_rows_are_not_evaluated() -> None:
    assert outcomes(rule("PLT001", {"a": 1}, status="retired"), a=1) == {}


def test_effective_leaves_out_the_overridden_and_the_unknown() -> None:
    rows = rule("PLT001", {"a": 1}), rule("PLT003", {"b": 1}), rule("PLT500", {"a": 1}, overrides=("PLT0*",))
    steps = evaluate_table(table(*rows), "s", {"a": (1, "probed")})
    assert [step.rule for step in effective(steps)] == ["PLT500"]
    assert [step.rule for step in unknown(steps)] == ["PLT003"]
    assert all(step.subject == "s" for step in steps)
    assert steps[0].effect == {"note": "PLT001"} and steps[0].because == "because of PLT001"
