from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from recommender.cli import main
from recommender.compose import observe_this_machine
from recommender.domain.catalog import Catalog
from recommender.domain.measurement import Measurement, Summary
from recommender.loader.compiled import load_catalog
from recommender.store.evidence import EvidenceStore
from tests.cli.conftest import Run


@pytest.fixture(scope="module")
def proposal(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The whole lesson of all that ships, once."""
    root = tmp_path_factory.mktemp("learn")
    with pytest.MonkeyPatch.context() as patch, open(root / "document.json", "w", encoding="utf-8") as stream:
        patch.setenv("RECOMMEND_DATA_DIR", str(root / "data"))
        patch.setattr("sys.stdout", stream)
        with pytest.raises(SystemExit) as ended:
            main(["rules", "learn", "--json", "--out", str(root / "proposal")])
        assert ended.value.code == 0
    return root


@pytest.fixture(scope="module")
def document(proposal: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((proposal / "document.json").read_text("utf-8"))
    return found


def test_every_question_has_a_tree_its_rivals_and_a_verdict(document: dict[str, Any]) -> None:
    assert document["contests"] > 3000 and document["devices"] > 80 and len(document["sources"]) > 8
    for question in document["questions"]:
        assert set(question["policies"]) == {"learned", "usual winner", "chapter", "table"} and question["verdict"]
        assert sum(leaf["contests"] for leaf in question["leaves"]) == question["contests"]
        for row in question["policies"].values():
            assert 0 <= row["low"] <= row["mean"] <= row["high"] and 0 <= row["close"] <= 1
        for row in question["against"].values():
            assert (row["word"] == "better") == (row["low"] > 0) and (row["word"] == "worse") == (row["high"] < 0)


def test_all_questions_of_an_effect_are_summed_up(document: dict[str, Any]) -> None:
    for effect, found in document["overall"].items():
        own = [row for row in document["questions"] if row["id"].startswith(effect)]
        assert all(sum(words.values()) == len(own) > 0 for words in found["words"].values())
        means = [row["policies"]["chapter"]["mean"] for row in own]
        assert min(means) <= found["policies"]["chapter"]["mean"] <= max(means)


def test_integers_first_on_a_processor_as_tables_know(document: dict[str, Any]) -> None:
    """A truth that published figures leave no doubt about."""
    [question] = [row for row in document["questions"] if row["id"] == "schemes of openvino on cpu"]
    assert question["leaves"][0]["order"][0]["name"] == "int8-static" and question["policies"]["learned"]["mean"] < 0.1


def test_the_proposal_is_a_layer_of_knowledge(proposal: Path, document: dict[str, Any], catalog: Catalog) -> None:
    merged = load_catalog((str(proposal / "proposal"),))
    rows = {rule.id: rule for table in merged.tables.values() for rule in table.rules}
    assert document["rows"] and {row["id"] for row in document["rows"]} <= set(rows)
    for row in document["rows"]:
        rule = rows[row["id"]]
        assert set(rule.sources) <= set(catalog.sources) and rule.sources and "contests it took part in" in rule.because
        assert set(rule.when) <= set(catalog.vocabulary["attribute"])
    assert not {row["id"] for row in document["rows"]} & {rule.id for table in catalog.tables.values() for rule in table.rules}


def test_nothing_is_overwritten(run: Run, proposal: Path) -> None:
    told = run("rules", "learn", "--out", str(proposal / "proposal"))
    assert told.code == 2 and "is there already" in told.err
    assert not [path for path in proposal.iterdir() if path.name.startswith(".")], "no draft is left"


def test_the_text_shows_both_trees_and_where_they_part(document: dict[str, Any], catalog: Catalog) -> None:
    from recommender.cli.render.learned import text

    shown = text(document, catalog.vocabulary)
    for question in document["questions"]:
        assert f"{question['id']}: {question['contests']} contests" in shown and question["verdict"] in shown
    assert "They part in" in shown and f"{len(document['rows'])} rows, applied by nobody" in shown


def test_what_was_measured_here_takes_part(catalog: Catalog, own_cache: Path) -> None:
    """Two frameworks measured on this machine with one model at 4 bits: the second is twice as fast."""
    from recommender.cli.cases_here import cases_here
    from recommender.learn.contests import contests

    assert cases_here(catalog) == []
    seen = observe_this_machine(print, with_microbenchmark=False)
    device = next(row.id for row in seen.devices if row.kind == "cpu")
    for name, scheme, rate in (("llama-cpp", "Q4_0", 10.0), ("onnxruntime-genai", "int4-weights-g32", 20.0)):
        EvidenceStore().add(Measurement(
            id=name, created="2026-11-24T00:00:00+00:00", digest=seen.digest, model="llama-3.2-1b", framework=name, execution_provider="cpu", scheme=scheme,
            version="", candidate={"device": device}, workload={"prompt_tokens": 512, "output_tokens": 128}, metrics={"decode_rate": Summary(unit="tok/s", value=rate)},
        ))
    [found] = contests(cases_here(catalog), "own-measurements", catalog)
    assert found.question.name == "frameworks on cpu" and found.regrets == {"onnxruntime-genai": 0.0, "llama-cpp": pytest.approx(0.6931, abs=1e-4)}
