from __future__ import annotations

import tomllib
from dataclasses import replace
from pathlib import Path

import pytest

from recommender.domain.catalog import Catalog
from recommender.domain.rule import DecisionTable
from recommender.learn import proposal
from recommender.learn.contests import Question
from recommender.learn.held_out import CHAPTER, LEARNED, TABLE, USUAL, difference, judge, regret, word
from recommender.learn.lesson import document, lessons, parting, remarks
from recommender.learn.policies import Policy, chapter_only
from recommender.learn.tree import fit
from recommender.loader.compiled import load_catalog
from recommender.loader.files import layers
from recommender.loader.lint import run
from tests.invented import rule, table
from tests.learn.invented import QUESTION, by_chance, by_family, contest
from tests.loader.overlay import folder

CPU = {"device.kind": "cpu"}


def placing(*names: str, place: int = 1, **values: object) -> DecisionTable:
    return table(rule("PLT001", CPU, {"frameworks": list(names), "place": place}, **values), scope="device")


# --- policies ----------------------------------------------------------------------------------------------------------


def test_a_pick_is_the_best_place_and_costs_the_mean_of_equals() -> None:
    found = contest({"alpha": 10.0, "beta": 20.0, "gamma": 40.0})
    assert Policy(placing("alpha")).pick(found).regret == pytest.approx(1.3863, abs=1e-4)
    both = Policy(placing("alpha", "gamma")).pick(found)
    assert both.names == ("alpha", "gamma") and both.regret == pytest.approx(0.6931, abs=1e-4) and both.rules == ("PLT001",)


def test_rows_that_place_none_pick_blindly() -> None:
    blind = Policy(placing("delta")).pick(contest({"alpha": 10.0, "beta": 20.0}))
    assert blind.rules == () and blind.names == ("alpha", "beta") and blind.regret == pytest.approx(0.3466, abs=1e-4)


def test_the_chapter_alone_has_no_better_sourced_rows() -> None:
    rows = (
        rule("PLT001", CPU, {"frameworks": ["alpha"], "place": 1}, sources=("chapter:S6.tree",)), rule("PLT002", CPU, {"frameworks": ["beta"], "place": 1}, sources=("chapter:S6.tree", "ev")),
        rule("PLT003", CPU, {"frameworks": ["beta"], "place": 1}, sources=("chapter:S6.tree",), overrides=("PLT001",)),
    )
    assert [row.id for row in chapter_only(table(*rows, scope="device")).rules] == ["PLT001"]


# --- held out ----------------------------------------------------------------------------------------------------------


def test_a_truth_that_generalises_is_better_on_chips_left_out() -> None:
    judged = judge(QUESTION, by_family(), placing("alpha"))
    assert len(judged) == len(by_family()) and {id(row.contest) for row in judged}.__len__() == len(judged)
    assert regret(judged, LEARNED).mean == pytest.approx(0.0) and regret(judged, LEARNED).close == 1.0
    assert word(judged, TABLE) == "better" and word(judged, USUAL) == "better"
    assert difference(judged, TABLE)[0] == pytest.approx(2**0.5 - 1)


def test_what_hangs_on_the_chip_alone_is_not_learned() -> None:
    """Each chip has a winner of its own: whoever saw the chip would be right, whoever did not is not better than anybody."""
    found = [contest({"alpha": 20.0 if chip % 2 else 10.0, "beta": 14.0}, chip=chip, model=f"m{n}", family="one") for chip in range(12) for n in range(4)]
    assert word(judge(QUESTION, found, placing("beta")), TABLE) != "better"


def test_no_better_is_said() -> None:
    judged = judge(QUESTION, by_chance(), placing("alpha", "beta"))
    assert word(judged, USUAL) == "no difference"
    right = judge(QUESTION, [contest({"alpha": 10.0, "beta": 20.0}, chip=chip, model=f"m{chip}") for chip in range(3)], placing("beta"))
    assert word(right, TABLE) == "worse", "two chips are too few to learn from, the table knew"


def test_parting_names_both_picks_and_what_each_costs() -> None:
    judged = judge(QUESTION, by_family(), placing("alpha", sources=("chapter:S6.tree",)))
    [row] = parting(judged)
    assert (row["learned"], row["chapter"], row["contests"]) == (["beta"], ["alpha"], 36)
    assert row["regret"] == {LEARNED: pytest.approx(0.0), CHAPTER: pytest.approx(1.0)}


# --- proposal ----------------------------------------------------------------------------------------------------------


def test_rows_carry_support_sources_and_what_they_override() -> None:
    own = table(rule("PLT001", CPU, {"frameworks": ["alpha"], "place": 1}), rule("PLT200", {"wish.is_cross_platform": True}, {"frameworks": ["alpha"], "place": 1}), scope="device")
    found = proposal.rows(QUESTION, fit(by_family()), own, proposal.first_number(own))
    assert [row.id for row in found] == ["PLT300", "PLT301", "PLT302", "PLT303"] and {row.overrides for row in found} == {("PLT0*",)}
    assert {row.then["place"] for row in found} == {1, 2} and all(row.when["device.kind"] == "cpu" and row.when["wish.way_of_working"] == "" for row in found)
    assert "in 36 of the 36 contests it took part in, on 6 devices with 6 models" in found[0].because and found[0].sources == ("s",)


def test_schemes_override_rows_of_their_framework_alone() -> None:
    question = Question(effect="schemes", device_kind="cpu", framework="alpha")
    rows = [rule(f"QNT00{n}", CPU, {"schemes": ["W8"], "for_frameworks": names, "place": 1}) for n, names in enumerate((["alpha"], ["alpha", "beta"], ["beta"]))]
    contests = [contest({"W4": 20.0, "W8": 10.0}, chip=chip, model=f"m{chip}", question=question) for chip in range(5)]
    first, *_ = proposal.rows(question, fit(contests), table(*rows, scope="device"), 100)
    assert first.overrides == ("QNT000",) and first.then == {"schemes": ["W4"], "for_frameworks": ["alpha"], "place": 1}


def test_what_was_seen_too_seldom_is_not_proposed() -> None:
    assert proposal.rows(QUESTION, fit(by_family(chips=2)), placing("alpha"), 100) == ()


def test_the_files_are_knowledge_and_change_the_pick(tmp_path: Path, catalog: Catalog) -> None:
    """Real names in invented contests: what is written loads, has no fault of its own, and does what the tree says."""
    renamed = [
        replace(row, ways=tuple(replace(way, name={"alpha": "ncnn", "beta": "onnxruntime"}[way.name], framework={"alpha": "ncnn", "beta": "onnxruntime"}[way.name]) for way in row.ways), source=proposal.OWN,
                attributes={**row.attributes, "device.family": ({"one": "arm-cpu", "two": "x86-cpu"}[row.attributes["device.family"][0]], "fact")})
        for row in by_family()
    ]
    taught, silent = lessons(renamed, catalog, lambda line: None)
    written = proposal.files({"platform": taught[0].rules}, catalog, remarks(taught), "2026-11-24")
    assert silent == [] and set(written) == {"rules/platform.toml", "sources/learned.toml"}
    assert [row["id"] for row in tomllib.loads(written["rules/platform.toml"])["rule"]] == [row.id for row in taught[0].rules]
    root = folder(tmp_path / "learned", written)
    assert [finding for finding in run(layers((str(root),))) if finding.level == "error" and str(root) in finding.where] == []
    merged = load_catalog((str(root),)).tables["platform"]
    for row in renamed:
        assert Policy(merged).pick(row).regret == 0.0
    assert any(Policy(catalog.tables["platform"]).pick(row).regret > 0 for row in renamed), "the tables in force said otherwise"


def test_the_document_is_plain_and_honest(catalog: Catalog) -> None:
    few = [contest({"ncnn": 20.0, "openvino": 10.0}, question=Question(effect="frameworks", device_kind="gpu"))]
    taught, silent = lessons([*few, *by_family()], catalog, lambda line: None)
    found = document(taught, silent)
    assert found["too_few"] == ["frameworks on gpu"] and found["contests"] == 72 and found["devices"] == 12
    [question] = found["questions"]
    assert question["against"]["usual winner"]["word"] == "better" and "regret of the learned rows 0.0% (0.0% to 0.0%)" in question["verdict"]
    assert question["rows"] == [row["id"] for row in found["rows"]] and {row["table"] for row in found["rows"]} == {"platform"}
