from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from recommender.loader.lint.tables import disjoint
from tests.loader.lint.world import CRITERION, RULE, TABLE, findings, said

SECOND = RULE.replace("PLT001", "PLT002")


def of(tmp_path: Path, table: str = TABLE, rules: str = RULE, criterion: str = CRITERION) -> list[str]:
    return said(findings(tmp_path, world={"rules/a.toml": table + rules, "rules/ranking.toml": criterion}), "tables")


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("PLT001", "PLAT1", "three letters and three digits"),
        ("then = { frameworks", "then = { shout = 1, frameworks", "unknown effect `shout`"),
        ('then = { frameworks = ["onnxruntime"], place = 1 }', "then = {}", "has no effect"),
        ('["onnxruntime"]', '["ort"]', "frameworks: `ort` does not exist"),
        (", place = 1", "", "need a place"),
        ('frameworks = ["onnxruntime"]', 'units = ["tpu"]', "units: `tpu` does not exist"),
        ('frameworks = ["onnxruntime"]', 'schemes = ["Q9"]', "schemes: `Q9` does not exist"),
        ("place = 1", 'place = 1, execution_providers = ["tpu"]', "execution_providers: `tpu` does not exist"),
        ("place = 1", 'place = 1, verdict = "guilty"', "verdict `guilty`"),
        ("place = 1", 'place = 1, set = { n_threads = "@device.legs" }', "unknown attribute `device.legs`"),
        ('because = "It is a processor."', 'because = "b"\noverrides = ["PLT9*"]', "overrides `PLT9*`, which is no row"),
        ('because = "It is a processor."', 'because = "b"\noverrides = ["PLT0*"]', "overrides `PLT0*`, which is no row"),
        ('because = "It is a processor."', 'because = "b"\nstatus = "tired"', "status `tired`"),
        ('because = "It is a processor."', 'because = "b"\nsuperseded_by = "PLT009"', "superseded_by `PLT009` does not exist"),
        ('because = "It is a processor."', 'because = ""', "says no `because`"),
    ],
)
def test_fault_of_a_row_is_found(tmp_path: Path, old: str, new: str, words: str) -> None:
    messages = of(tmp_path, rules=RULE.replace(old, new))
    assert [message for message in messages if words in message], messages


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('"collect"', '"lottery"', "hit policy `lottery`"),
        ('"collect"', '"first"', "needs a written excuse"),
        ('"device"', '"world"', "scope `world`"),
    ],
)
def test_fault_of_a_table_is_found(tmp_path: Path, old: str, new: str, words: str) -> None:
    messages = of(tmp_path, table=TABLE.replace(old, new))
    assert [message for message in messages if words in message], messages


def test_ids_are_unique_over_tables_and_ranking(tmp_path: Path) -> None:
    messages = of(tmp_path, criterion=CRITERION.replace("RNK010", "PLT001"))
    assert messages == ["PLT001: is already used in `platform`; ids are never reused"]


def test_measure_of_a_criterion_is_one_the_engine_takes(tmp_path: Path) -> None:
    assert "measure `luck`" in of(tmp_path, criterion=CRITERION.replace('measure = "objective"', 'measure = "luck"'))[0]


def test_superseded_row_is_retired(tmp_path: Path) -> None:
    row = RULE.replace('because = "It is a processor."', 'because = "b"\nsuperseded_by = "PLT002"\nstatus = "retired"')
    assert of(tmp_path, rules=row + SECOND) == []
    assert "still active" in of(tmp_path / "again", rules=row.replace("retired", "active") + SECOND)[0]


@pytest.mark.parametrize(
    ("second", "is_overlap"),
    [
        (SECOND, True),
        (SECOND.replace('= "cpu"', '= "gpu"'), False),
        (SECOND.replace('because = "It is a processor."', 'because = "b"\noverrides = ["PLT001"]'), False),
        (SECOND.replace('"device.kind" = "cpu"', '"host.os" = "linux"'), True),
    ],
    ids=["same", "other kind", "overrides", "other attribute"],
)
def test_rows_of_a_unique_table_exclude_each_other(tmp_path: Path, second: str, is_overlap: bool) -> None:
    assert bool(of(tmp_path, table=TABLE.replace('"collect"', '"unique"'), rules=RULE + second)) == is_overlap


@pytest.mark.parametrize(
    ("left", "right", "expected"),
    [
        (1, 2, True),
        (1, 1, False),
        ({"in": ["a", "b"]}, {"in": ["b"]}, False),
        ({"in": ["a"]}, {"in": ["b"]}, True),
        ("a", {"not_in": ["a"]}, True),
        ("a", {"not_in": ["b"]}, False),
        (5, {"at_least": 6}, True),
        (6, {"at_least": 6}, False),
        (6, {"above": 6}, True),
        (6, {"below": 6}, True),
        ({"below": 6}, {"at_least": 6}, True),
        ({"at_most": 6}, {"at_least": 6}, False),
        ({"at_most": 6}, {"above": 6}, True),
        ({"at_least": 7}, {"at_most": 6}, True),
        ({"at_least": 1, "below": 6}, {"at_least": 3}, False),
        ({"has": "x"}, {"has": "y"}, False),
        ({"matches": "a*"}, {"matches": "b*"}, False),
    ],
)
def test_disjoint(left: Any, right: Any, expected: bool) -> None:
    assert disjoint({"x": left, "y": 1}, {"x": right}) is expected
    assert disjoint({"x": right}, {"x": left, "z": 1}) is expected


def test_conditions_on_different_attributes_are_not_shown_to_exclude() -> None:
    assert disjoint({"x": 1}, {"y": 2}) is False
