from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from recommender.decide.advise import advise, device_attributes
from recommender.decide.rank import shown_value
from recommender.domain.evidence import Evidence
from recommender.domain.fingerprint import HostMemory, InstalledFramework
from recommender.domain.model import Artifact
from recommender.domain.recommendation import EXIT_CODES, VERDICTS, Recommendation, Request, Wishes
from recommender.domain.workload import parse_constraint
from tests.invented import (
    GIB,
    catalog,
    device,
    facts,
    framework,
    model,
    network,
    quality,
    rule,
    statement,
    table,
    target,
    vision_workload,
    with_frameworks,
    workload,
)

TWO = (framework("alpha"), framework("beta"))


def answer(box: Any = None, found: Any = None, evidence: tuple[Evidence, ...] = (), *, of: Any = None, work: Any = None, beside: Any = (), **wishes: Any) -> Recommendation:
    request = Request(model=of or model(), workload=work or workload(), wishes=Wishes(**wishes), beside=beside)
    return advise(request, box or target(), found or catalog(), evidence)


def evidence(name: str, rate: float, scheme: str = "W4", **values: Any) -> Evidence:
    return Evidence(**{
        "metric": "decode_rate", "value": rate, "model": "tiny-1b", "framework": name, "scheme": scheme, "source": "s", "device": "acme.one.cpu", **values,
    })


def test_everything_that_was_considered_is_accounted_for_once() -> None:
    found = answer(found=with_frameworks(*TWO), excluded_frameworks=("beta",))
    names = [row.candidate.id for row in (*found.choices, *found.rejected, *found.undetermined)]
    assert sorted(names) == ["alpha/cpu/W4", "alpha/cpu/W8", "beta/cpu/W4", "beta/cpu/W8"]
    assert [choice.rank for choice in found.choices] == [1, 2]


def test_the_same_question_has_the_same_answer() -> None:
    assert answer(found=with_frameworks(*TWO)) == answer(found=with_frameworks(*TWO))


def test_rejections_give_every_reason() -> None:
    found = answer(target(memory=HostMemory(total=2 * GIB)), excluded_frameworks=("alpha",))
    assert found.verdict == "INFEASIBLE"
    assert {tuple(step.rule for step in row.because) for row in found.rejected if row.candidate.scheme == "W8"} == {("ELG001", "ELG003")}


def test_unknown_memory_is_neither_yes_nor_no() -> None:
    found = answer(target(memory=HostMemory()))
    assert found.verdict == "INCONCLUSIVE" and not found.choices and not found.rejected
    assert {step.rule for row in found.undetermined for step in row.because} == {"ELG001"}


def test_an_unknown_condition_beside_a_sure_reason_is_a_rejection() -> None:
    found = answer(target(memory=HostMemory()), excluded_frameworks=("alpha",))
    assert found.verdict == "INFEASIBLE" and not found.undetermined


def test_a_refused_path_is_rejected_with_the_statements_words() -> None:
    refusal = statement("alpha", ("W4",), id="S-NO", status="no", because="known to crash")
    found = answer(found=with_frameworks(framework("alpha", statement("alpha", ("W4", "W8")), refusal)))
    assert [(row.candidate.scheme, [s.rule for s in row.because]) for row in found.rejected] == [("W4", ["S-NO"])]
    assert [choice.candidate.scheme for choice in found.choices] == ["W8"]


def test_the_floor_excludes_unless_it_is_allowed() -> None:
    work = workload(floor=("decode_rate>=10000 tok/s",))
    assert answer(work=work).verdict == "INFEASIBLE"
    assert answer(work=work, allow_below_floor=True).verdict == "RECOMMENDED"


def test_a_need_that_nothing_meets_turns_choices_into_rejections() -> None:
    found = answer(work=workload(needs=("decode_rate>=10000 tok/s",)))
    assert found.verdict == "INFEASIBLE" and not found.choices
    assert all(step.rule == "NEED" and "10000 tok/s" in step.because for row in found.rejected for step in row.because)


def test_what_does_not_meet_a_need_is_rejected_with_the_number() -> None:
    found = answer(work=workload(needs=("file_size<=700MB",)))
    assert {choice.candidate.scheme for choice in found.choices} == {"W4"}
    assert found.choices[0].criteria[0].shown == "met"
    (step,) = (step for row in found.rejected for step in row.because if step.rule == "NEED" and "W8" in row.candidate.id)
    assert "file_size<=700MB is not met" in step.because and "analytic" in step.because


def test_a_percentile_is_never_read_off_an_estimate() -> None:
    found = answer(of=network(), work=vision_workload(needs=("latency.p95<=10 s",)))
    assert found.verdict == "INCONCLUSIVE"


def test_the_users_own_file_is_kept_when_it_is_the_best() -> None:
    mine = model(artifact=Artifact(format="gguf", path="m.gguf", size=650_000_000, scheme="W4", bits_per_weight=4.7, is_quantized=True))
    found = answer(of=mine)
    assert found.verdict == "KEEP-BASELINE" and found.choices[0].candidate.is_as_is
    assert found.choices[0].estimates["file_size"].central == 650_000_000


def test_two_frameworks_that_nothing_separates_tie() -> None:
    assert answer(found=with_frameworks(*TWO)).verdict == "TIE"


def test_a_second_model_takes_its_share() -> None:
    alone, both = answer(), answer(beside=(model(key="other", n_params=7_000_000_000),))
    taken = both.choices[0].estimates["peak_memory"].high - alone.choices[0].estimates["peak_memory"].high  # type: ignore[operator]
    assert taken == pytest.approx(both.choices[0].memory_by_component["beside"]) and taken > 3 * GIB
    assert answer(target(memory=HostMemory(total=4 * GIB))).verdict == "RECOMMENDED"
    assert answer(target(memory=HostMemory(total=4 * GIB)), beside=(model(n_params=7_000_000_000),)).verdict == "INFEASIBLE"


def test_a_second_model_of_unknown_size_leaves_the_memory_open() -> None:
    found = answer(beside=(model(n_params=None),))
    assert found.verdict == "INCONCLUSIVE"
    assert "beside" in found.undetermined[0].estimates["peak_memory"].why


def test_a_second_model_given_as_a_file_is_as_large_as_its_file() -> None:
    file = Artifact(format="onnx", path="x", size=3 * GIB)
    assert answer(beside=(model(n_params=None, task="image-classification", artifact=file),)).choices[0].memory_by_component["beside"] == 3 * GIB


def test_measurements_elsewhere_turn_the_order() -> None:
    rows = evidence("alpha", 20), evidence("beta", 30)
    placed = with_frameworks(*TWO, tables={"p": table(rule("PLT001", {"device.kind": "cpu"}, {"frameworks": ["alpha"], "place": 1}), scope="device", id="p")})
    assert answer(found=placed).choices[0].candidate.framework == "alpha"
    turned = answer(found=placed, evidence=rows)
    assert turned.choices[0].candidate.framework == "beta"
    assert "RNK045" in turned.why


@pytest.mark.parametrize("evidence_", [
    evidence("beta", 900, model="other"), evidence("beta", 900, device="acme.two.cpu"), evidence("beta", 900, digest="another-machine", device=""),
])
def test_measurements_of_something_else_change_nothing(evidence_: Evidence) -> None:
    assert answer(found=with_frameworks(*TWO), evidence=(evidence_,)) == answer(found=with_frameworks(*TWO))


def test_evidence_can_be_ignored() -> None:
    rows = evidence("alpha", 20), evidence("beta", 30)
    assert answer(found=with_frameworks(*TWO), evidence=rows, ignore_evidence=True).verdict == "TIE"


def test_options_of_the_statement_win_over_rows_and_the_first_row_wins() -> None:
    rows = (
        rule("OPT001", {"candidate.framework": "alpha"}, {"set": {"threads": "@device.cores_usable", "mode": "fast", "pinned": 1}}),
        rule("OPT002", {"candidate.framework": "alpha"}, {"set": {"mode": "slow", "driver": "@device.driver"}}),
    )
    stated = framework("alpha", statement("alpha", ("W4",), options={"pinned": 2}))
    found = answer(found=with_frameworks(stated, tables={"o": table(*rows, scope="options", id="o")}))
    assert dict(found.choices[0].candidate.options) == {"threads": 4, "mode": "fast", "pinned": 2}


def test_warnings_come_from_fired_rows_once() -> None:
    rows = tuple(rule(f"WRN00{i}", {"device.kind": "cpu"}, {"warn": "it is slow"}) for i in (1, 2))
    found = answer(found=catalog(tables={"w": table(*rows, id="w")}))
    assert found.choices[0].warnings == ("it is slow",)
    assert {"WRN001", "WRN002"} <= set(found.choices[0].rules)


def test_a_better_row_places_and_both_stand_in_the_trace() -> None:
    chapter = rule("PLT001", {"device.kind": "cpu"}, {"frameworks": ["alpha"], "place": 1})
    better = rule("PLT500", {"device.kind": "cpu"}, {"frameworks": ["beta"], "place": 1}, overrides=("PLT0*",))
    found = answer(found=with_frameworks(*TWO, tables={"p": table(chapter, better, scope="device", id="p")}))
    assert found.choices[0].candidate.framework == "beta" and "PLT500" in found.choices[0].rules
    assert {(step.rule, step.overridden_by) for step in found.trace if step.rule.startswith("PLT")} == {("PLT001", "PLT500"), ("PLT500", "")}


@pytest.mark.parametrize(("limits", "framework_first"), [({"execution_providers": ["gpu-ep"]}, "beta"), ({"execution_providers": ["cpu"]}, "alpha"), ({}, "alpha")])
def test_a_place_may_be_for_one_path_only(limits: dict[str, Any], framework_first: str) -> None:
    rows = (
        rule("PLT001", {"device.kind": "cpu"}, {"frameworks": ["alpha"], "place": 1, **limits}),
        rule("PLT002", {"device.kind": "cpu"}, {"frameworks": ["beta"], "place": 2}),
    )
    found = answer(found=with_frameworks(*TWO, tables={"p": table(*rows, scope="device", id="p")}))
    assert found.choices[0].candidate.framework == framework_first


def test_preferences_choose_on_the_front_only() -> None:
    lossy = catalog(quality=(quality("W4", 0.04), quality("W8", 0.001)))
    fast, fine = answer(found=lossy, prefer={"speed": 1}), answer(found=lossy, prefer={"quality": 1})
    assert (fast.choices[0].candidate.scheme, fine.choices[0].candidate.scheme) == ("W4", "W8")
    assert fast.choices[0].criteria[0].id == "RNK000" and fast.choices[0].pareto


@pytest.mark.parametrize(("kind", "installed", "expected"), [
    ("this-machine", ("alpha",), True), ("this-machine", (), False), ("recording", ("alpha",), None), ("catalogue", (), None),
])
def test_runnable_here_is_said_of_this_machine_only(kind: str, installed: tuple[str, ...], expected: bool | None) -> None:
    here = tuple(InstalledFramework(framework=name, package=name, version="1") for name in installed)
    assert answer(target(kind=kind, frameworks=here)).choices[0].runnable_here is expected


def test_what_if_values_reach_the_decision() -> None:
    small = replace(target(), overrides={"host.memory_total": 1.5 * GIB})
    assert answer(small).verdict == "INFEASIBLE"
    assert answer(replace(small, overrides={"device.memory_usable": 8 * GIB})).verdict == "RECOMMENDED"


def test_each_device_is_judged_by_its_own_memory() -> None:
    both = framework("alpha", statement("alpha", ("W4",), when={"device.kind": "cpu"}), statement("alpha", ("W4",), id="S2", execution_provider="cuda", when={"device.kind": "gpu"}))
    card = device("gpu0", memory_kind="dedicated", memory_total=GIB // 2)
    found = answer(target(device(), card, matched={"cpu0": facts(), "gpu0": facts("gpu", memory_kind="dedicated")}), with_frameworks(both))
    assert [row.candidate.id for row in found.choices] == ["alpha/cpu/W4"]
    assert [row.candidate.id for row in found.rejected] == ["alpha/cuda/W4"]


def test_a_floor_on_what_is_not_known_excludes_nothing() -> None:
    blind = catalog(efficiencies=())
    found = answer(found=blind, work=replace(workload(), floor=(parse_constraint("decode_rate>=5 tok/s"),)))
    assert found.choices and found.choices[0].estimates["decode_rate"].why


def test_words_and_exit_codes_are_one_list() -> None:
    assert set(EXIT_CODES) == set(VERDICTS)


@pytest.mark.parametrize(("providers", "expected"), [(None, True), (("cpu",), True), (("cuda",), False), ((), False)])
def test_a_framework_without_the_execution_provider_does_not_run_it(providers: tuple[str, ...] | None, expected: bool) -> None:
    here = (InstalledFramework(framework="alpha", package="alpha", version="1", execution_providers=providers),)
    assert answer(target(kind="this-machine", frameworks=here)).choices[0].runnable_here is expected


def test_a_broken_need_shows_the_number_that_was_judged() -> None:
    found = answer(work=workload(needs=("peak_memory<=100MB",)))
    for row in found.rejected:
        (step,) = (step for step in row.because if step.rule == "NEED")
        peak = row.estimates["peak_memory"]
        assert shown_value(replace(peak, central=peak.high)) in step.because


def test_a_second_model_of_unknown_cache_leaves_the_memory_open() -> None:
    found = answer(beside=(model(n_layers=None),))
    assert found.verdict == "INCONCLUSIVE"


@pytest.mark.parametrize(("features", "expected"), [(("avx2", "avx512_vnni"), True), (("avx2",), False)])
def test_a_what_if_on_features_reaches_what_follows_from_them(features: tuple[str, ...], expected: bool) -> None:
    box = replace(target(device(features=("avx2",))), overrides={"device.features": features})
    request = Request(model=model(), workload=workload())
    assert device_attributes(request, box, catalog())["cpu0"]["device.has_int8_dot"][0] is expected


def test_a_median_is_never_read_off_an_estimate() -> None:
    assert answer(of=network(), work=vision_workload(needs=("latency.p50<=10 s",))).verdict == "INCONCLUSIVE"
