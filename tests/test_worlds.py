"""Invented universes: each file states a sentence, a little knowledge, a question, and the answer it must have.

The knowledge of a world is `worlds/base`, the product's own rows for what is ruled out and in which order choices stand, and
the files that the world adds or replaces. `tables` names further tables of the product that a world asks for. In an `audited` world the
rules have been audited over its evidence.
"""

from __future__ import annotations

import shutil
import tomllib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from recommender.audit.cases import published
from recommender.audit.rules import audit
from recommender.compose import resolve_workload
from recommender.decide.advise import advise
from recommender.domain.catalog import Catalog
from recommender.domain.model import Artifact, ModelSpec
from recommender.domain.quantity import parse_quantity
from recommender.domain.recommendation import Dismissal, Recommendation, Request, Wishes
from recommender.intake.identify import target_of_machine
from recommender.loader import codec, files
from recommender.loader.files import Layer

WORLDS = Path(__file__).with_name("worlds")
NAMES = sorted(path.stem for path in WORLDS.glob("*.toml"))
PRODUCT = ("vocabulary.toml", "rules/eligibility.toml", "rules/ranking.toml")
EXPECTATIONS = {
    "verdict", "first", "order", "rejected", "undetermined", "hint", "why", "assumption", "warnings", "overridden", "options", "basis",
}


def world(name: str) -> dict[str, Any]:
    return tomllib.loads((WORLDS / f"{name}.toml").read_text("utf-8"))


def knowledge_of(described: Mapping[str, Any], root: Path) -> Catalog:
    shutil.copytree(WORLDS / "base", root)
    for name in (*PRODUCT, *described.get("tables", ())):
        _write(root / name, (files.built_in_root() / name).read_text("utf-8"))
    for name, text in described["knowledge"].items():
        _write(root / name, text)
    catalog = codec.load((Layer(name=files.BUILT_IN, root=root),))
    if not described.get("audited"):
        return catalog
    cases = published(catalog, (row for rows in catalog.evidence.values() for row in rows))
    return replace(catalog, audit=audit(catalog.tables.values(), cases))


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, "utf-8")


def ask(described: Mapping[str, Any], catalog: Catalog) -> Recommendation:
    asked = described["request"]
    model = _with_artifact(catalog.models[asked["model"]], asked.get("artifact"))
    memory = int(parse_quantity(asked["memory"], "bytes")) if "memory" in asked else None
    target = target_of_machine(catalog.machines[asked["machine"]], catalog, memory=memory)
    target = replace(target, overrides=asked.get("set", {}))
    workload = resolve_workload(asked.get("workload"), model, catalog, asked.get("overrides", {}), asked.get("needs", ()))
    wishes = Wishes(**{name: tuple(value) if isinstance(value, list) else value for name, value in asked.get("wishes", {}).items()})
    beside = tuple(catalog.models[key] for key in asked.get("beside", ()))
    return advise(Request(model=model, workload=workload, wishes=wishes, beside=beside), target, catalog, catalog.evidence.get(model.key, ()))


def _with_artifact(model: ModelSpec, told: Mapping[str, Any] | None) -> ModelSpec:
    if told is None:
        return model
    fields = dict(told)
    repository = fields.pop("repository", None)
    return replace(model, artifact=Artifact(path="mine", **fields), repository=repository)


def _reasons(dismissed: tuple[Dismissal, ...]) -> dict[str, list[str]]:
    return {row.candidate.id: [step.rule for step in row.because] for row in dismissed}


@pytest.fixture(params=NAMES)
def answered(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[dict[str, Any], Recommendation]:
    described = world(request.param)
    return described["expect"], ask(described, knowledge_of(described, tmp_path / "knowledge"))


def test_the_answer_is_the_one_the_world_states(answered: tuple[dict[str, Any], Recommendation]) -> None:
    expected, found = answered
    order = [choice.candidate.id for choice in found.choices]
    assert found.verdict == expected["verdict"], (found.why, order, _reasons(found.rejected), _reasons(found.undetermined))
    assert order[:1] == ([expected["first"]] if "first" in expected else [])
    assert order[: len(expected.get("order", ()))] == expected.get("order", [])
    assert _reasons(found.rejected) == expected.get("rejected", {})
    assert _reasons(found.undetermined) == expected.get("undetermined", {})


def test_what_is_said_about_the_answer(answered: tuple[dict[str, Any], Recommendation]) -> None:
    expected, found = answered
    assert expected.get("why", "") in found.why
    if "hint" in expected:
        assert any(expected["hint"] in line for line in found.hints), found.hints
    if "assumption" in expected:
        assert any(expected["assumption"] in line for line in found.assumptions), found.assumptions
    for rule, better in expected.get("overridden", {}).items():
        assert {(step.outcome, step.overridden_by) for step in found.trace if step.rule == rule} == {("fired", better)}
    if found.choices:
        first = found.choices[0]
        assert list(first.warnings) == expected.get("warnings", [])
        assert {name: first.candidate.options.get(name) for name in expected.get("options", {})} == expected.get("options", {})
        assert {name: first.estimates[name].basis for name in expected.get("basis", {})} == expected.get("basis", {})


def test_there_are_enough_worlds_and_each_says_what_it_is_about() -> None:
    described = [world(name) for name in NAMES]
    assert len(NAMES) >= 20
    assert len({row["sentence"] for row in described}) == len(NAMES)
    assert all(set(row["expect"]) <= EXPECTATIONS for row in described)
    assert {row["expect"]["verdict"] for row in described} == {"RECOMMENDED", "KEEP-BASELINE", "TIE", "INCONCLUSIVE", "INFEASIBLE"}
