from __future__ import annotations

from typing import Any

import pytest

from recommender.cli.render import wording
from recommender.cli.render.text import text
from recommender.domain.catalog import Catalog
from tests.cli.answers import answer, of_each_class


@pytest.fixture(scope="module")
def document(catalog: Catalog) -> dict[str, Any]:
    return answer(catalog)


def estimate(central: float | None, unit: str, **more: Any) -> dict[str, Any]:
    return {"central": central, "low": central, "high": central, "unit": unit, "basis": "analytic", "why": None, **more}


@pytest.mark.parametrize(
    ("found", "shown"),
    [
        (estimate(38.04, "tok/s", low=25.4, high=52.0), "38 tok/s (25.4-52, analytic)"),
        (estimate(38.0, "tok/s", basis="measured-here"), "38 tok/s (measured-here)"),
        (estimate(38.0, "tok/s", basis="measured-here", proxy=True), "38 tok/s (measured here (shape proxy))"),
        (estimate(0.0123, "s"), "12.3 ms (analytic)"),
        (estimate(2.5, "s"), "2.5 s (analytic)"),
        (estimate(4.2e-5, "s"), "42 us (analytic)"),
        (estimate(2.0**30 * 1.5, "bytes"), "1.5 GiB (analytic)"),
        (estimate(2.0**20 * 3, "bytes"), "3 MiB (analytic)"),
        (estimate(0.012, "fraction"), "1.2 % (analytic)"),
        (estimate(0.0, "fraction"), "0 % (analytic)"),
        (estimate(123456.0, "1/s"), "123 456 1/s (analytic)"),
        (estimate(None, "J", why="no counter"), "unknown (no counter)"),
        (None, "unknown (not estimated)"),
    ],
)
def test_amounts(found: dict[str, Any] | None, shown: str) -> None:
    assert wording.amount(found) == shown


def test_the_answer_names_target_model_workload_verdict_and_reasons(document: dict[str, Any]) -> None:
    shown = text(document)
    assert [line.split()[0] for line in shown.splitlines()[:3]] == ["Target", "Model", "Workload"]
    assert "Raspberry Pi 5" in shown and "Llama 3.2 1B" in shown and "chat" in shown
    assert f"{document['verdict']}  {document['why']}" in shown
    assert "Why 1 before 2" in shown and wording.separation(*document["choices"][:2])[:40] in " ".join(shown.split())
    assert all(row in shown for row in document["target"]["assumptions"])


def test_every_number_stands_with_its_basis(document: dict[str, Any]) -> None:
    shown = text(document)
    for choice in document["choices"][:3]:
        for metric in wording.headline_metrics(document):
            assert wording.amount(choice["estimates"][metric]) in shown, metric


def test_the_rest_is_counted_and_can_be_shown(document: dict[str, Any]) -> None:
    number = len(document["choices"])
    assert f"and {number - 1} more eligible (--limit {number} shows all)" in text(document, 1)
    assert "more eligible" not in text(document, number)
    assert f"\n{number:>2}  " in text(document, number)


def test_lines_stay_readable(document: dict[str, Any]) -> None:
    wrapped = [line for line in text(document).splitlines() if line.lstrip().startswith(("note", "Not possible", "Why"))]
    assert wrapped and max(map(len, wrapped)) <= 118


def test_what_was_ruled_out_is_grouped_by_reason(document: dict[str, Any]) -> None:
    groups = wording.grouped_reasons(document["rejected"])
    assert sum(len(ids) for _, ids in groups) == len(document["rejected"])
    assert [len(ids) for _, ids in groups] == sorted((len(ids) for _, ids in groups), reverse=True)
    assert text(document).count("Not possible") == min(len(groups), 6)


def test_nothing_feasible_shows_the_nearest_misses(catalog: Catalog) -> None:
    found = answer(catalog, needs=("decode_rate>=99999 tok/s",))
    shown = text(found)
    assert "INFEASIBLE" in shown and all(f"hint: {hint}" in shown for hint in found["hints"])


def test_one_of_each_class(catalog: Catalog) -> None:
    found = of_each_class(catalog)
    shown = text(found)
    assert all(row["model"]["name"] in shown and row["verdict"] in shown for row in found["answers"])
    assert "Largest usable language model" in shown
    assert "none in the catalogue" in text({**found, "largest_usable": {"language": None}})
