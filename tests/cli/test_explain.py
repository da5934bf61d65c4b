from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.cli.answers import PI
from tests.cli.conftest import Run

pytestmark = pytest.mark.usefixtures("own_cache")


@pytest.fixture
def told(run: Run) -> dict[str, Any]:
    """An answer that has just been given, and so is stored."""
    found: dict[str, Any] = run(*PI, "--json").document
    return found


@pytest.fixture
def file(run: Run, told: dict[str, Any], tmp_path: Path) -> str:
    path = tmp_path / "answer.json"
    run(*PI, "--json", "--output", str(path))
    return str(path)


def test_without_any_answer_there_is_a_hint(run: Run) -> None:
    ran = run("explain")
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.splitlines()[0] == "error: no answer is stored yet"
    assert "hint: recommend" in ran.err


def test_the_last_answer_an_id_and_a_file_tell_the_same(run: Run, told: dict[str, Any], file: str) -> None:
    last = run("explain")
    assert last.code == 0
    assert told["id"] in last.out and told["choices"][0]["id"] in last.out and told["why"] in last.out
    assert run("explain", told["id"][:8]).out == run("explain", file).out == last.out


def test_why_names_criteria_numbers_rows_and_readings(run: Run, told: dict[str, Any]) -> None:
    first = told["choices"][0]
    shown = run("explain", "--why", first["id"]).out
    assert all(criterion["id"] in shown and criterion["shown"] in shown for criterion in first["criteria"])
    placed = [criterion["shown"].split()[-1] for criterion in first["criteria"] if criterion["shown"].startswith("place ") and " by " in criterion["shown"]]
    assert placed and all(f"{rule}: " in shown for rule in placed)
    assert "read: " in shown and "(fact)" in shown


@pytest.mark.parametrize("words", ["2", "id"])
def test_why_takes_a_rank_or_an_id(run: Run, told: dict[str, Any], words: str) -> None:
    second = told["choices"][1]["id"]
    assert f"{second} is number 2" in run("explain", "--why", second if words == "id" else words).out


def test_why_not_names_the_row_and_the_reading_that_ruled_it_out(run: Run, told: dict[str, Any]) -> None:
    row = next(row for row in told["rejected"] if any(step["readings"] for step in row["because"]))
    shown = run("explain", "--why-not", row["id"]).out
    assert row["because"][0]["rule"] in shown and row["because"][0]["because"] in shown
    assert row["because"][0]["readings"][0]["attribute"] in shown


def test_why_not_of_an_eligible_one_names_what_puts_the_first_before_it(run: Run, told: dict[str, Any]) -> None:
    shown = run("explain", "--why-not", told["choices"][1]["id"]).out
    assert "is eligible, number 2" in shown and told["choices"][0]["id"] in shown


def test_why_not_of_what_no_framework_claims_here_names_the_statement(run: Run, told: dict[str, Any]) -> None:
    shown = run("explain", "--why-not", "cuda").out
    assert "SUP-" in shown and "device.family" in shown


def test_why_not_of_an_unknown_name_is_an_error(run: Run, told: dict[str, Any]) -> None:
    ran = run("explain", "--why-not", "zyx")
    assert ran.code == 2 and "`zyx`" in ran.err


def test_compare_marks_the_criterion_that_decides(run: Run, told: dict[str, Any]) -> None:
    a, b = told["choices"][:2]
    decides = next(x["id"] for x, y in zip(a["criteria"], b["criteria"], strict=True) if x["key"] != y["key"])
    marked = [line for line in run("explain", "--compare", b["id"], a["id"]).out.splitlines() if "<- decides" in line]
    assert len(marked) == 1 and decides in marked[0]


def test_a_rule_has_its_page(run: Run) -> None:
    ran = run("explain", "ELG001")
    assert ran.code == 0 and ran.out.startswith("ELG001")


@pytest.mark.parametrize("words", [("--why", "zyx"), ("ELG999",), ("no-such-answer",)])
def test_what_is_not_there_is_named(run: Run, told: dict[str, Any], words: tuple[str, ...]) -> None:
    ran = run("explain", *words)
    assert (ran.code, ran.out) == (2, "")
    assert f"`{words[-1]}`" in ran.err.splitlines()[0]


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ('{"verdict": "X"}', "`id`"), ('{"verdict": "X", "id": "1", "answers": []}', "`answers`"), ("[" * 100_000, ""), ("[]", ""), ("{", ""),
        ('{"verdict": "X", "schema_version": 999}', "newer"),
    ],
)
def test_a_file_that_is_no_answer_is_refused(run: Run, tmp_path: Path, text: str, part: str) -> None:
    path = tmp_path / "answer.json"
    path.write_text(text)
    for words in (("explain", str(path)), ("diff", str(path), str(path))):
        ran = run(*words)
        assert (ran.code, ran.out) == (2, "")
        assert str(path) in ran.err.splitlines()[0] and part in ran.err.splitlines()[0]


def test_json_holds_the_same_lines(run: Run, told: dict[str, Any]) -> None:
    found = run("explain", "--why", "1", "--json").document
    assert found["id"] == told["id"]
    assert "\n".join(found["answers"][0]["lines"]) + "\n" == run("explain", "--why", "1").out


def test_each_class_is_explained(run: Run) -> None:
    told = run("--target", "raspberry-pi-5", "--json").document
    shown = run("explain").out
    assert all(answer["model"]["name"] in shown for answer in told["answers"])
