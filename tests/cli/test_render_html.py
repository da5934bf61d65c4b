from __future__ import annotations

import copy
import re
from html.parser import HTMLParser
from typing import Any

import pytest

from recommender.cli.render import memory_bars, plot
from recommender.cli.render.axis import axis
from recommender.cli.render.html import page
from recommender.domain.catalog import Catalog
from tests.cli.answers import answer, of_each_class

VOID = {"meta", "br", "hr", "img", "input", "link"}
HOSTILE = "</title></style><script>alert(1)</script>\"' onload=x & \x00\udcff"


class Page(HTMLParser):
    """Checks that tags nest, and keeps what the tests ask for."""

    def __init__(self, text: str):
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join("".join(self.words).split())

    def all(self, name: str) -> list[dict[str, str | None]]:
        return [attributes for tag, attributes in self.tags if tag == name]


@pytest.fixture(scope="module")
def document(catalog: Catalog) -> dict[str, Any]:
    return answer(catalog)


@pytest.fixture(scope="module")
def shown(document: dict[str, Any]) -> Page:
    return Page(page(document))


def known(document: dict[str, Any], basis: str = "claim") -> dict[str, Any]:
    """The same answer with five choices, whose loss of quality is known."""
    found = copy.deepcopy(document)
    found["choices"] = [{**copy.deepcopy(found["choices"][0]), "rank": number, "id": f"acme/cpu/{number}"} for number in range(1, 6)]
    for number, choice in enumerate(found["choices"], 1):
        choice["estimates"]["quality_drop"].update(central=number / 100, low=number / 200, high=number / 50, basis=basis, why=None)
    return found


def test_one_file_without_script_or_reference(document: dict[str, Any], shown: Page) -> None:
    text = page(document)
    assert text.startswith("<!DOCTYPE html>")
    assert not {"script", "link", "img", "iframe", "object", "base", "form"} & {tag for tag, _ in shown.tags}
    assert [name for _, attributes in shown.tags for name in attributes if name in ("src", "href", "xlink:href", "style", "data") or name.startswith("on")] == []
    assert not re.search(r"url\((?!#)|@import|https?://", text)
    assert "default-src 'none'" in text


def test_light_and_dark(document: dict[str, Any]) -> None:
    assert "prefers-color-scheme: dark" in page(document) and "color-scheme: light dark" in page(document)


def test_the_answer_its_numbers_and_reasons_are_there(document: dict[str, Any], shown: Page) -> None:
    first = document["choices"][0]
    assert document["verdict"] in shown.text and document["why"] in shown.text
    assert [row["id"] for row in first["criteria"] if f"{row['id']} {row['label']}" not in shown.text] == []
    assert all(" ".join(warning.split()) in shown.text for warning in first["warnings"])
    assert all(row in shown.text for row in document["target"]["assumptions"])
    assert all(row["id"] in shown.text for row in (*document["choices"], *document["rejected"]) if row["id"])  # marks, folded rows


def test_tables_and_drawings_can_be_read_aloud(shown: Page) -> None:
    assert shown.all("html")[0]["lang"] == "en"
    assert all(attributes.get("scope") in ("col", "row") for attributes in shown.all("th"))
    drawings = [attributes for attributes in shown.all("svg") if attributes.get("aria-hidden") != "true"]
    assert len(drawings) == 2
    ids = {attributes["id"] for tag, attributes in shown.tags if tag in ("title", "desc") and "id" in attributes}
    assert all(attributes["role"] == "img" and set((attributes["aria-labelledby"] or "").split()) <= ids for attributes in drawings)


def test_ids_are_unique_also_with_one_answer_of_each_class(catalog: Catalog) -> None:
    found = of_each_class(catalog)
    shown = Page(page(found))
    ids = [attributes["id"] for _, attributes in shown.tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    used = set(re.findall(r"url\(#([^)]+)\)", page(found)))
    assert used and used <= set(ids)
    assert all(row["model"]["name"] in shown.text for row in found["answers"]) and "Largest usable language model" in shown.text
    assert len(shown.all("h1")) == 1


def test_names_and_paths_are_not_trusted(document: dict[str, Any]) -> None:
    found = copy.deepcopy(document)
    for part, names in (("model", ("name", "license", "task")), ("target", ("name", "machine_name", "os")), ("workload", ("key",))):
        found[part].update(dict.fromkeys(names, HOSTILE))
    found["why"], found["hints"], found["target"]["assumptions"] = HOSTILE, [HOSTILE], [HOSTILE]
    found["model"]["artifact"] = {"path": HOSTILE, "format": HOSTILE, "scheme": HOSTILE, "size": 1, "bits_per_weight": 4}
    for row in (*found["choices"], *found["rejected"]):
        row.update(id=HOSTILE, framework=HOSTILE, scheme=HOSTILE)
    found["choices"][0].update(warnings=[HOSTILE], launch=HOSTILE, memory_by_component={HOSTILE: 5.0}, options={HOSTILE: HOSTILE}, reasons={HOSTILE: HOSTILE})
    text = page(found)
    shown = Page(text)
    assert not {"script"} & {tag for tag, _ in shown.tags}
    assert "<script" not in text and "\x00" not in text and "alert(1)" in shown.text
    assert not [name for _, attributes in shown.tags for name in attributes if name.startswith("on")]
    text.encode("utf-8")


def test_infeasible_has_no_drawing_but_reasons_and_hints(catalog: Catalog) -> None:
    found = answer(catalog, needs=("decode_rate>=99999 tok/s",))
    shown = Page(page(found))
    assert shown.all("svg") == [] and "INFEASIBLE" in shown.text and "decode_rate>=99999 tok/s is not met" in shown.text
    assert all(" ".join(hint.split()) in shown.text for hint in found["hints"])


def test_the_trace_is_folded_away(catalog: Catalog) -> None:
    for full in (False, True):
        found = answer(catalog, "mobilenet-v2", full=full)
        shown = Page(page(found))
        assert shown.all("details")
        assert [step["rule"] for step in found["trace"]["steps"] if step["rule"] not in shown.text] == []


# --- drawings ----------------------------------------------------------------------------------------------------------


def test_the_plot_marks_every_choice_with_both_numbers(document: dict[str, Any]) -> None:
    found = known(document)
    drawn = plot.pareto(found, 3, "p")
    assert drawn.count("<g class=\"mark") == len(found["choices"]) + 2  # and two in the legend
    assert drawn.count('class="whisker"') == 3 + 1
    assert "quality drop" in drawn and drawn.count('class="front"') == 2


def test_the_front_line_joins_what_nothing_beats(document: dict[str, Any]) -> None:
    found = known(document)
    rates = [100.0, 80.0, 120.0, 90.0, 70.0]
    for choice, rate in zip(found["choices"], rates, strict=True):
        choice["estimates"]["decode_rate"].update(central=rate, low=rate, high=rate)
    line = re.search(r'class="front" d="(M[^"]*)"', plot.pareto(found, 1, "p"))
    assert line and line[1].count("H") == 1  # from the fastest to the one of least loss; the other two are beaten


def test_unknown_loss_is_replaced_and_said(document: dict[str, Any]) -> None:
    found = copy.deepcopy(document)
    for choice in found["choices"]:
        choice["estimates"]["quality_drop"].update(central=None, low=None, high=None, basis="unknown", why="not known")
    assert plot.heading(found) == "Decode rate against peak memory"
    assert "peak memory stands in its place" in plot.described(found, 3)
    found["choices"][0]["estimates"]["decode_rate"].update(central=None, low=None, high=None)
    assert "1 are not drawn" in plot.described(found, 3)


def test_too_few_numbers_make_no_plot(document: dict[str, Any]) -> None:
    assert plot.pareto({**document, "choices": document["choices"][:1]}, 3, "p") == ""


@pytest.mark.parametrize("basis", ["measured-here", "measured-elsewhere", "calibrated", "analytic", "claim"])
def test_each_basis_has_a_mark_of_its_own_in_the_legend(document: dict[str, Any], basis: str) -> None:
    found = known(document)
    for choice in found["choices"]:
        choice["estimates"]["decode_rate"]["basis"] = basis
    assert f">{basis}</text>" in plot.pareto(found, 3, "p")
    assert len(set(plot._MARKS.values())) == 5


@pytest.mark.parametrize(("values", "is_log"), [([1.0, 21.0], True), ([1.0, 19.0], False), ([0.0, 1000.0], False), ([-1.0, 50.0], False), ([5.0, 5.0], False)])
def test_an_axis_is_logarithmic_beyond_twenty_times(values: list[float], is_log: bool) -> None:
    found = axis(values, 0.0, 100.0)
    assert found.is_log is is_log
    assert 0.0 <= found.at(values[0]) <= found.at(values[-1]) <= 100.0
    assert 2 <= len(found.ticks()) <= 12 and all(found.low <= tick <= found.high for tick in found.ticks())


def test_ticks_of_a_wide_span_stay_few() -> None:
    assert axis([1e-3, 1e5], 0.0, 1.0).ticks() == [10.0**power for power in range(-3, 6)]


def test_bars_add_up_and_show_the_room(document: dict[str, Any]) -> None:
    found = copy.deepcopy(document)
    first = found["choices"][0]
    first["memory_by_component"] = {"kv_cache": 2.0**30, "weights": 2.0**31}
    assert memory_bars.components([first]) == ["weights", "kv_cache"]
    assert "3 GiB</text>" in memory_bars.bars(found, 1, "m")
    for device in found["target"]["devices"]:
        device["memory_usable"] = 2.0**32 if device["id"] == first["device"] else None
    assert memory_bars.room(found, first) == (2.0**32, "usable memory")
    assert "usable memory 4 GiB" in memory_bars.bars(found, 1, "m")


def test_room_that_is_not_known_is_said(document: dict[str, Any]) -> None:
    found = copy.deepcopy(document)
    found["trace"]["steps"], found["target"]["memory"] = [], {"total": None, "limit": None, "available": None}
    for device in found["target"]["devices"]:
        device["memory_total"] = device["memory_usable"] = None
    assert memory_bars.room(found, found["choices"][0]) is None
    assert 'class="limit"' not in memory_bars.bars(found, 1, "m") and "not known" in memory_bars.bars(found, 1, "m")
    found["target"]["memory"]["limit"] = 2**34
    assert memory_bars.room(found, found["choices"][0]) == (2.0**34, "container limit")
