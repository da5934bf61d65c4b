"""A measurement speaks for the path's other schemes, and in part for other paths; never over a measurement of their own, nor against the others."""

from __future__ import annotations

from math import exp, log

import pytest

from recommender.decide.advise import advise
from recommender.domain.candidate import Candidate
from recommender.domain.estimate import Estimate
from recommender.domain.evidence import Evidence
from recommender.domain.recommendation import Recommendation, Request
from recommender.estimate.siblings import ratios, refusals, scaled
from tests.invented import framework, model, target, with_frameworks, workload


def candidate(framework: str, scheme: str, device: str = "cpu0") -> Candidate:
    return Candidate(id=f"{framework}/cpu/{scheme}", framework=framework, execution_provider="cpu", device=device, device_kind="cpu", format="gguf", scheme=scheme)


def computed(value: float, metric: str = "decode_rate") -> dict[str, Estimate]:
    return {metric: Estimate(metric=metric, unit="tok/s", low=value / 2, central=value, high=value * 2, basis="analytic", sources=("roofline",))}


def measured(value: float, was: float) -> dict[str, Estimate]:
    row = Estimate(metric="decode_rate", unit="tok/s", low=value, central=value, high=value, basis="measured-here", sources=("measurement:1",), inputs={"computed": was})
    return {"decode_rate": row}


def factor(known: dict[tuple[str, str], float], framework: str, scheme: str) -> Estimate:
    """Estimate of a candidate that was computed as 100, given what others measured over 100."""
    seen = ratios([(candidate(*name), measured(100.0 * ratio, 100.0)) for name, ratio in known.items()])
    return scaled(candidate(framework, scheme), computed(100.0), seen)["decode_rate"]


def test_one_measurement_shrinks_by_the_variances() -> None:
    row = factor({("a", "x"): 0.5}, "a", "y")
    assert row.central == pytest.approx(100 * 0.5 ** (0.11 / 0.132)), "what the two share (device and path) over what the measured one has in all"
    assert row.basis == "calibrated" and row.sources == ("roofline", "measurement:1")
    assert row.inputs["schemes_measured"] == 1 and row.inputs["of_this_path"]


def test_another_path_takes_less_and_the_more_the_more_paths_agree() -> None:
    own = factor({("a", "x"): 0.5}, "a", "y").central
    one = factor({("a", "x"): 0.5}, "c", "y").central
    two = factor({("a", "x"): 0.5, ("b", "x"): 0.5}, "c", "y").central
    assert own and one and two and 50 < own < two < one < 100


def test_the_scheme_of_another_path_says_more_than_another_scheme_of_it() -> None:
    same, other = (factor({("a", "x"): 0.5}, "c", scheme).central for scheme in "xy")
    assert same and other and same < other


def test_the_interval_narrows_with_what_is_known() -> None:
    one = factor({("a", "x"): 0.5}, "a", "y")
    three = factor({("a", name): 0.5 for name in "xvw"}, "a", "y")
    far = factor({("a", "x"): 0.5}, "c", "y")
    widths = [row.high / row.low for row in (three, one, far) if row.high and row.low]
    assert widths == sorted(widths) and len(widths) == 3 and widths[0] > exp(2 * 1.28 * 0.1), "a scheme's own effect stays unknown"


def test_a_measurement_stays_what_it_is_and_what_is_unknown_stays_unknown() -> None:
    seen = ratios([(candidate("a", "x"), measured(50.0, 100.0))])
    own = measured(50.0, 100.0)
    assert scaled(candidate("a", "x"), own, seen) == own
    unknown = {"decode_rate": Estimate(metric="decode_rate", unit="tok/s", why="no bandwidth")}
    assert scaled(candidate("a", "y"), unknown, seen) == unknown


def test_another_device_and_other_metrics_are_left_alone() -> None:
    seen = ratios([(candidate("a", "x"), measured(50.0, 100.0))])
    assert scaled(candidate("a", "x", "gpu0"), computed(80.0), seen) == computed(80.0)
    assert scaled(candidate("a", "y"), computed(80.0, "peak_memory"), seen) == computed(80.0, "peak_memory")
    assert ratios([(candidate("a", "y"), computed(80.0))]) == {}


# Three agree with what was computed and a scheme is far off on both paths: most are predicted worse from the others than by what was computed.
CONTRADICTORY = {("a", "v"): 1.01, ("a", "w"): 1.0, ("a", "x"): 0.99, ("a", "y"): 2.5, ("b", "y"): 2.5}


def test_measurements_that_contradict_each_other_are_refused_and_it_is_said() -> None:
    seen = ratios([(candidate(*name), measured(100.0 * ratio, 100.0)) for name, ratio in CONTRADICTORY.items()])
    row = scaled(candidate("a", "z"), computed(80.0), seen)["decode_rate"]
    assert (row.central, row.low, row.high, row.basis) == (80.0, 40.0, 160.0, "analytic"), "as it was computed"
    [sentence] = refusals(seen)
    assert row.why and row.why in sentence and sentence.startswith("decode_rate on cpu0: not scaled by the 5 measurements here")


def test_two_measurements_cannot_refuse_each_other() -> None:
    seen = ratios([(candidate("a", "x"), measured(200.0, 100.0)), (candidate("a", "y"), measured(50.0, 100.0))])
    assert refusals(seen) == ()


def test_the_error_without_a_row_is_that_of_predicting_it_from_the_others() -> None:
    known = {("a", "x"): 0.5, ("a", "y"): 0.7, ("b", "x"): 0.8, ("b", "z"): 0.6}
    [pool] = ratios([(candidate(*name), measured(100.0 * ratio, 100.0)) for name, ratio in known.items()]).values()
    for at, (name, ratio) in enumerate(known.items()):
        rest = {other: value for other, value in known.items() if other != name}
        error = sum(a * b.log for a, b in zip(pool.inverse[at], pool.ratios, strict=True)) / pool.inverse[at][at]
        predicted = factor(rest, *name).central
        assert predicted and log(ratio) - error == pytest.approx(log(predicted / 100))


def test_an_answer_names_the_calibration_that_it_refused() -> None:
    box, found = target(), with_frameworks(framework("a"), framework("b"))
    request = Request(model=model(), workload=workload())
    computed_rates = {choice.candidate.id: choice.estimates["decode_rate"].central or 0.0 for choice in advise(request, box, found).choices}
    digest = box.fingerprint.digest

    def answer(factors: dict[str, float]) -> Recommendation:
        rows = tuple(
            Evidence(
                metric="decode_rate", value=computed_rates[name] * ratio, model="tiny-1b", framework=name[0], scheme=name[-2:], source="m", digest=digest,
            )
            for name, ratio in factors.items()
        )
        return advise(request, box, found, rows)

    agreeing = answer({"a/cpu/W4": 0.5, "a/cpu/W8": 0.5, "b/cpu/W4": 0.5})
    assert agreeing.assumptions == box.assumptions
    assert {row.candidate.id: row.estimates["decode_rate"].basis for row in agreeing.choices}["b/cpu/W8"] == "calibrated"
    contrary = answer({"a/cpu/W4": 3.0, "a/cpu/W8": 1.0, "b/cpu/W4": 1.0})
    assert len(contrary.assumptions) == 1 and "not scaled by the 3 measurements here" in contrary.assumptions[0]
    left = next(row for row in contrary.choices if row.candidate.id == "b/cpu/W8").estimates["decode_rate"]
    assert left.basis == "analytic" and left.central == pytest.approx(computed_rates["b/cpu/W8"])
