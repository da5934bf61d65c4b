"""knowledge/evidence/*.csv of models that run once per input: units, keys, sources, and which rows a decision may use."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterator

import pytest

from benchmarks.evidence.graphs import COLUMNS, KNOWLEDGE
from benchmarks.fit.graphs import FILES
from recommender.compose import load_catalog
from recommender.domain.catalog import Catalog

# what no published figure lies beyond, in base units: half a microsecond to an hour, one in two minutes to a million a second, 256 bytes to 64 GiB, J
PLAUSIBLE = {"latency": (5e-7, 3600.0), "throughput": (1 / 120, 1e6), "peak_memory": (256.0, 2.0**36), "energy": (1e-7, 1.0)}


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    return load_catalog()


@pytest.fixture(scope="module", params=FILES)
def lines(request: pytest.FixtureRequest) -> list[dict[str, str]]:
    with open(KNOWLEDGE / "evidence" / f"{request.param}.csv", encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def faults(lines: list[dict[str, str]], catalog: Catalog) -> Iterator[str]:
    for number, line in enumerate(lines, 2):
        low, high = PLAUSIBLE[line["metric"]]
        if not low <= float(line["value"]) <= high:
            yield f"{number}: {line['metric']} is {line['value']}"
        if line["source"] not in catalog.sources:
            yield f"{number}: source {line['source']}"
        if line["silicon"] and line["silicon"] not in catalog.devices:
            yield f"{number}: unit {line['silicon']}"
        if line["kind"] not in ("cpu", "gpu", "npu", "accelerator", ""):
            yield f"{number}: kind {line['kind']}"
        if not (line["device_name"] and line["model_name"] and line["framework"]):
            yield f"{number}: names no device, model or framework"
        if bool(line["device"]) != bool(line["model"]):
            yield f"{number}: only one of device and model"


def test_every_row_is_plausible_and_sourced(lines: list[dict[str, str]], catalog: Catalog) -> None:
    assert tuple(lines[0]) == COLUMNS
    assert list(faults(lines, catalog)) == []


def test_rows_of_decisions_are_of_the_catalogue(lines: list[dict[str, str]], catalog: Catalog) -> None:
    for line in (line for line in lines if line["device"]):
        assert line["device"] == line["silicon"]
        assert line["model"] in catalog.models
        assert line["framework"] in catalog.frameworks
        assert line["scheme"] in catalog.schemes


def test_no_row_is_there_twice(lines: list[dict[str, str]]) -> None:
    names = ("metric", "unit", "framework", "execution_provider", "precision", "input", "batch", "threads", "setting", "version", "source")
    keys = Counter((line["silicon"] or line["device_group"] or line["device_name"], line["base_model"] or line["model_name"], *(line[name] for name in names)) for line in lines)
    assert [key for key, n in keys.items() if n > 1] == []


def test_a_decision_has_one_row_a_candidate(lines: list[dict[str, str]]) -> None:
    names = ("metric", "device", "model", "framework", "execution_provider", "scheme", "source")
    keys = Counter(tuple(line[name] for name in names) for line in lines if line["device"])
    assert [key for key, n in keys.items() if n > 1] == []
