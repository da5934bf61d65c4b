from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recommender.domain.estimate import Phase
from recommender.domain.quantity import Interval
from recommender.estimate.roofline import Bound, Capability, phase_time


def exact(value: float) -> Interval:
    return Interval(low=value, central=value, high=value)


def capability(**values: object) -> Capability:
    return Capability(**{  # type: ignore[arg-type]
        "peak_ops": 1e12, "memory_bandwidth": 50e9, "compute_efficiency": exact(0.5), "memory_efficiency": exact(0.8), **values,
    })


@pytest.mark.parametrize(("operations", "moved", "calls", "seconds", "resource"), [
    (1e12, 1e9, 0, 2.0, "compute"),
    (1e9, 40e9, 0, 1.0, "memory-bandwidth"),
    (1e9, 1e6, 100, 0.002 + 1.0, "overhead"),
    (0, 40e9, 0, 1.0, "memory-bandwidth"),
])
def test_the_larger_of_both_times_and_what_binds(operations: float, moved: float, calls: float, seconds: float, resource: str) -> None:
    found = phase_time(Phase(operations=operations, bytes_moved=moved, calls=calls), capability(call_overhead=exact(0.01)))
    assert isinstance(found, Bound)
    assert found.seconds.central == pytest.approx(seconds) and found.resource == resource


@pytest.mark.parametrize(("lacking", "named", "not_named"), [
    ({"peak_ops": None}, ["operations"], ["memory"]),
    ({"compute_efficiency": None}, ["operations"], ["memory"]),
    ({"memory_bandwidth": None}, ["memory bandwidth"], ["operations"]),
    ({"memory_efficiency": None}, ["bandwidth"], ["operations"]),
    ({"peak_ops": None, "memory_bandwidth": None}, ["operations", "memory bandwidth"], []),
])
def test_a_lower_bound_is_not_sold_as_an_estimate(lacking: dict[str, None], named: list[str], not_named: list[str]) -> None:
    why = phase_time(Phase(operations=1, bytes_moved=1), capability(**lacking))
    assert isinstance(why, str) and "not known" in why
    assert all(word in why for word in named) and not any(word in why for word in not_named)


def test_what_a_phase_does_not_use_need_not_be_known() -> None:
    assert isinstance(phase_time(Phase(operations=0, bytes_moved=1), capability(peak_ops=None)), Bound)
    assert isinstance(phase_time(Phase(operations=1, bytes_moved=0), capability(memory_bandwidth=None)), Bound)


shares = st.tuples(st.floats(0.01, 1), st.floats(0.01, 1), st.floats(0.01, 1)).map(sorted).map(lambda v: Interval(low=v[0], central=v[1], high=v[2]))


@given(st.floats(0, 1e15), st.floats(1, 1e12), st.floats(0, 1e4), shares, shares)
def test_intervals_are_ordered_and_never_beat_the_peaks(operations: float, moved: float, calls: float, compute: Interval, memory: Interval) -> None:
    found = phase_time(Phase(operations=operations, bytes_moved=moved, calls=calls), capability(compute_efficiency=compute, memory_efficiency=memory, call_overhead=exact(1e-6)))
    assert isinstance(found, Bound)
    assert found.seconds.low <= found.seconds.central <= found.seconds.high
    assert found.seconds.low >= max(operations / 1e12, moved / 50e9) * (1 - 1e-9)
