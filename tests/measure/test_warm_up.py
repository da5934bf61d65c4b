from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import repeat

import pytest

from recommender.measure.sampling import Limits
from recommender.measure.warm_up import WarmUp, warm_up
from tests.measure.null_artifact import FakeClock

LIMITS = Limits()


def warmed(durations: Iterator[float], *, limits: Limits = LIMITS, deadline: float = math.inf, calls_each: int = 1) -> WarmUp:
    clock = FakeClock()
    return warm_up(lambda: clock.pass_by(next(durations)), limits, calls_each=calls_each, deadline=deadline, clock=clock)


def falling(start: float, end: float, factor: float) -> Iterator[float]:
    value = start
    while True:
        yield value
        value = end + (value - end) * factor


def test_a_steady_call_is_warm_at_the_minima() -> None:
    found = warmed(repeat(0.1))
    assert found.flags == () and found.calls >= 10 and 2.0 <= found.seconds < 2.2


def test_it_goes_on_while_calls_become_faster() -> None:
    found = warmed(falling(1.0, 0.1, 0.9))
    assert found.flags == () and found.calls > 30
    assert found.samples[0] == 1.0 and found.samples[-1] == pytest.approx(0.1, rel=0.2)


def test_calls_that_never_settle_are_flagged_at_the_cap() -> None:
    found = warmed(falling(0.5, 0.0, 0.98), limits=Limits(warm_up_cap=20.0))
    assert found.flags == ("not-flat",) and 20.0 <= found.seconds < 20.6


def test_a_deadline_ends_it_and_keeps_what_there_is() -> None:
    found = warmed(repeat(1.0), deadline=3.0)
    assert found.flags == ("short-warm-up",) and found.samples == [1.0, 1.0, 1.0]
    assert warmed(repeat(1.0), deadline=0.0).samples == []


def test_fast_calls_are_timed_together() -> None:
    found = warmed(repeat(1e-6))
    assert found.calls > 1_000_000 and len(found.samples) < 1000
    assert found.samples[-1] == pytest.approx(1e-6)


def test_a_request_counts_as_often_as_it_runs_the_model() -> None:
    few = warmed(repeat(0.5), limits=Limits(warm_up_calls=100), calls_each=50)
    many = warmed(repeat(0.5), limits=Limits(warm_up_calls=100))
    assert few.calls < 10 < 100 <= many.calls
