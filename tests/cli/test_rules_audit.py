from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from recommender.compose import observe_this_machine
from recommender.domain.catalog import Catalog
from recommender.domain.measurement import Measurement, Summary
from recommender.store.evidence import EvidenceStore
from tests.cli.answers import answer
from tests.cli.conftest import Run
from tests.loader.overlay import folder
from tests.loader.test_audit import CLAIM, TALLY


@pytest.fixture(autouse=True)
def own_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RECOMMEND_DATA_DIR", str(tmp_path / "data"))


@pytest.fixture(scope="module")
def overlay(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Knowledge in which published cases contradict the row that places llama.cpp on a board's processor."""
    slow = {**CLAIM, "classes": {"language/cpu": TALLY, "vision/cpu": {**TALLY, "verdict": "too-few"}}}
    return folder(tmp_path_factory.mktemp("audit") / "overlay", {"calibration/audit.json": json.dumps({"PLT520": [slow]})})


@pytest.fixture
def contradicted(overlay: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("RECOMMEND_CACHE_DIR", str(overlay.parent / "cache"))  # compiled once
    return str(overlay)


@pytest.fixture
def measured() -> str:
    """Two frameworks measured on this machine with one model at 4 bits: the second is twice as fast."""
    seen = observe_this_machine(print, with_microbenchmark=False)
    device = next(row.id for row in seen.devices if row.kind == "cpu")
    for name, scheme, rate in (("llama-cpp", "Q4_0", 10.0), ("onnxruntime-genai", "int4-weights-g32", 20.0)):
        EvidenceStore().add(Measurement(
            id=name, created="2026-11-24T00:00:00+00:00", digest=seen.digest, model="llama-3.2-1b", framework=name, execution_provider="cpu", scheme=scheme,
            version="", candidate={"device": device}, workload={"prompt_tokens": 512, "output_tokens": 128}, metrics={"decode_rate": Summary(unit="tok/s", value=rate)},
        ))
    return device


def rows(found: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    return {row["id"]: row for row in found}


def test_every_row_that_chooses_is_there_with_its_verdict(run: Run, catalog: Catalog) -> None:
    found = rows(run("rules", "audit", "--json").document)
    expected = [rule.id for table in catalog.tables.values() for rule in table.rules if rule.status == "active" and {"frameworks", "schemes", "units"} & set(rule.then)]
    assert list(found) == expected
    assert {row["verdict"] for row in found.values()} <= {"supported", "contradicted", "too-few"}
    assert {name for name, row in found.items() if row["published"]} == set(catalog.audit)
    assert found["PLT205"] == {"id": "PLT205", "pick": "llama-cpp", "verdict": "too-few", "is_demoted": False, "published": [], "here": []}


def test_the_table_says_pick_counts_regret_and_verdict(run: Run, contradicted: str) -> None:
    line = next(line for line in run("rules", "audit", "--catalog", contradicted).out.splitlines() if line.startswith("PLT520"))
    assert line.split() == ["PLT520", "published", "speed", "60", "9", "8", "20%", "(10%-30%)", "34.0%", "40.0%", "contradicted", "llama-cpp"]


def test_one_row_alone_is_shown_by_class(run: Run, contradicted: str) -> None:
    lines = run("rules", "audit", "plt520", "--catalog", contradicted).out.splitlines()
    assert [line.split()[0] for line in lines] == ["RULE", "PLT520", "language/cpu", "vision/cpu"]
    assert lines[3].endswith("too-few") and lines[2].endswith("contradicted")


def test_the_page_of_a_row_shows_its_record(run: Run, contradicted: str) -> None:
    text = run("rules", "show", "PLT520", "--catalog", contradicted).out
    assert "audit: speed: its pick was best or within 5 % in 12 of 60 published cases, median regret 34 % (contradicted)" in text
    assert "demoted behind every place that stands" in text
    page = run("rules", "show", "PLT520", "--catalog", contradicted, "--json").document
    assert page["audit"][0]["overall"] == TALLY


def test_explain_shows_the_record_too(run: Run, catalog: Catalog) -> None:
    name, [found, *_] = next(iter(catalog.audit.items()))
    assert f"in {found.overall.hits} of {found.overall.cases} published cases" in run("explain", name).out


def test_a_demoted_default_loses_its_place_in_the_answer_visibly(run: Run, contradicted: str, catalog: Catalog) -> None:
    told = run("--model", "llama-3.2-1b", "--target", "raspberry-pi-5", "--framework", "llama-cpp", "--catalog", contradicted, "--json").document
    sentence = "PLT520 demoted: its pick was best or within 5 % in 12 of 60 published cases, median regret 34 %"
    first = told["choices"][0]
    assert sentence in {row["shown"] for row in first["criteria"]}
    assert sentence in first["reasons"]["PLT520"]
    assert sentence in json.dumps(told["trace"])
    assert sentence not in json.dumps(answer(catalog))


def test_this_machines_own_cases_stand_beside_the_published_ones(run: Run, measured: str) -> None:
    ran = run("rules", "audit", "PLT050", "--json")
    assert ran.code == 0, ran.err
    [row] = ran.document
    [found] = row["here"]
    assert (found["claim"], found["overall"]["cases"], found["overall"]["hits"], found["overall"]["verdict"]) == ("speed", 1, 0, "too-few")
    assert found["overall"]["median_regret"] == 1.0 and list(found["classes"]) == ["language/cpu"]
    assert any(line.split()[:2] == ["PLT050", "here"] for line in run("rules", "audit").out.splitlines())


def test_without_measurements_nothing_is_observed(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("recommender.compose.observe_this_machine", lambda *a, **k: pytest.fail("observed"))
    assert run("rules", "audit", "--json").code == 0


@pytest.mark.parametrize(("words", "told", "hint"), [
    ("PLT9999", "no rule `PLT9999`", "recommend rules audit PLT"), ("ELG001", "ELG001 places nothing", "recommend rules show ELG001"), ("", "no rule ``", "recommend rules audit"),
])
def test_a_row_that_cannot_be_audited_is_refused(run: Run, words: str, told: str, hint: str) -> None:
    ran = run("rules", "audit", words)
    assert (ran.code, ran.out) == (2, "")
    assert told in ran.err.splitlines()[0] and f"hint: {hint}" in ran.err
