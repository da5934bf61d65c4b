"""Measured points speak for others as far as they share path, scheme and settings."""

from __future__ import annotations

import numpy as np
import pytest

from recommender.tune.posterior import Posterior, expected_gain
from tests.tune import grids

POINTS = grids.space().points
AT = {point.id: number for number, point in enumerate(POINTS)}


def _posterior(**more) -> Posterior:
    return Posterior(points=POINTS, estimates={choice: row["decode_rate"] for choice, row in grids.estimates().items()}, better="up", spreads={"n_threads": 0.4, "hint": 0.15}, **more)


def test_before_anything_is_measured_it_is_the_estimate():
    low, central, high = _posterior().interval()
    start = AT["alpha/cpu/Q8_0?n_threads=2"]
    assert central[start] == pytest.approx(56) and low[start] < 56 < high[start]


def test_settings_widen_the_interval_of_what_was_not_tried():
    _, deviation = _posterior().predict()
    assert deviation[AT["alpha/cpu/Q8_0?n_threads=1"]] > deviation[AT["alpha/cpu/Q8_0?n_threads=2"]]


def test_a_measurement_pulls_its_path_further_than_another():
    posterior = _posterior(fits=False)
    before, _ = posterior.predict()
    posterior.observe("beta/cpu/Q8_0?hint=a&n_threads=2", 140.0)
    after, _ = posterior.predict()
    moved = after - before
    same, other = AT["beta/cpu/Q4_0?hint=a&n_threads=2"], AT["alpha/cpu/Q4_0?n_threads=2"]
    assert moved[same] > moved[other] > 0


def test_what_a_setting_does_to_one_scheme_is_expected_of_another():
    posterior = _posterior(fits=False)
    posterior.observe("alpha/cpu/Q8_0?n_threads=2", 70.0)
    posterior.observe("alpha/cpu/Q8_0?n_threads=1", 35.0)
    mean, _ = posterior.predict()
    assert mean[AT["alpha/cpu/Q4_0?n_threads=1"]] < mean[AT["alpha/cpu/Q4_0?n_threads=2"]] - 0.3


def test_the_interval_narrows_with_what_was_measured():
    posterior = _posterior(fits=False)
    _, before = posterior.predict()
    for scheme, value in grids.SCHEMES.items():
        posterior.observe(f"alpha/cpu/{scheme}?n_threads=2", value)
    _, after = posterior.predict()
    assert (after < before).all() and after[AT["alpha/cpu/Q4_0?n_threads=2"]] < 0.06


def test_the_fit_finds_that_frameworks_differ_and_schemes_do_not():
    posterior = _posterior()
    for point in POINTS:
        if point.changed == {}:
            posterior.observe(point.id, grids.rate(point))
    for point in POINTS[1:6]:
        posterior.observe(point.id, grids.rate(point))
    posterior.predict()
    assert posterior.variances["scheme"] < 0.012 and posterior.variances["setting:n_threads"] > 0.03


def test_a_choice_without_an_estimate_is_expected_in_the_middle_and_is_wide():
    estimates = {choice: row["decode_rate"] for choice, row in grids.estimates().items() if choice != "beta/cpu/Q4_0"}
    posterior = Posterior(points=POINTS, estimates=estimates, better="up")
    mean, deviation = posterior.predict()
    blind = AT["beta/cpu/Q4_0?hint=a&n_threads=2"]
    assert np.exp(mean[blind]) == pytest.approx(56) and deviation[blind] > 1


def test_many_observations_keep_the_cost_bounded():
    posterior = _posterior(fits=False)
    for _ in range(300):
        posterior.observe(POINTS[0].id, 40.0)
    rows, _ = posterior._kept()
    assert len(rows) <= 240
    mean, _ = posterior.predict()
    assert np.exp(mean[0]) == pytest.approx(40, rel=0.01)


def test_gain_is_expected_where_it_may_be_found():
    mean, deviation = np.log([100.0, 100.0, 50.0]), np.array([0.1, 0.3, 0.1])
    gain = expected_gain(mean, deviation, float(np.log(105)), "up")
    assert gain[1] > gain[0] > gain[2] > 0


def test_a_first_measurement_far_from_its_estimate_puts_all_estimates_in_doubt():
    near, far = _posterior(), _posterior()
    near.observe("alpha/cpu/F16?n_threads=2", 40.0)
    far.observe("alpha/cpu/F16?n_threads=2", 400.0)
    other = AT["beta/cpu/Q4_0?hint=a&n_threads=2"]
    assert far.predict()[1][other] > 2 * near.predict()[1][other]
    assert far.interval()[2][other] > 400
