"""The statistics, against exact values, enumeration and simulation."""

from __future__ import annotations

from itertools import product
from math import comb, exp
from random import Random
from statistics import median

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recommender.measure.statistics import (
    LEAST,
    bootstrap_interval,
    false_discoveries_controlled,
    is_flat,
    mad,
    median_interval,
    prediction_interval,
    signed_rank_p,
    slope_interval,
    spread,
    stable,
    t_quantile,
    upper_bound,
)


def test_dispersion() -> None:
    assert mad([1.0, 2.0, 3.0, 4.0, 100.0]) == 1.0
    assert spread([3.0, 1.0, 2.0]) == 2.0


@pytest.mark.parametrize(("degrees", "value"), [(1, 12.706), (2, 4.303), (3, 3.182), (4, 2.776), (9, 2.262), (13, 2.160), (30, 2.042), (1000, 1.962)])
def test_t_quantiles_are_those_of_the_tables(degrees: int, value: float) -> None:
    assert t_quantile(degrees) == pytest.approx(value, abs=0.01)


# --- signed rank -------------------------------------------------------------------------------------------------------


def enumerated_p(differences: list[float]) -> float:
    """The definition: all sign patterns of the ranks of the differences that are not zero."""
    ordered = sorted(map(abs, differences))
    ranks = [(ordered.index(abs(d)) + len(ordered) - 1 - ordered[::-1].index(abs(d))) / 2 + 1 for d in differences if d]
    observed = sum(rank for rank, d in zip(ranks, filter(None, differences), strict=True) if d > 0)
    sums = [sum(rank for rank, positive in zip(ranks, signs, strict=True) if positive) for signs in product((False, True), repeat=len(ranks))]
    return min(1.0, 2 * min(sum(s <= observed for s in sums), sum(s >= observed for s in sums)) / len(sums))


@given(st.lists(st.integers(-4, 4), max_size=9))
def test_signed_rank_is_exact_with_ties_and_zeros(differences: list[int]) -> None:
    values = [float(d) for d in differences]
    assert signed_rank_p(values) == pytest.approx(enumerated_p(values))


def test_the_smallest_p_of_seven_rounds_is_just_below_its_limit() -> None:
    assert signed_rank_p([0.01, 0.02, 0.03, 0.04, 0.05, 0.06, 0.07]) == 2 / 2**7
    assert signed_rank_p([]) == signed_rank_p([0.0, 0.0]) == 1.0


# --- percentiles -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("share", LEAST)
def test_a_percentile_needs_its_sample(share: float) -> None:
    least = LEAST[share]
    assert upper_bound([1.0] * (least - 1), share) == (None, f"n too small ({least - 1} of {least})")
    assert upper_bound([float(at) for at in range(least)], share) == (least - 1, "")
    assert share ** (least - 1) > 0.05 >= share**least


@pytest.mark.parametrize(("share", "n"), [(0.5, 20), (0.9, 60), (0.95, 200), (0.99, 400)])
def test_the_bound_is_the_least_order_statistic_that_holds(share: float, n: int) -> None:
    value, _ = upper_bound([float(at) for at in range(1, n + 1)], share)
    assert value is not None

    def holds(rank: int) -> float:
        return sum(comb(n, k) * share**k * (1 - share) ** (n - k) for k in range(rank))

    assert holds(int(value)) >= 0.95 > holds(int(value) - 1)


# --- intervals ---------------------------------------------------------------------------------------------------------


def test_the_short_cut_of_the_bootstrap_has_the_distribution_of_a_resample() -> None:
    rng = Random(1)
    for n in (5, 8):
        samples = [rng.gauss(10, 1) for _ in range(n)]
        low, high = bootstrap_interval([samples], rng, resamples=4000)
        plain = sorted(median(rng.choices(samples, k=n)) for _ in range(4000))
        tolerance = 0.1 * spread(samples)
        assert low == pytest.approx(plain[100], abs=tolerance) and high == pytest.approx(plain[3900], abs=tolerance)


def test_the_bootstrap_sees_processes_before_samples() -> None:
    rng = Random(2)
    apart = [[value] * 1000 for value in (1.0, 2.0, 3.0)]
    assert bootstrap_interval(apart, rng) == (1.0, 3.0)
    assert bootstrap_interval([[5.0] * 1000] * 3, rng) == (5.0, 5.0)


def test_a_new_process_lies_in_the_prediction_interval_as_often_as_said() -> None:
    rng = Random(3)
    inside = 0
    for _ in range(2000):
        *values, further = (rng.gauss(100, 5) for _ in range(8))
        low, high = prediction_interval(values) or (0.0, 0.0)
        inside += low <= further <= high
    assert 0.92 <= inside / 2000 <= 0.98
    assert prediction_interval([1.0]) is None


def test_interval_of_the_median_by_order_statistics() -> None:
    assert median_interval([1.0, 2.0, 3.0, 4.0, 5.0]) is None
    assert median_interval([7.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0]) == (1.0, 7.0)
    assert median_interval([float(at) for at in range(1, 11)]) == (2.0, 9.0)


def test_false_discoveries() -> None:
    assert false_discoveries_controlled([0.001, 0.02, 0.03, 0.9]) == [True, True, True, False]
    assert false_discoveries_controlled([0.02, 0.04, 0.5, 0.9]) == [False] * 4
    assert false_discoveries_controlled([]) == []


# --- series ------------------------------------------------------------------------------------------------------------


def test_slope() -> None:
    low, high = slope_interval([1.0, 3.0, 5.0, 7.0])
    assert low == pytest.approx(2.0) and high == pytest.approx(2.0)


def noisy(rng: Random, n: int, level: float = 1.0, noise: float = 0.02) -> list[float]:
    return [level * (1 + rng.gauss(0, noise)) for _ in range(n)]


def test_warm_up_ends_when_the_last_half_is_flat() -> None:
    rng = Random(4)
    falling = [1 + 2 * exp(-at / 10) for at in range(30)]
    assert not is_flat(falling)
    assert is_flat(falling + noisy(rng, 60))
    assert is_flat([1.0 - at * 1e-5 for at in range(100)])  # a slope that is certain and below 1 %
    assert not is_flat([1.0] * 4)


def test_windows_that_hold_still() -> None:
    rng = Random(5)
    assert stable(noisy(rng, 60)) == "ok"
    assert stable([*noisy(rng, 20), *noisy(rng, 20, 1.08), *noisy(rng, 20)]) == "unstable"
    assert stable([1 + at / 60 for at in range(60)]) == "moving"
    assert stable([1.0] * 8) == "moving"
    assert stable([*noisy(rng, 59), 50.0]) == "ok"  # one outlier moves no median


@given(st.lists(st.floats(0.5, 2.0), min_size=9, max_size=60), st.floats(1e-6, 1e6))
def test_units_do_not_matter(samples: list[float], scale: float) -> None:
    scaled = [scale * value for value in samples]
    order = ("ok", "unstable", "moving")
    assert abs(order.index(stable(scaled)) - order.index(stable(samples))) <= 1  # at a limit, rounding may tip it
