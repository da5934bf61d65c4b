from __future__ import annotations

import random
from collections.abc import Callable
from itertools import count

import pytest

from recommender.domain.errors import UsageError
from recommender.measure.sampling import MODES, Limits, calibrated, calls_per_sample, collect, limits
from tests.measure.null_artifact import FakeClock


def collected(duration: Callable[[int], float], bounds: Limits | None = None, deadline: float = float("inf")) -> tuple[list[str], list[float]]:
    clock, values, numbers = FakeClock(), [], count()

    def take() -> float:
        values.append(duration(next(numbers)))
        clock.pass_by(values[-1])
        return values[-1]

    return collect(take, bounds or Limits(), deadline=deadline, clock=clock), values


@pytest.mark.parametrize("mode", ["quick", "normal"])
@pytest.mark.parametrize("duration", [0.001, 0.05, 0.7])
def test_enough_samples_and_enough_seconds(mode: str, duration: float) -> None:
    bounds = MODES[mode]
    flags, values = collected(lambda _: duration, bounds)
    assert flags == [] and len(values) >= bounds.samples and sum(values) >= bounds.seconds * 0.999
    assert sum(values) < 1.5 * max(bounds.seconds, bounds.samples * duration)


def test_noise_alone_does_not_make_it_unstable() -> None:
    draw = random.Random(1)
    flags, values = collected(lambda _: 0.02 * draw.lognormvariate(0.0, 0.05))
    assert flags == [] and sum(values) < 11


def test_drift_is_flagged_and_nothing_is_lost() -> None:
    flags, values = collected(lambda n: 0.02 * 1.01**n, Limits(cap=30.0))
    assert "unstable" in flags and len(values) > 30


def test_slow_calls_end_at_the_cap() -> None:
    flags, values = collected(lambda _: 11.0)
    assert flags[0] == "capped" and len(values) == 6


def test_a_deadline_that_has_passed_still_gives_one_sample() -> None:
    flags, values = collected(lambda _: 0.1, deadline=0.0)
    assert "capped" in flags and len(values) == 1


def test_a_step_is_waited_out() -> None:
    flags, values = collected(lambda n: 0.2 if n < 40 else 0.1)
    assert values[-30:] == [0.1] * 30 and "unstable" in flags


@pytest.mark.parametrize(("seconds", "resolution", "least"), [(0.5, 1e-7, 0.5), (2e-3, 1e-7, 2e-3), (1e-4, 1e-7, 0.04), (1e-9, 1e-7, 0.04), (2e-3, 1e-3, 1.0)])
def test_a_sample_lasts(seconds: float, resolution: float, least: float) -> None:
    n = calls_per_sample(seconds, resolution)
    assert least <= n * seconds * 1.0001 and (n - 1) * seconds < least


def test_the_clock_is_calibrated() -> None:
    clock = FakeClock()

    def stepping() -> float:
        clock.pass_by(2e-7)
        return clock()

    assert calibrated(stepping) == pytest.approx({"resolution": 2e-7, "overhead": 2e-7})
    real = calibrated()
    assert 0 < real["resolution"] < 0.1 and 0 < real["overhead"] < 0.1


def test_a_plan_overrides_by_name() -> None:
    assert limits("quick", {"limits": {"samples": 3}}).samples == 3
    for mode, plan in (("fast", {}), ("quick", {"limits": {"sample": 3}})):
        with pytest.raises(UsageError, match="`fast`|`sample`"):
            limits(mode, plan)
