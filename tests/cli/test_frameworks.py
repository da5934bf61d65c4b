from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from recommender.domain.catalog import Catalog
from tests.cli.answers import environment, process
from tests.cli.conftest import Run


def rows(run: Run, target: str) -> dict[str, dict[str, Any]]:
    return {row["framework"]: row for row in run("frameworks", "--target", target, "--json").document["frameworks"]}


def test_every_framework_of_the_catalogue_is_told(run: Run, catalog: Catalog) -> None:
    found = rows(run, "raspberry-pi-5")
    assert set(found) == set(catalog.frameworks)
    text = run("frameworks", "--target", "raspberry-pi-5").out
    assert [key for key in found if f"\n{key} " not in f"\n{text}"] == []


@pytest.mark.parametrize(("target", "framework", "opens"), [
    ("raspberry-pi-5", "llama-cpp", "cpu on cpu0"), ("rtx-4090", "llama-cpp", "cuda on gpu0"), ("rtx-4090", "onnxruntime", "cpu on cpu0"),
])
def test_what_a_machine_opens(run: Run, target: str, framework: str, opens: str) -> None:
    assert opens in rows(run, target)[framework]["execution_providers"]


def test_what_is_closed_has_a_reason(run: Run) -> None:
    found = rows(run, "raspberry-pi-5")["coreml"]
    assert found["execution_providers"] == []
    assert any("device.family" in line for line in found["why_not"])


def test_no_executor_is_said(run: Run, catalog: Catalog) -> None:
    without = {key for key, row in rows(run, "raspberry-pi-5").items() if not row["has_executor"]}
    assert without == {key for key, framework in catalog.frameworks.items() if not framework.has_executor}
    assert without


def test_this_machine_lists_its_probes_too(tmp_path: Path) -> None:
    ran = process("frameworks", "--json", env=environment(tmp_path))
    found = json.loads(ran.stdout)
    assert ran.returncode == 0
    assert {"cpu_linux", "memory"} <= {probe["name"] for probe in found["probes"]}


def test_an_unknown_target_is_named(run: Run) -> None:
    ran = run("frameworks", "--target", "zyx")
    assert (ran.code, ran.out) == (2, "") and "`zyx`" in ran.err
