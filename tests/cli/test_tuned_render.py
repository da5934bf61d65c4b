"""The document of `recommend tune` as text, Markdown and a page."""

from __future__ import annotations

import copy
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from recommender.cli.render import tuned_parts, tuned_plot
from recommender.cli.render.tuned import text
from recommender.cli.render.tuned_html import page
from recommender.cli.render.tuned_markdown import markdown
from recommender.tune.report import document as built
from recommender.tune.space import Point
from recommender.tune.storage import Row
from tests.cli.test_render_html import HOSTILE, Page
from tests.cli.tuned_document import BROKEN, GGUF, LEAN, SLOW, WINNER, fleet, tuned

FORMS = [text, markdown, page]


def words(shown: str) -> str:
    """Without markup, so that one question fits all forms."""
    plain = Page(shown).text if shown.startswith("<!DOCTYPE") else re.sub(r"\\(.)", r"\1", shown).replace("&amp;", "&").replace("&lt;", "<")
    return " ".join(plain.split())


@pytest.mark.parametrize("form", FORMS)
def test_verdict_winner_and_the_line_to_paste_come_first(form: Any) -> None:
    found = words(form(tuned()))
    order = [found.index("RECOMMENDED"), found.index(WINNER), found.index(f"recommend measure --model m.gguf --choice {GGUF}"), found.index("1.6 min of 10 min"), found.index("14 points")]
    assert order[:2] == sorted(order[:2]) and max(order[:3]) < min(order[3:])


@pytest.mark.parametrize("form", FORMS)
def test_everything_that_was_found_is_there(form: Any) -> None:
    found = words(form(tuned()))
    for told in (
        "24 tok/s (22.8-25.2, n = 3)", "858 MiB (n = 1)", LEAN, SLOW, "nothing left could beat the best", "llama-cpp.n_threads", "70%",
        "half of 3 estimates within 17.0%, 3 measured inside", f"{GGUF}?n_threads=8: decode rate 11 tok/s at best, against 22.8 tok/s", "decode_rate>=15 tok/s", "4 complete, 1 fail, 1 running",
    ):
        assert told in found, told
    assert "out of memory" in found or form is text
    assert "throttled" in found or form is text


@pytest.mark.parametrize("form", FORMS)
def test_a_fleet_has_a_row_a_class_and_a_choice_for_all(form: Any) -> None:
    found = words(form(fleet()))
    assert "cpu-b" in found and "INFEASIBLE" in found and "3.1%" in found and "6.3%" in found
    assert "cpu-b" not in words(form(tuned()))


@pytest.mark.parametrize("form", FORMS)
def test_a_sweep_that_found_nothing_says_so(form: Any) -> None:
    empty = tuned(
        trials=[], points={}, best=None, pareto=[], winner=None, history=[], importance={}, estimate_error={}, verdict="INFEASIBLE", why="no point meets what is asked",
        pruned_by_estimate={"count": 0, "examples": []}, spent_s=0.0, ended="budget",
    )
    found = words(form(empty))
    assert "INFEASIBLE" in found and "no point meets what is asked" in found and "every estimate left room to win" in found and "recommend measure" not in found


@pytest.mark.parametrize("form", FORMS)
def test_ties_doubts_and_what_would_settle_them_are_said(form: Any) -> None:
    found = words(form(tuned(verdict="TIE", tied=[WINNER, LEAN], settle="more rounds", confirmed=False)))
    assert f"{WINNER}, {LEAN}" in found and "more rounds" in found and "not confirmed" in found


@pytest.mark.parametrize("form", FORMS)
def test_names_are_not_trusted(form: Any) -> None:
    hostile = tuned()
    hostile["study"].update(model=HOSTILE, name=HOSTILE, storage=HOSTILE)
    hostile["study"]["target"]["name"] = HOSTILE
    for name in (WINNER, LEAN, SLOW):
        hostile["points"][name]["command"] = HOSTILE
    for row in hostile["trials"]:
        row.update(why=HOSTILE, worker=HOSTILE, flags=[HOSTILE])
    hostile.update(why=HOSTILE, tied=[HOSTILE], importance={"decode_rate": {HOSTILE: 1.0}}, classes={HOSTILE: {"n_trials": 1, "winner": HOSTILE}})
    shown = form(hostile)
    assert "alert(1)" in words(shown) if form is page else True
    if form is page:
        assert "<script" not in shown and "\x00" not in shown
        assert not [name for _, attributes in Page(shown).tags for name in attributes if name.startswith("on")]
    if form is markdown:
        outside = [line for line in shown.splitlines() if not line.startswith("    ")]  # an indented block is shown as it is
        assert "<script" not in "\n".join(outside) and "alert(1)" in shown


def test_the_page_stands_alone_and_can_be_read_aloud() -> None:
    shown = page(fleet())
    found = Page(shown)
    assert not {"script", "link", "img", "iframe"} & {tag for tag, _ in found.tags}
    assert not re.search(r"url\((?!#)|@import|https?://", shown) and "default-src 'none'" in shown and "prefers-color-scheme: dark" in shown
    ids = [attributes["id"] for _, attributes in found.tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    assert all(set((attributes["aria-labelledby"] or "").split()) <= set(ids) for attributes in found.all("svg"))
    assert len(found.all("svg")) == 4  # front, history, shares of one metric, agreement of the one metric that has estimates
    assert all(attributes.get("scope") in ("col", "row") for attributes in found.all("th"))


def test_markdown_tables_are_whole() -> None:
    shown = markdown(fleet())
    for block in re.findall(r"(?m)(?:^\|.*\n?)+", shown):
        rows = [re.split(r"(?<!\\)\|", line)[1:-1] for line in block.strip().splitlines()]
        assert len(rows) > 2 and {len(row) for row in rows} == {len(rows[0])}


def test_long_sweeps_are_cut_and_counted() -> None:
    long = tuned(trials=[{**tuned()["trials"][3], "number": number} for number in range(tuned_parts.SHOWN_TRIALS + 7)])
    assert "7 more are in the JSON document" in words(markdown(long)) and "7 more are in the JSON document" in words(page(long))


def test_points_that_miss_a_need_are_last_and_on_no_front() -> None:
    found = tuned()
    found["points"][SLOW]["metrics"]["decode_rate"]["value"] = 99.0
    assert [point for point, _ in tuned_parts.ranked(found)] == [WINNER, LEAN, SLOW]
    assert [point for point, _ in tuned_parts.front(found)] == [WINNER, LEAN]
    assert BROKEN not in found["points"]


# --- drawings ----------------------------------------------------------------------------------------------------------


def test_the_front_is_a_line_through_its_points_with_whiskers_for_all() -> None:
    drawn = tuned_plot.front(tuned(), "p")
    assert drawn.count('class="mark shown"') == 2 and drawn.count('class="whisker"') == 2 and drawn.count('class="front"') == 1
    path = re.search(r'class="front" d="M([\d.]+) ([\d.]+) H([\d.]+) V([\d.]+)"', drawn)
    assert path and float(path[3]) < float(path[1]) and float(path[4]) > float(path[2])  # from the fastest to the leanest, over what neither reaches
    assert SLOW not in drawn and WINNER in drawn and "decode rate (tok/s)" in drawn and "peak memory (MiB)" in drawn


def test_one_objective_has_no_front_but_a_history() -> None:
    found = tuned()
    found["study"]["objectives"] = found["study"]["objectives"][:1]
    assert tuned_plot.front(found, "p") == "" and 'class="front"' in tuned_plot.history(found, "p") and tuned_plot.history({**found, "history": []}, "p") == ""


def test_the_history_never_falls_and_reaches_the_end() -> None:
    path = re.search(r'class="front" d="M([\d.]+) ([\d.]+) H([\d.]+) V([\d.]+) H([\d.]+)"', tuned_plot.history(tuned(), "p"))
    assert path
    x0, y0, x1, y1, end = map(float, path.groups())
    assert x0 < x1 < end and y1 < y0  # higher on the page is better


def test_a_perfect_estimate_lies_on_the_diagonal() -> None:
    found = copy.deepcopy(tuned())
    for row in found["points"].values():
        row["estimates"]["decode_rate"]["central"] = row["metrics"]["decode_rate"]["value"]
    drawn = tuned_plot.agreement(found, "decode_rate", "p")
    x0, y0, x1, y1 = map(float, re.search(r'class="limit" d="M([\d.]+) ([\d.]+) L([\d.]+) ([\d.]+)"', drawn).groups())  # type: ignore[union-attr]
    for x, y in re.findall(r'class="mark shown" transform="translate\(([\d.]+) ([\d.]+)\)', drawn):
        assert (float(y) - y0) / (y1 - y0) == pytest.approx((float(x) - x0) / (x1 - x0), abs=0.01)
    assert tuned_plot.agreement(found, "peak_memory", "p") == ""  # its estimate is not known


def test_bars_are_as_long_as_their_shares() -> None:
    drawn = tuned_plot.bars([("a", 0.8), ("b", 0.2)], "shares", "p")
    wide, narrow = (float(width) for width in re.findall(r'<rect class="part c0"[^>]* width="([\d.]+)"', drawn))
    assert wide == pytest.approx(4 * narrow, rel=0.01) and "80%" in drawn


# --- the real builder, a real browser ----------------------------------------------------------------------------------


@pytest.mark.parametrize("form", FORMS)
def test_what_the_sweep_itself_writes_can_be_shown(form: Any) -> None:
    point = Point(choice=GGUF, framework="llama-cpp", execution_provider="cpu", device="", scheme="Q4_K_M", settings={"n_threads": 2}, start={"n_threads": 2})
    rows = [
        Row(number=number, state="COMPLETE", point=point.id, round=number + 1, params=point.parameters, worker="w", values=(rate,),
            outcome={"metrics": {"decode_rate": rate}, "samples": {"decode_rate": [rate - 1, rate, rate + 1]}, "cost_s": 3.0, "spent_s": 3.0 * (number + 1), "class": "cpu-a"})
        for number, rate in enumerate((20.0, 22.0))
    ]
    meta = {**tuned()["study"], "objectives": [{"metric": "decode_rate", "better": "up"}], "needs": [], "baseline": point.id}
    found = words(form(built(meta, rows, {point.id: point}, {GGUF: tuned()["points"][WINNER]["estimates"]})))
    assert "21 tok/s" in found and "INCONCLUSIVE" in found and point.id in found


def test_a_browser_shows_it(tmp_path: Path) -> None:
    browser = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if browser is None:
        pytest.skip("no browser is installed")
    (tmp_path / "page.html").write_text(page(fleet()), "utf-8")
    done = subprocess.run(
        [browser, "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path / 'profile'}", "--dump-dom", (tmp_path / "page.html").as_uri()],
        capture_output=True, text=True, timeout=60, check=False,
    )
    assert done.returncode == 0, done.stderr[-500:]
    assert done.stdout.count("<svg") == 4 and "By class of machine" in done.stdout
