from __future__ import annotations

from pathlib import Path

import pytest

from recommender.cli.render.condition import conditions_in_words, effect_in_words
from recommender.domain.catalog import Catalog
from tests.cli.conftest import Run
from tests.loader.overlay import folder

TABLE = """\
[table]
id = "mine"
question = "What do I want?"
hit_policy = "collect"
scope = "device"

[[rule]]
id = "MIN001"
when = { "host.memory_total" = { at_least = "8GiB" }, "device.features" = { has_any = ["avx2"] } }
then = { frameworks = ["mlx"], place = 1 }
because = "I like it."
sources = ["chapter:S6.tree", "rul-vllm"]

[[rule]]
id = "MIN002"
when = {}
then = { note = "always" }
because = "Better known."
sources = ["chapter:S6.tree"]
overrides = ["MIN001"]
"""


@pytest.fixture
def mine(tmp_path: Path) -> str:
    return str(folder(tmp_path / "overlay", {"rules/mine.toml": TABLE}))


def test_list_holds_every_row_once(run: Run, catalog: Catalog) -> None:
    ids = [row["id"] for row in run("rules", "list", "--json").document]
    expected = [rule.id for table in catalog.tables.values() for rule in table.rules] + [row.id for row in catalog.ranking]
    assert ids == expected


def test_list_of_one_table(run: Run, mine: str) -> None:
    rows = run("rules", "list", "--table", "mine", "--catalog", mine, "--json").document
    assert rows == [
        {"id": "MIN001", "table": "mine", "status": "active", "because": "I like it."},
        {"id": "MIN002", "table": "mine", "status": "active", "because": "Better known."},
    ]
    assert "MIN001  mine   active  I like it." in run("rules", "list", "--table", "mine", "--catalog", mine).out


def test_unknown_table_is_refused_with_a_hint(run: Run) -> None:
    found = run("rules", "list", "--table", "eligability")
    assert found.code == 2 and "hint: recommend rules list --table eligibility" in found.err


def test_page_says_all_there_is(run: Run, mine: str) -> None:
    page = run("rules", "show", "MIN001", "--catalog", mine, "--json").document
    assert page["question"] == "What do I want?"
    assert page["conditions"] == ["host.memory_total is at least 8 GiB", "device.features has one of avx2"]
    assert page["effects"] == ["puts mlx in place 1"]
    assert page["overridden_by"] == ["MIN002"] and page["overrides"] == []
    assert page["chapter"] == ["S6.tree"]
    assert page["sources"][1]["url"].startswith("https://")
    assert page["where"] == "mine.toml:7"


def test_page_as_text(run: Run, mine: str) -> None:
    text = run("rules", "show", "min002", "--catalog", mine).out
    assert text.startswith(
        "MIN002: Better known.\n  table: mine: What do I want?\n  when: always\n  then: notes: always\n  overrides: MIN001\n"
    )
    assert "chapter: S6.tree" in text and "where: mine.toml:14" in text


def test_criteria_and_support_statements_have_pages(run: Run, catalog: Catalog) -> None:
    criterion = run("rules", "show", catalog.ranking[0].id, "--json").document
    assert criterion["table"] == "ranking"
    statement = next(row for framework in catalog.frameworks.values() for row in framework.support if row.status == "no")
    assert run("rules", "show", statement.id, "--json").document["effects"][0].startswith(f"closes {statement.framework} through")


def test_unknown_rule_has_near_ones_as_hints(run: Run) -> None:
    found = run("rules", "show", "ELG999")
    assert found.code == 2
    assert "`ELG999`" in found.err and "hint: recommend rules show ELG0" in found.err


@pytest.mark.parametrize(
    ("condition", "words"),
    [
        ("npu", "x is npu"),
        (True, "x is yes"),
        ("", 'x is ""'),
        ({"in": ["a", "b"]}, "x is one of a, b"),
        ({"not_in": ["a"]}, "x is none of a"),
        ({"above": 1.5, "at_most": 2}, "x is more than 1.5 and is at most 2"),
        ({"lacks": "a"}, "x has none of a"),
        ({"version": ">=13"}, "x is version >=13"),
        ({"is_unknown": True}, "x is not known"),
        ({"is_unknown": False}, "x is known"),
        ({"matches": "a*"}, "x looks like a*"),
    ],
)
def test_conditions_in_words(condition: object, words: str) -> None:
    assert conditions_in_words({"x": condition}, {}) == [words]


def test_bounds_have_the_unit_of_their_attribute() -> None:
    vocabulary = {"attribute": {"x": {"unit": "bytes/s"}, "y": {"unit": "fraction"}}}
    assert conditions_in_words({"x": {"below": 2e10}, "y": {"above": 0.05}}, vocabulary) == [
        "x is less than 20 GB/s",
        "y is more than 5 %",
    ]


@pytest.mark.parametrize(
    ("then", "words"),
    [
        ({"verdict": "ineligible"}, ["rules the candidate out"]),
        ({"warn": "hot"}, ["warns: hot"]),
        (
            {"schemes": ["Q4_0"], "for_frameworks": ["mlx"], "execution_providers": ["metal"], "place": 2},
            ["puts Q4_0 in place 2 under mlx through metal"],
        ),
        ({"units": ["npu"], "place": 1}, ["puts npu in place 1"]),
        (
            {"set": {"n_threads": "@device.cores_usable", "mmap": True}},
            ["sets n_threads = device.cores_usable", "sets mmap = True"],
        ),
    ],
)
def test_effects_in_words(then: dict[str, object], words: list[str]) -> None:
    assert effect_in_words(then) == words


def test_every_real_rule_has_words(catalog: Catalog) -> None:
    for table in catalog.tables.values():
        for rule in table.rules:
            assert effect_in_words(rule.then), rule.id
            assert len(conditions_in_words(rule.when, catalog.vocabulary)) == len(rule.when)
