from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from recommender.audit.cases import Case, Option
from recommender.audit.rules import audit
from recommender.decide.demotion import DEMOTED, contradiction, demoted, in_words
from recommender.domain.catalog import Audit
from recommender.domain.rule import DecisionTable, Step
from tests.invented import network, rule, table

CPU = {"device.kind": "cpu"}
FAST, SLOW = {"alpha": 10.0, "beta": 20.0}, {"alpha": 20.0, "beta": 10.0}


def option(framework: str = "alpha", score: float = 1.0, **values: Any) -> Option:
    return Option(**{"framework": framework, "execution_provider": "cpu", "scheme": "W4", "device": "d", "device_kind": "cpu", "score": score, "bits": (4.0, 16.0), **values})


def case(*options: Option, kind: str = "frameworks", chip: str = "one", model: str = "m", metric: str = "latency", **values: Any) -> Case:
    read = {"device.kind": ("cpu", "fact"), "model.task": ("tabular", "fact")}
    hosts = ({each.device: {**read, "device.kind": (each.device_kind, "fact")} for each in options},)
    return Case(**{"kind": kind, "metric": metric, "model": model, "device": chip, "chip": chip, "class_": "vision/cpu", "hosts": hosts, "options": options, **values})


def races(speeds: dict[str, float], *, chips: int = 4, models: int = 4) -> list[Case]:
    return [case(*(option(name, speed) for name, speed in speeds.items()), chip=f"c{chip}", model=f"m{model}") for chip in range(chips) for model in range(models)]


def placed(id: str, *names: str, place: int = 1, what: str = "frameworks", overrides: tuple[str, ...] = (), **effect: Any) -> Any:
    return rule(id, CPU, {what: list(names), "place": place, **effect}, overrides=overrides)


def of(cases: list[Case], *rules: Any) -> dict[str, tuple[Audit, ...]]:
    tables: list[DecisionTable] = [table(*rules, scope="device")]
    return audit(tables, cases)


def only(found: dict[str, tuple[Audit, ...]], id: str) -> Audit:
    [claim] = found[id]
    return claim


@pytest.mark.parametrize(("speeds", "verdict", "hits", "regret"), [(FAST, "contradicted", 0, 1.0), (SLOW, "supported", 16, 0.0), ({"alpha": 10.0, "beta": 10.4}, "supported", 16, 0.04)])
def test_verdict_hits_and_regret(speeds: dict[str, float], verdict: str, hits: int, regret: float) -> None:
    tally = only(of(races(speeds), placed("PLT001", "alpha")), "PLT001").overall
    assert (tally.verdict, tally.hits, tally.cases, tally.devices, tally.models) == (verdict, hits, 16, 4, 4)
    assert tally.median_regret == tally.mean_regret == pytest.approx(regret)


@pytest.mark.parametrize(("chips", "models"), [(2, 9), (9, 2), (1, 4), (4, 1)])
def test_few_chips_or_models_say_nothing(chips: int, models: int) -> None:
    assert only(of(races(FAST, chips=chips, models=models), placed("PLT001", "alpha")), "PLT001").overall.verdict == "too-few"


def test_one_chip_with_many_rows_does_not_outvote_the_others() -> None:
    """Rows would say: nearly always wrong. Chips drawn with replacement say: it hangs on which chip."""
    cases = races(FAST, chips=1, models=60) + [case(option("alpha", 20), option("beta", 10), chip=f"x{n}", model=f"m{n}") for n in range(3)]
    tally = only(of(cases, placed("PLT001", "alpha")), "PLT001").overall
    assert tally.hits / tally.cases < 0.1 and tally.verdict == "too-few" and tally.high > 0.5


def test_a_row_decides_only_where_both_sides_were_measured() -> None:
    rows = (placed("PLT001", "alpha"), placed("PLT002", "beta", place=2), placed("PLT003", "gamma"))
    assert set(of(races(SLOW), *rows)) == {"PLT001"}, "beta has nothing behind it, gamma was not measured"
    assert of(races({"alpha": 10.0, "gamma": 20.0}), *rows) == {}, "equal places tell nothing apart"


def test_a_row_is_compared_with_what_stands_behind_it_only() -> None:
    found = of(races({"alpha": 40.0, "beta": 20.0, "gamma": 10.0}), placed("PLT001", "alpha"), placed("PLT002", "beta", place=2))
    assert only(found, "PLT002").overall.hits == 16, "the first place is not beta's fault"


def test_an_overridden_row_is_judged_as_if_it_were_not() -> None:
    found = of(races(FAST), placed("PLT001", "alpha"), placed("PLT500", "beta", overrides=("PLT0*",)))
    assert only(found, "PLT001").overall.verdict == "contradicted" and only(found, "PLT001").overruled == 16
    assert only(found, "PLT500").overall.verdict == "supported" and only(found, "PLT500").overruled == 0


def test_a_row_that_does_not_fire_or_is_retired_has_no_record() -> None:
    other = rule("PLT001", {"device.kind": "gpu"}, {"frameworks": ["alpha"], "place": 1})
    retired = rule("PLT002", CPU, {"frameworks": ["alpha"], "place": 1}, status="retired")
    assert of(races(FAST), other, retired) == {}


def test_execution_providers_are_told_apart_within_one_framework() -> None:
    cases = [case(option(execution_provider="vulkan", score=10), option(execution_provider="rocm", score=15), kind="providers", chip=f"c{n}", model=f"m{n}") for n in range(6)]
    found = of(cases, placed("PLT001", "alpha", execution_providers=["vulkan"]), placed("PLT002", "alpha", place=2, execution_providers=["rocm"]))
    assert only(found, "PLT001").overall.median_regret == pytest.approx(0.5)


def ladder(first: float, second: float, kind: str = "schemes", metric: str = "latency") -> list[Case]:
    """W8 keeps more bits than W4."""
    rows = (option(scheme="W8", score=first, bits=(8.0, 16.0)), option(scheme="W4", score=second))
    return [case(*rows, kind=kind, metric=metric, chip=f"c{n}", model=f"m{n}") for n in range(6)]


W8_FIRST = (placed("QNT001", "W8", what="schemes"), placed("QNT002", "W4", place=2, what="schemes"))
W4_FIRST = (placed("QNT001", "W4", what="schemes"), placed("QNT002", "W8", place=2, what="schemes"))


def test_who_keeps_more_bits_claims_quality_and_may_be_slower() -> None:
    assert of(ladder(10, 20), *W8_FIRST) == {}
    assert only(of(ladder(0.99, 0.90, "losses", "quality_drop"), *W8_FIRST), "QNT001").overall.verdict == "supported"
    worse = only(of(ladder(0.90, 0.99, "losses", "quality_drop"), *W8_FIRST), "QNT001")
    assert (worse.claim, worse.overall.verdict) == ("quality", "contradicted")


def test_who_gives_up_bits_claims_speed() -> None:
    slower = only(of(ladder(20, 10), *W4_FIRST), "QNT001")
    assert (slower.claim, slower.overall.verdict) == ("speed", "contradicted")
    assert of(ladder(0.99, 0.90, "losses", "quality_drop"), *W4_FIRST) == {}


def test_at_equal_bits_the_expected_loss_tells_what_is_claimed() -> None:
    rows = (option(scheme="A", score=10, loss=0.01), option(scheme="B", score=20, loss=0.05))
    cases = [case(*rows, kind="schemes", chip=f"c{n}", model=f"m{n}") for n in range(6)]
    assert of(cases, placed("QNT001", "A", what="schemes")) == {}, "A loses less, so it may be slower"
    assert only(of(cases, placed("QNT001", "B", what="schemes")), "QNT001").overall.verdict == "supported"


def test_units_claim_power_and_speed_is_only_shown() -> None:
    def units(metric: str) -> list[Case]:
        rows = (option(score=10, device="a", device_kind="npu"), option(score=20, device="b"))
        return [case(*rows, kind="units", metric=metric, chip=f"c{n}", model=f"m{n}") for n in range(6)]
    rules = (rule("UNT001", {"device.kind": "npu"}, {"units": ["npu"], "place": 1}), placed("UNT002", "cpu", place=3, what="units"))
    speed, power = only(of(units("latency"), *rules), "UNT001"), only(of(units("energy"), *rules), "UNT001")
    assert (speed.claim, speed.is_claimed, power.claim, power.is_claimed) == ("speed", False, "power", True)
    assert contradiction((speed,)) is None and contradiction((power,)) is power


def test_losses_ask_of_the_model_only() -> None:
    """What a scheme loses does not hang on the device, so what a row reads of it is taken to hold."""
    rules = (rule("QNT001", {"device.kind": "gpu", "model.task": "tabular"}, {"schemes": ["W8"], "place": 1}), rule("QNT002", {"model.task": "embedding"}, {"schemes": ["W8"], "place": 1}))
    cases = [case(*each.options, kind="losses", metric="quality_drop", chip=f"m{n}", model=f"m{n}") for n, each in enumerate(ladder(0.9, 0.99))]
    assert set(of(cases, *rules)) == {"QNT001"}


def test_the_same_cases_give_the_same_figures_in_any_order() -> None:
    cases = races(FAST, chips=3) + races(SLOW, chips=2)
    assert of(cases, placed("PLT001", "alpha")) == of(cases, placed("PLT001", "alpha"))
    assert only(of(cases[::-1], placed("PLT001", "alpha")), "PLT001").overall.hits == only(of(cases, placed("PLT001", "alpha")), "PLT001").overall.hits


# --- demotion ------------------------------------------------------------------------------------------------------------


def after(step: Step, found: dict[str, tuple[Audit, ...]], kind: str = "cpu", **values: Any) -> Step:
    return demoted(step, found, network(**values), kind)


def fired(**effect: Any) -> Step:
    return Step(rule="PLT001", subject="cpu0", outcome="fired", effect={"frameworks": ["alpha"], "place": 1, **effect}, because="It is said.")


def test_a_contradicted_row_goes_behind_all_that_stand_and_says_so() -> None:
    found = of(races(FAST), placed("PLT001", "alpha"))
    step = after(fired(), found)
    assert DEMOTED <= step.effect["place"] < 9
    assert step.effect["demoted"] == "PLT001 demoted: its pick was best or within 5 % in 0 of 16 published cases, median regret 100 %"
    assert step.because == f"It is said. {step.effect['demoted']}."
    assert after(fired(place=2), found).effect["place"] > step.effect["place"], "among themselves they keep their order"


@pytest.mark.parametrize("cases", [races(SLOW), races(FAST, chips=1), []])
def test_every_other_row_keeps_its_place(cases: list[Case]) -> None:
    step = fired()
    assert after(step, of(cases, placed("PLT001", "alpha"))) is step


def test_of_kinds_that_were_not_measured_or_are_supported_the_cases_say_nothing() -> None:
    wins = [replace(each, class_="audio/cpu", chip=f"{each.chip}-a") for each in races(SLOW, chips=3, models=3)]
    found = of(races(FAST, chips=8) + wins, placed("PLT001", "alpha"))
    assert only(found, "PLT001").overall.verdict == "contradicted" and only(found, "PLT001").classes["audio/cpu"].verdict == "supported"
    step = fired()
    assert after(step, found) is not step
    assert after(step, found, "npu") is step and after(step, found, modality="multimodal") is step and after(step, found, modality="audio") is step


def test_steps_that_place_nothing_or_did_not_fire_are_left_alone() -> None:
    found = of(races(FAST), placed("PLT001", "alpha"))
    for step in (Step(rule="PLT001", subject="d", outcome="not-fired"), Step(rule="PLT001", subject="d", outcome="fired", effect={"warn": "hot"})):
        assert after(step, found) is step


def test_quality_is_named_in_the_sentence() -> None:
    worse = only(of(ladder(0.90, 0.99, "losses", "quality_drop"), *W8_FIRST), "QNT001")
    assert "within 1 % of quality in 0 of 6" in in_words(worse)
