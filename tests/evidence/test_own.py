"""Our own schema, and what another machine exported."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

import pytest

from recommender.evidence.told import Fault
from recommender.testing.store import measurement
from tests.evidence.conftest import Gather, told, values

HEAD = "metric,value,model,framework,scheme,source,device,digest,execution_provider,version,conditions,date,low,high,batch"
ROW = "latency,0.0125,mobilenet-v2,onnxruntime,fp16,a note,qualcomm.sm8650.npu,,qnn-htp,1.23,224x224,2026-02-24,0.012,,1"


def test_csv_as_in_the_knowledge(gather: Gather) -> None:
    [row] = gather("own", f"{HEAD}\n{ROW}\n").measurements
    assert (row.candidate["device"], row.model, row.framework, row.execution_provider, row.scheme, row.version) == ("qualcomm.sm8650.npu", "mobilenet-v2", "onnxruntime", "qnn-htp", "fp16", "1.23")
    assert (row.metrics["latency"].value, row.metrics["latency"].low, row.workload, row.facts["source"], row.created[:10]) == (0.0125, 0.012, {"batch": 1}, "a note", "2026-02-24")
    assert row.candidate["options"] == {"conditions": "224x224"} and row.method == "own"


def test_json_lines_say_the_same(gather: Gather) -> None:
    fields = {name: value for name, value in zip(HEAD.split(","), ROW.split(","), strict=True) if value}
    table, lines = gather("own", f"{HEAD}\n{ROW}\n"), gather("own", json.dumps({**fields, "value": 0.0125, "batch": 1}) + "\n")
    assert [row.id for row in lines.measurements] == [row.id for row in table.measurements] or lines.measurements[0].metrics == table.measurements[0].metrics


@pytest.mark.parametrize(("changed", "reason"), [
    (("latency", "speed"), "unknown metric `speed`"), (("0.0125", "12.5 ms"), "`12.5 ms` is not a plain number"), (("0.0125", "nan"), "`nan` is not a finite number"),
    (("0.0125", "-0.0125"), "is not above zero"), (("0.012,", "0.5,"), "outside its own bounds"), ((",1", ",1.5"), "`1.5` is not a whole number"), ((",1", ",1,2"), "another number of fields"),
])  # fmt: skip
def test_a_row_that_is_wrong_is_told(changed: tuple[str, str], reason: str) -> None:
    bad = changed[1].join(ROW.rsplit(changed[0], 1)) if changed[0].startswith(",") else ROW.replace(changed[0], changed[1], 1)
    fault, good = told("own", f"{HEAD}\n{bad}\n{ROW}\n")
    assert isinstance(fault, Fault) and fault.row == "row 1" and reason in fault.reason and values(good) == {"latency": 0.0125}


def test_what_was_exported_elsewhere_is_taken_over_whole(gather: Gather) -> None:
    rows = [measurement("far", digest="d9"), measurement("far2", digest="d9", valid=False)]
    text = "".join(json.dumps(asdict(row)) + "\n" for row in rows)
    found = gather("own", text)
    assert found.measurements == tuple(rows) and not found.faults


@pytest.mark.parametrize(("change", "reason"), [
    ({"metrics": {"latency": 3}}, "`latency` is no object"), ({"metrics": {"latency": {"unit": "s", "value": "fast"}}}, "`fast` is not a finite number"), ({"created": None}, "`created` is missing or of another kind"),
    ({"flags": "x"}, "`flags` is missing or of another kind"), ({"metrics": {"latency": {"colour": 1}}}, "colour"),
])  # fmt: skip
def test_an_exported_row_that_is_damaged_is_left_out(change: dict[str, Any], reason: str, gather: Gather) -> None:
    good, bad = asdict(measurement("good")), {**asdict(measurement("bad")), **change}
    found = gather("own", "".join(json.dumps(row) + "\n" for row in (good, bad)))
    assert [row.id for row in found.measurements] == ["good"] and [fault.row for fault in found.faults] == ["row 2"] and reason in found.faults[0].reason
