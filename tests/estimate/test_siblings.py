"""A measurement speaks for the path's other schemes, and in part for other paths; never over a measurement of their own."""

from __future__ import annotations

import pytest

from recommender.domain.candidate import Candidate
from recommender.domain.estimate import Estimate
from recommender.estimate.siblings import ratios, scaled


def candidate(framework: str, scheme: str, device: str = "cpu0") -> Candidate:
    return Candidate(id=f"{framework}/cpu/{scheme}", framework=framework, execution_provider="cpu", device=device, device_kind="cpu", format="gguf", scheme=scheme)


def computed(value: float, metric: str = "decode_rate") -> dict[str, Estimate]:
    return {metric: Estimate(metric=metric, unit="tok/s", low=value / 2, central=value, high=value * 2, basis="analytic", sources=("roofline",))}


def measured(value: float, was: float) -> dict[str, Estimate]:
    row = Estimate(metric="decode_rate", unit="tok/s", low=value, central=value, high=value, basis="measured-here", sources=("measurement:1",), inputs={"computed": was})
    return {"decode_rate": row}


MEASURED = ratios([(candidate("a", "x"), measured(50.0, 100.0)), (candidate("a", "y"), computed(80.0))])


def test_the_same_path_takes_the_whole_ratio() -> None:
    row = scaled(candidate("a", "y"), computed(80.0), MEASURED)["decode_rate"]
    assert row.central == 40.0 and row.basis == "calibrated" and row.low and row.high and row.low < 40.0 < row.high < 80.0
    assert row.sources == ("roofline", "measurement:1") and row.inputs["measured_over_computed"] == 0.5


def test_another_path_takes_a_share_that_grows_with_what_was_measured() -> None:
    one = scaled(candidate("c", "x"), computed(100.0), MEASURED)["decode_rate"]
    two = scaled(candidate("c", "x"), computed(100.0), ratios([(candidate(name, "x"), measured(50.0, 100.0)) for name in "ab"]))["decode_rate"]
    assert one.central == pytest.approx(100 * 0.5**0.5) and two.central == pytest.approx(100 * 0.5 ** (2 / 3))
    assert one.high == 100.0 and one.low and one.low < 50.0, "its own computed value stays possible"


def test_a_measurement_stays_what_it_is_and_what_is_unknown_stays_unknown() -> None:
    own = measured(50.0, 100.0)
    assert scaled(candidate("a", "x"), own, MEASURED) == own
    unknown = {"decode_rate": Estimate(metric="decode_rate", unit="tok/s", why="no bandwidth")}
    assert scaled(candidate("a", "y"), unknown, MEASURED) == unknown


def test_another_device_and_other_metrics_are_left_alone() -> None:
    assert scaled(candidate("a", "x", "gpu0"), computed(80.0), MEASURED) == computed(80.0)
    assert scaled(candidate("a", "y"), computed(80.0, "peak_memory"), MEASURED) == computed(80.0, "peak_memory")
    assert ratios([(candidate("a", "y"), computed(80.0))]) == {}
