from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from recommender.cli.doctor import doctor
from recommender.measure import preflight


def test_it_tells_the_state_of_the_machine() -> None:
    found = CliRunner().invoke(doctor, ["--json"], standalone_mode=False)
    told = json.loads(found.output)
    assert found.return_value == 0 and set(told) == {"findings", "energy_unavailable", "record", "spin"}
    assert told["spin"] in ("shipped", "passive") and told["record"]["processors"] >= 1


def test_each_thing_that_disturbs_has_a_line_against_it(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = {**preflight.record(seconds=0.05), "foreign_load": 0.5, "thread_variables": {"OMP_NUM_THREADS": "1"}, "busiest": [{"pid": 3, "name": "make", "share": 0.9}]}
    monkeypatch.setattr(preflight, "record", lambda: seen)
    found = CliRunner().invoke(doctor, [])
    lines = found.output.splitlines()
    assert found.exit_code == 0 and "make (3)" in found.output and "refused by --mode strict" in found.output
    at = next(n for n, line in enumerate(lines) if "thread-variables" in line)
    assert lines[at + 1].strip() == "hint: unset OMP_NUM_THREADS"
    assert "others use 50%" in lines[-1]
