from __future__ import annotations

import copy
import re
from typing import Any

import pytest

from recommender.cli.render import sections, wording
from recommender.cli.render.markdown import escaped, markdown
from recommender.domain.catalog import Catalog
from tests.cli.answers import answer, of_each_class

HOSTILE = "<img src=x onerror=alert(1)> | a `b` *c* [d](e) _f_ ```\n# g"


@pytest.fixture(scope="module")
def document(catalog: Catalog) -> dict[str, Any]:
    return answer(catalog)


def headings(shown: str) -> list[str]:
    return re.findall(r"(?m)^#+ (.*)$", shown)


def table(shown: str) -> list[list[str]]:
    """Cells of the first table, as a Markdown reader splits them."""
    rows = [line for line in shown.splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", row)[1:-1]] for row in rows]


def test_sections(document: dict[str, Any]) -> None:
    found = headings(markdown(document))
    assert found[0] == "Llama 3.2 1B on Raspberry Pi 5"
    assert [name for name in ("Because", "Choices", "Why this order", "Settings", "Recipe", "Not possible", "Before you ship") if name not in found] == []


def test_the_table_has_a_row_for_each_choice_and_a_basis_in_each_cell(document: dict[str, Any]) -> None:
    head, line, *rows = table(markdown(document, 2))
    assert head[1:] == ["path", "decode rate", "ttft", "peak memory", "file size", "quality drop"]
    assert set("".join(line)) <= set(":-")
    assert len(rows) == 2 and {len(row) for row in rows} == {len(head)}
    for row, choice in zip(rows, document["choices"], strict=False):
        assert row[1].startswith(wording.path(choice))
        assert row[2:] == [escaped(wording.amount(choice["estimates"][metric])) for metric in wording.headline_metrics(document)]


def test_commands_stand_in_a_block(document: dict[str, Any]) -> None:
    block = re.search(r"(?ms)^```sh\n(.*?)^```$", markdown(document))
    assert block and block[1].splitlines() == sections.commands(document["choices"][0])


def test_every_rejected_candidate_is_counted(document: dict[str, Any]) -> None:
    counts = re.findall(r"(?m)^- (\d+): .*\[[A-Z]{3}\d{3}", markdown(document).replace("\\", ""))
    assert sum(map(int, counts)) == len(document["rejected"]) > 0


def test_notes_of_fired_rows_come_before_shipping_once(document: dict[str, Any]) -> None:
    shown = markdown(document)
    notes = sections.before_shipping(document)
    assert notes and all(shown.count(f"({rule})") == 1 for rule, _ in notes)


def test_undetermined_names_what_was_not_observed(document: dict[str, Any]) -> None:
    reading = {"attribute": "device.driver", "value": None, "origin": "unknown", "condition": "x", "outcome": "unknown"}
    row = {**document["rejected"][0], "id": "acme/npu/int8", "because": [{"rule": "R", "subject": "s", "outcome": "unknown", "because": "b", "readings": [reading], "effect": {}}]}
    shown = markdown({**document, "undetermined": [row]})
    assert "Undetermined: not observed" in headings(shown) and "- 1: device.driver: acme/npu/int8" in shown


def test_one_of_each_class(catalog: Catalog) -> None:
    found = of_each_class(catalog)
    shown = markdown(found)
    names = headings(shown)
    assert names[0] == "What runs on raspberry-pi-5" and names.count("Before you ship") == 1
    assert [f"{row['model']['name']} on Raspberry Pi 5" for row in found["answers"]] == [name for name in names[1:] if name.endswith("on Raspberry Pi 5")]
    assert "Largest usable language model" in shown


def test_sources_name_what_stands_behind_the_numbers(document: dict[str, Any]) -> None:
    named = {source for choice in document["choices"][:3] for found in choice["estimates"].values() for source in found["sources"]}
    assert named and named <= set(sections.sources(document, 3))
    assert all(f"- {source}" in markdown(document).replace("\\", "") for source in named)


@pytest.mark.parametrize(
    ("raw", "safe"),
    [("a|b", "a\\|b"), ("<b>", "&lt;b>"), ("a & b", "a &amp; b"), ("Q4_K_M", "Q4_K_M"), ("_x_", "\\_x\\_"), ("# x", "\\# x"), ("a\n\nb", "a b"), ("`c`", "\\`c\\`"), (3, "3")],
)
def test_escapes(raw: Any, safe: str) -> None:
    assert escaped(raw) == safe


def test_hostile_names_stay_text(document: dict[str, Any]) -> None:
    found = copy.deepcopy(document)
    found["model"]["name"] = found["target"]["machine_name"] = HOSTILE
    found["choices"][0]["warnings"] = [HOSTILE]
    found["choices"][0]["recipe"]["launch"] = "run ``` " + HOSTILE
    found["choices"][0]["scheme"] = "a|b"
    shown = markdown(found)
    outside = re.sub(r"(?ms)^(`{3,})sh\n.*?^\1$", "", shown)
    assert "<img" not in outside and "onerror" in outside
    assert {len(row) for row in table(shown)} == {7}
    assert headings(outside)[1:] == headings(markdown(document))[1:]
    assert re.search(r"(?m)^````+sh$", shown)
