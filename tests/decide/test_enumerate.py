from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from recommender.decide.advise import device_attributes
from recommender.decide.enumerate import Proposal, Unsupported, propose
from recommender.domain.catalog import Catalog, Portability
from recommender.domain.facts import FrameworkFacts
from recommender.domain.model import Artifact, ModelSpec
from recommender.domain.recommendation import Request
from recommender.domain.target import Target
from tests.invented import device, framework, model, statement, target, with_frameworks, workload


def proposed(*frameworks: FrameworkFacts, box: Target | None = None, of: ModelSpec | None = None, **values: Any) -> tuple[list[Proposal], list[Unsupported]]:
    found: Catalog = with_frameworks(*frameworks, **values)
    where, what = box or target(), of or model()
    return propose(what, where, found, device_attributes(Request(model=what, workload=workload()), where, found))


def ids(proposals: list[Proposal]) -> list[str]:
    return [row.candidate.id for row in proposals]


def test_only_what_a_statement_claims_is_proposed() -> None:
    found, closed = proposed(framework("alpha", statement("alpha", ("W4", "W8"))), framework("beta", statement("beta", ("W8",))))
    assert ids(found) == ["alpha/cpu/W4", "alpha/cpu/W8", "beta/cpu/W8"]
    assert closed == []
    assert all(row.support.outcome == "fired" for row in found)


def test_a_closed_path_keeps_the_first_condition_that_failed() -> None:
    row = statement("beta", when={"device.kind": "cpu", "host.os": "windows", "host.architecture": "arm64"})
    found, closed = proposed(framework("beta", row))
    assert found == []
    assert [(c.framework, c.step.rule, [r.attribute for r in c.step.readings]) for c in closed] == [("beta", "SUP-beta", ["host.os"])]


def test_a_path_that_another_statement_opens_is_not_closed() -> None:
    first = statement("beta", id="S1", when={"device.kind": "cpu", "host.os": "windows"})
    found, closed = proposed(framework("beta", first, statement("beta", ("W4",), id="S2")))
    assert ids(found) == ["beta/cpu/W4"] and closed == []


def test_an_unknown_condition_leaves_the_candidate_open() -> None:
    row = statement("beta", ("W4",), when={"device.kind": "cpu", "device.driver_version": {"version": ">=535"}})
    (found,), _ = proposed(framework("beta", row))
    assert found.support.outcome == "unknown"
    assert [(r.attribute, r.outcome) for r in found.support.readings if r.outcome == "unknown"] == [("device.driver_version", "unknown")]


def test_a_statement_that_is_sure_wins_over_one_that_hangs() -> None:
    unsure = statement("beta", ("W4",), id="S1", when={"device.kind": "cpu", "device.driver_version": "1"})
    (found,), _ = proposed(framework("beta", unsure, statement("beta", ("W4",), id="S2")))
    assert (found.candidate.statement, found.support.outcome) == ("S2", "fired")


def test_known_not_to_work_wins_over_a_claim_wherever_it_stands() -> None:
    claim, refusal = statement("beta", ("W4",), id="S1"), statement("beta", ("W4",), id="S2", status="no", because="crashes")
    (found,), _ = proposed(framework("beta", claim, refusal))
    assert found.refused and found.support.because == "crashes"


def test_a_refusal_that_only_may_apply_closes_nothing() -> None:
    refusal = statement("beta", ("W4",), id="S2", status="no", when={"device.kind": "cpu", "device.driver_version": "1"})
    (found,), _ = proposed(framework("beta", statement("beta", ("W4",), id="S1"), refusal))
    assert not found.refused


def test_other_kinds_of_device_are_passed_over_without_a_word() -> None:
    found, closed = proposed(framework("beta", statement("beta", when={"device.kind": "npu"})))
    assert found == [] and closed == []


def test_the_second_device_of_a_kind_is_named_in_the_id() -> None:
    box = target(device(), device("gpu0"), device("gpu1"))
    found, _ = proposed(framework("beta", statement("beta", ("W4",), when={"device.kind": "gpu"})), box=box)
    assert ids(found) == ["beta/cpu/W4", "beta/cpu/W4@gpu1"]
    assert [row.candidate.device for row in found] == ["gpu0", "gpu1"]


@pytest.mark.parametrize(("format", "scheme", "is_as_is"), [("gguf", "W4", True), ("onnx", "W4", False), ("gguf", "W8", False)])
def test_the_users_file_is_shipped_as_it_is_only_in_its_own_format_and_scheme(format: str, scheme: str, is_as_is: bool) -> None:
    mine = model(artifact=Artifact(format=format, path="m.gguf", size=1, scheme=scheme, is_quantized=True))
    (found,), _ = proposed(framework("beta", statement("beta", ("W4",), preparers=("maker",))), of=mine)
    assert found.candidate.is_as_is is is_as_is
    assert found.candidate.preparers == (() if is_as_is else ("maker",))


@pytest.mark.parametrize(("rows", "expected"), [
    ((), "per-os"),
    ((Portability(format="gguf", execution_provider="cpu", value="universal"),), "universal"),
    ((Portability(format="gguf", execution_provider="*", value="per-chip-and-sdk"),), "per-chip-and-sdk"),
    ((Portability(format="onnx", execution_provider="*", value="universal"),), "per-os"),
])
def test_portability_comes_from_the_catalogue_else_from_the_statement(rows: tuple[Portability, ...], expected: str) -> None:
    (found,), _ = proposed(framework("beta", statement("beta", ("W4",), portability="per-os")), portability=rows)
    assert found.candidate.portability == expected


def test_the_order_is_fixed() -> None:
    rows = framework("alpha"), framework("beta")
    assert ids(proposed(*rows)[0]) == ids(proposed(*rows)[0]) == [*ids(proposed(rows[0])[0]), *ids(proposed(rows[1])[0])]


def test_a_model_without_file_starts_from_its_source() -> None:
    (found,), _ = proposed(framework("beta", statement("beta", ("W4",), preparers=("maker", "squeezer"))), of=replace(model(), artifact=None))
    assert found.candidate.preparers == ("maker", "squeezer") and not found.candidate.is_as_is


@pytest.mark.parametrize("scheme", ["W4", None])
def test_of_two_formats_for_one_path_the_users_own_file_counts(scheme: str | None) -> None:
    rows = (statement("beta", ("W4",), format="onnx", preparers=("maker",)), statement("beta", ("W4",), id="S2", format="context-binary"))
    mine = model(artifact=Artifact(format="context-binary", path="m.bin", size=1, scheme=scheme))
    for order in (rows, rows[::-1]):
        (found,), _ = proposed(framework("beta", *order), of=mine)
        assert found.candidate.is_as_is and found.candidate.format == "context-binary"


def test_what_if_values_of_a_framework_reach_its_statements() -> None:
    newer = framework("beta", statement("beta", ("W4",), when={"framework.version": {"version": ">=2"}}))
    box = replace(target(), overrides={"framework.version": "2.1"})
    assert [row.support.outcome for row in proposed(newer)[0]] == ["unknown"]
    assert [row.support.outcome for row in proposed(newer, box=box)[0]] == ["fired"]
