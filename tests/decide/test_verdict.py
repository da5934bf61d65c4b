from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from recommender.decide.verdict import hints, separation, verdict
from recommender.domain.estimate import Estimate
from recommender.domain.model import Artifact
from recommender.domain.recommendation import Choice, Criterion, Dismissal, Request, Wishes
from recommender.domain.rule import Reading, Step
from tests.invented import GIB, candidate, catalog, estimate, framework, model, target, with_frameworks, workload


def choice(name: str = "alpha", *, need: float = 0.0, place: float = 1.0, rate: float | None = 20.0, basis: str = "", **values: Any) -> Choice:
    runnable = values.pop("runnable_here", None)
    return Choice(
        rank=1, candidate=candidate(name, **values), estimates={"decode_rate": estimate("decode_rate", rate)}, runnable_here=runnable,
        criteria=(
            Criterion(id="RNK010", label="what was asked (--need)", key=need, shown="?"),
            Criterion(id="RNK060", label="framework", key=place, shown=f"place {place:g}", basis=basis),
        ),
    )


def dismissed(name: str = "alpha", *readings: Reading, because: str = "too big", estimates: dict[str, Estimate] | None = None, count: int = 1) -> Dismissal:
    steps = tuple(Step(rule=f"ELG{i}", subject="x", outcome="fired", readings=readings, because=because) for i in range(count))
    return Dismissal(candidate=candidate(name), eligibility="ineligible", because=steps, estimates=estimates or {})


PLAIN = Request(model=model(), workload=workload())
ASKED = Request(model=model(), workload=workload(needs=("decode_rate>=10 tok/s",)))


@pytest.mark.parametrize(("choices", "undetermined", "request_", "word"), [
    ((), (), PLAIN, "INFEASIBLE"),
    ((), (dismissed(),), PLAIN, "INCONCLUSIVE"),
    ((choice(),), (), PLAIN, "RECOMMENDED"),
    ((choice(), choice("beta", place=2)), (dismissed(),), PLAIN, "RECOMMENDED"),
    ((choice(is_as_is=True), choice("beta")), (), PLAIN, "KEEP-BASELINE"),
    ((choice(), choice("beta")), (), PLAIN, "TIE"),
    ((choice(), choice("beta", rate=20.3)), (), PLAIN, "TIE"),
    ((choice(), choice("beta", rate=20.5)), (), PLAIN, "RECOMMENDED"),
    ((choice(), choice("beta", rate=None)), (), PLAIN, "RECOMMENDED"),
    ((choice(), choice("alpha", scheme="W8")), (), PLAIN, "RECOMMENDED"),
    ((choice(rate=None),), (), ASKED, "INCONCLUSIVE"),
    ((choice(rate=None, is_as_is=True),), (), ASKED, "INCONCLUSIVE"),
    ((choice(need=1.0),), (), ASKED, "RECOMMENDED"),
])
def test_the_word(choices: tuple[Choice, ...], undetermined: tuple[Dismissal, ...], request_: Request, word: str) -> None:
    found, why = verdict(choices, (), undetermined, request_, target())
    assert found == word and why


def test_what_hinders_is_told_apart() -> None:
    assert "every condition" in verdict((), (dismissed(),), (), PLAIN, target())[1]
    assert "no framework is known" in verdict((), (), (), PLAIN, target())[1]
    unseen = target()
    unseen = replace(unseen, fingerprint=replace(unseen.fingerprint, devices=()))
    assert verdict((), (), (), PLAIN, unseen)[0] == "INCONCLUSIVE"


def test_a_preference_without_a_front_is_told() -> None:
    wish = Request(model=model(), workload=workload(), wishes=Wishes(prefer={"speed": 1.0}))
    told = [hints((replace(choice(), pareto=front),), (), (), wish, target(), catalog()) for front in (False, True)]
    assert ["--prefer" in " ".join(lines) for lines in told] == [True, False]


def test_a_tie_names_all_that_tie() -> None:
    _, why = verdict((choice(), choice("beta"), choice("gamma", place=2)), (), (), PLAIN, target())
    assert "alpha/cpu/W4, beta/cpu/W4" in why and "gamma" not in why


def test_the_sentence_names_the_first_criterion_that_differs_with_both_readings() -> None:
    assert separation(choice(), choice("beta", place=3)) == "RNK060 framework: place 1 against place 3"
    assert separation(choice(basis="analytic"), choice("beta", place=3, basis="unknown")).endswith("(analytic against unknown)")
    assert separation(choice(), None) == "the only candidate that passes every condition"
    assert separation(choice(), choice("beta")) == "equal by every criterion; listed by name"


def ratio(value: float) -> Reading:
    return Reading(attribute="estimate.memory_ratio", value=value, origin="estimated", outcome="fired")


def hints_of(*, choices: tuple[Choice, ...] = (), rejected: tuple[Dismissal, ...] = (), undetermined: tuple[Dismissal, ...] = (), kind: str = "recording", **values: Any) -> tuple[str, ...]:
    return hints(choices, rejected, undetermined, Request(model=model(), workload=workload(), wishes=Wishes()), target(kind=kind), catalog(**values))


def test_the_nearest_miss_comes_first_with_what_it_needs() -> None:
    far, near = dismissed("far", ratio(4.0)), dismissed("near", ratio(1.5), estimates={"peak_memory": replace(estimate("peak_memory", 3 * GIB), high=3.0 * GIB)})
    many = dismissed("many", ratio(1.3), count=2)  # 1.69 over in all
    found = hints_of(rejected=(far, many, near))
    assert [line.split(":")[1].strip().split("/")[0] for line in found] == ["near", "many", "far"]
    assert "needs 3 GiB, 2 GiB are usable" in found[0]


def test_what_is_too_slow_hints_at_the_flag_that_shows_it() -> None:
    slow = dismissed("slow", Reading(attribute="estimate.floor", value="not-met", origin="estimated", outcome="fired"))
    assert any("--allow-below-floor" in line for line in hints_of(rejected=(slow,)))
    assert not any("--allow-below-floor" in line for line in hints_of(rejected=(dismissed("far", ratio(2.0)),)))


def test_an_open_fact_hints_at_what_would_settle_it() -> None:
    open_fact = dismissed("beta", Reading(attribute="device.driver_version", value=None, origin="unknown", outcome="unknown"))
    vocabulary = {"attribute": {"device.driver_version": {"settle": "recommend probe"}}}
    assert hints_of(undetermined=(open_fact,), vocabulary=vocabulary) == ("beta/cpu/W4 hangs on device.driver_version: recommend probe",)
    assert hints_of(undetermined=(open_fact,)) == ()


@pytest.mark.parametrize(("kind", "runnable", "expected"), [("this-machine", False, True), ("this-machine", True, False), ("recording", None, False)])
def test_a_framework_that_is_missing_here_hints_at_its_installation(kind: str, runnable: bool | None, expected: bool) -> None:
    found = with_frameworks(framework("alpha", install="pip install alpha"))
    lines = hints((choice(runnable_here=runnable),), (), (), PLAIN, target(kind=kind), found)
    assert ("pip install alpha" in lines) is expected


def test_beside_an_answer_the_reason_of_a_rejected_one_can_be_asked() -> None:
    assert hints_of(choices=(choice(),), rejected=(dismissed("beta"),)) == ("recommend explain --why-not beta/cpu/W4",)


def test_weights_that_lie_here_can_be_applied_and_measured() -> None:
    request = replace(PLAIN, model=replace(model(), artifact=Artifact(format="safetensors", path="a model", size=1)))
    here = target(kind="this-machine")
    assert hints((choice(runnable_here=True),), (), (), request, here, catalog()) == ("recommend apply --model 'a model' --out artifacts", "recommend measure --model 'a model'")
    as_is = hints((choice(runnable_here=True, is_as_is=True),), (), (), request, here, catalog())
    assert as_is == ("recommend measure --model 'a model'",)
    measured = replace(choice(runnable_here=True), estimates={"decode_rate": replace(estimate("decode_rate", 20.0), basis="measured-here")})
    assert hints((measured,), (), (), request, here, catalog()) == ("recommend apply --model 'a model' --out artifacts",)
    assert hints((choice(runnable_here=True),), (), (), request, target(kind="recording"), catalog()) == ()
    assert hints((choice(runnable_here=True),), (), (), PLAIN, here, catalog()) == ()
