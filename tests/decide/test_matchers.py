from __future__ import annotations

from typing import Any

import pytest

from recommender.decide.matchers import MATCHERS, holds
from recommender.domain.catalog import Catalog

TRUTH: dict[str, tuple[Any, Any, Any]] = {  # matcher -> (bound, a value that meets it, one that does not)
    "in": (["intel", "amd"], "amd", "apple"),
    "not_in": (["intel", "amd"], "apple", "amd"),
    "at_least": (8.0, 8.0, 7.9),
    "above": (8.0, 8.1, 8.0),
    "at_most": (8.0, 8.0, 8.1),
    "below": (8.0, 7.9, 8.0),
    "has": (["avx2", "fma"], ("fma", "avx2", "sse"), ("avx2",)),
    "has_any": (["avx2", "asimd"], ("asimd",), ("sse",)),
    "lacks": (["avx512f"], ("avx2",), ("avx2", "avx512f")),
    "version": (">=535.54", "535.104.05", "470.1"),
    "matches": (["gfx11*"], "GFX1100", "gfx906"),
}


def test_the_closed_set_is_the_vocabularys(catalog: Catalog) -> None:
    assert sorted(MATCHERS) == sorted(catalog.vocabulary["matchers"]["names"])
    assert sorted([*TRUTH, "is_unknown"]) == sorted(MATCHERS)


@pytest.mark.parametrize("name", TRUTH)
def test_three_values(name: str) -> None:
    bound, good, bad = TRUTH[name]
    assert holds({name: bound}, good) is True
    assert holds({name: bound}, bad) is False
    assert holds({name: bound}, None) is None


@pytest.mark.parametrize(("bound", "value", "expected"), [
    (True, None, True), (True, 1, False), (False, None, False), (False, 1, True), (False, 0, True), (False, "", True),
])
def test_is_unknown_always_knows(bound: bool, value: Any, expected: bool) -> None:
    assert holds({"is_unknown": bound}, value) is expected


@pytest.mark.parametrize(("condition", "value", "expected"), [
    ("linux", "linux", True), ("linux", "windows", False), ("linux", None, None), (False, False, True), (False, None, None), (1, 1.0, True),
])
def test_a_plain_value_means_equality(condition: Any, value: Any, expected: bool | None) -> None:
    assert holds(condition, value) is expected


@pytest.mark.parametrize(("condition", "value", "expected"), [
    ({"at_least": 1, "below": 3}, 2, True),
    ({"at_least": 1, "below": 3}, 3, False),
    ({"at_least": 1, "below": 3}, None, None),
    ({"is_unknown": False, "above": 0.2}, None, False),
    ({"above": 0.2, "is_unknown": False}, None, False),
    ({"is_unknown": False, "above": 0.2}, 0.3, True),
    ({"is_unknown": True, "above": 0.2}, None, None),
    ({}, None, True),
])
def test_all_matchers_of_one_condition_must_hold(condition: Any, value: Any, expected: bool | None) -> None:
    assert holds(condition, value) is expected


@pytest.mark.parametrize(("bound", "value", "expected"), [
    (">=535", "535", True), (">=535", "535.1", True), (">535", "535.0.0", False), ("<=1.2", "1.10", False), ("<1.10", "1.2", True),
    ("==2", "2.0.0.0", True), ("2", "2.0", True), ("2", "2.1", False), (">=24.3", "v24.3.1-rc1", True), (">=1", "garbage", None),
    (">=6", 6.1, True),
])
def test_versions_compare_part_by_part(bound: str, value: Any, expected: bool | None) -> None:
    assert holds({"version": bound}, value) is expected


@pytest.mark.parametrize(("bound", "value", "expected"), [
    ("avx2", ("avx2",), True), ("avx2", ("fma",), False), (("avx2", "fma"), ("fma", "avx2"), True),
])
def test_has_takes_one_word_or_several(bound: Any, value: Any, expected: bool) -> None:
    assert holds({"has": bound}, value) is expected
