from __future__ import annotations

import pytest

from tests.cli.conftest import Run

pytestmark = pytest.mark.usefixtures("own_cache")
LARGE = ("--model", "llama-3.1-8b", "--target", "raspberry-pi-5", "--allow-below-floor", "--today", "2026-11-24")


@pytest.fixture
def pair(run: Run) -> tuple[str, str]:
    """The same question with too little memory and with enough."""
    small, large = (run(*LARGE, "--memory", memory, "--json").document for memory in ("1GiB", "16GiB"))
    assert small["verdict"] == "INFEASIBLE" and large["choices"]
    return small["id"], large["id"]


def test_the_fact_the_row_and_the_number_that_flipped_are_named(run: Run, pair: tuple[str, str]) -> None:
    found = run("diff", *pair, "--json").document["answers"][0]
    assert found["flipped"] and found["verdict"][0] == "INFEASIBLE"
    assert found["facts"]["host.memory"] == [2**30, 16 * 2**30]
    first = found["first_choice"][1]
    assert any(line.startswith(f"{first} is ineligible before") for line in found["dismissed"])
    assert any(name.startswith(f"{first} ") and told[0] == "not a choice" and "GiB" in told[1] for name, told in found["numbers"].items())


def test_the_text_says_it_in_words(run: Run, pair: tuple[str, str]) -> None:
    shown = run("diff", *pair).out
    assert shown.startswith("Llama 3.1 8B: flipped: INFEASIBLE None -> ")
    assert "fact host.memory: 1073741824 -> 17179869184" in shown and "is ineligible before" in shown


def test_backwards_it_says_what_is_no_longer_possible(run: Run, pair: tuple[str, str]) -> None:
    assert "is ineligible now" in run("diff", *reversed(pair)).out


def test_equal_answers_are_called_equal(run: Run, pair: tuple[str, str]) -> None:
    ran = run("diff", pair[1], pair[1])
    assert (ran.code, len(ran.out.splitlines())) == (0, 1)
    assert "same answer" in ran.out
    found = run("diff", pair[1], pair[1], "--json").document["answers"][0]
    assert not found["flipped"] and found["facts"] == found["numbers"] == found["inputs"] == {}


def test_an_input_that_differs_is_named(run: Run) -> None:
    ids = [run(*LARGE, "--memory", "16GiB", "--context", context, "--json").document["id"] for context in ("2048", "4096")]
    assert run("diff", *ids, "--json").document["answers"][0]["inputs"]["workload.context"] == [2048, 4096]


def test_answers_of_different_kinds_do_not_compare(run: Run, pair: tuple[str, str]) -> None:
    every = run("--target", "raspberry-pi-5", "--json").document["id"]
    ran = run("diff", every, pair[0])
    assert ran.code == 2 and "not of the same kind" in ran.err
    assert run("diff", every, every).out.count("same answer") > 2


def test_an_unknown_id_is_named(run: Run, pair: tuple[str, str]) -> None:
    ran = run("diff", pair[0], "zzzz")
    assert (ran.code, ran.out) == (2, "")
    assert "`zzzz`" in ran.err.splitlines()[0]
