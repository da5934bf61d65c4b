"""The judgement of a night: what counts, what does not, and how often it errs."""

from __future__ import annotations

from math import exp, log
from random import Random

import numpy as np
import pytest

from benchmarks.nights import Scene, World, alarms, drift_found_at, found_in
from recommender.tune.noise import learn
from recommender.tune.regression import (
    IMPROVED,
    INCONCLUSIVE,
    LOST,
    REGRESSION,
    SAME,
    SUSPECT,
    Cell,
    Entry,
    Finding,
    allowed_loss,
    assess,
    condense,
    entry,
    judge,
    suspects,
    word_of_night,
)

QUIET = Scene(process=0.02, night=0.01)


def cell(point: str = "a", *, better: str = "up", value: float = 100.0, n: int = 3) -> Cell:
    return Cell(device_class="bench", point=point, metric="decode_rate" if better == "up" else "latency", better=better, value=value, n=n)


def nights(level: float, n_nights: int, seed: int = 1, noise: float = 0.01) -> list[Entry]:
    rng = Random(seed)
    return [entry([level * exp(rng.gauss(0, noise)) for _ in range(3)], 3, SAME) for _ in range(n_nights)]


def tonight(level: float, n: int = 15, seed: int = 99, noise: float = 0.01) -> Entry:
    rng = Random(seed)
    return entry([level * exp(rng.gauss(0, noise)) for _ in range(n)], 3)


def found(one: Cell, *entries: Entry, allowed: float = 0.05) -> Finding:
    return assess({one: list(entries)}, allowed)[one]


def word(one: Cell, *entries: Entry, allowed: float = 0.05, rerun: bool = True) -> str:
    return judge([found(one, *entries, allowed=allowed)], allowed, {one} if rerun else set())[one]


# --- one cell ----------------------------------------------------------------------------------------------------------


def test_an_odd_process_hardly_moves_the_figure_of_a_night() -> None:
    usual, odd = condense([100.0, 101.0, 99.0, 100.0, 100.5]), condense([100.0, 101.0, 99.0, 100.0, 50.0])
    assert abs(usual.centre - odd.centre) < 0.01 and odd.squares > 10 * usual.squares and odd.n == 5


@pytest.mark.parametrize(("better", "factor", "expected"), [("up", 0.85, REGRESSION), ("up", 1.15, IMPROVED), ("down", 1.15, REGRESSION), ("down", 0.85, IMPROVED), ("up", 1.0, SAME)])
def test_a_change_is_told_in_the_direction_of_the_metric(better: str, factor: float, expected: str) -> None:
    assert word(cell(better=better), *nights(100, 8), tonight(100 * factor)) == expected


def test_the_effect_is_that_of_the_metric_itself_with_an_interval() -> None:
    slower = found(cell(better="down"), *nights(100, 8), tonight(110))
    assert slower.change == pytest.approx(0.10, abs=0.02) and 0 < slower.low < slower.change < slower.high and slower.worse > 0
    assert slower.reference == pytest.approx(100, rel=0.02) and slower.value == pytest.approx(110, rel=0.02) and slower.n == 15


@pytest.mark.parametrize(("allowed", "expected"), [(0.05, REGRESSION), (0.25, SAME)])
def test_what_the_user_allows_is_no_regression_however_sure_it_is(allowed: float, expected: str) -> None:
    assert word(cell(), *nights(100, 8), tonight(85), allowed=allowed) == expected


def test_nothing_counts_without_a_rerun() -> None:
    series = (*nights(100, 8), tonight(85, n=3))
    assert suspects([found(cell(), *series)], 0.05) == [cell()]
    assert word(cell(), *series, rerun=False) == SUSPECT


def test_what_would_be_left_open_is_rerun_whatever_the_screen_says() -> None:
    """Of one cell, chance in ten is not clear; of four hundred it is nothing."""
    one = finding("one", 0.1, 0.08)
    assert suspects([one], 0.05) == [one.cell]
    assert suspects([one, *(finding(str(at), 0.5, 0.001) for at in range(399))], 0.05) == []


def test_a_cell_that_was_always_noisy_is_not_called_worse_for_it() -> None:
    series = {cell(str(at)): [*nights(100, 10, seed=at), tonight(100, seed=50 + at)] for at in range(20)}
    wild = cell("wild")
    rng = Random(3)
    series[wild] = [*(entry([100 * exp(shift) for _ in range(3)], 3, SAME) for shift in (rng.gauss(0, 0.08) for _ in range(10))), tonight(92)]
    calm = cell("calm")
    series[calm] = [*nights(100, 10, seed=77), tonight(92)]
    words = judge(list(assess(series, 0.05).values()), 0.05, set(series))
    assert words[calm] == REGRESSION and words[wild] != REGRESSION


def test_two_nights_together_show_what_one_does_not() -> None:
    loss = 0.93
    one = found(cell(), *nights(100, 10, noise=0.03), tonight(100 * loss, noise=0.03))
    two = found(cell(), *nights(100, 10, noise=0.03), tonight(100 * loss, noise=0.03, seed=5), tonight(100 * loss, noise=0.03))
    assert two.nights == 2 and two.p < one.p / 3


def test_nights_before_do_not_count_when_tonight_is_well_again() -> None:
    one = found(cell(), *nights(100, 10), tonight(85, seed=4), tonight(85, seed=5), tonight(100))
    assert one.nights == 1 and abs(one.change) < 0.02


def test_the_reference_does_not_follow_a_slow_loss() -> None:
    slow = [tonight(100 * 0.995**night, n=3, seed=night) for night in range(1, 60)]
    assert found(cell(), *slow, tonight(100 * 0.995**60)).reference > 94


def test_a_night_that_was_called_a_regression_is_no_reference() -> None:
    bad = [entry([80.0, 80.5, 79.5], 3, REGRESSION) for _ in range(3)]
    assert found(cell(), *bad, tonight(100)).reference == pytest.approx(100, rel=0.01)
    assert found(cell(), *(entry([80.0, 80.5, 79.5], 3, SAME) for _ in range(3)), tonight(100)).reference < 95


def test_reruns_of_earlier_nights_do_not_bend_the_reference() -> None:
    """Low figures are measured again and rise, high ones are not: with all figures the reference would be too high."""
    rerun = [entry([95.0, 95.0, 95.0, *[105.0] * 12], 3, SAME) for _ in range(10)]
    assert found(cell(value=95.0), *rerun, tonight(95)).reference == pytest.approx(95, rel=0.001)


def test_a_cell_without_a_figure_tonight_has_no_finding() -> None:
    assert assess({cell(): [*nights(100, 3), entry([], 1)]}, 0.05) == {}


def test_a_night_that_lacks_between_others_is_passed_over() -> None:
    assert word(cell(), *nights(100, 4), entry([], 1), *nights(100, 4, seed=2), tonight(85)) == REGRESSION


# --- all cells of a night ----------------------------------------------------------------------------------------------


def finding(name: str, p: float, worse: float) -> Finding:
    return Finding(cell=cell(name), change=-worse, low=-worse, high=-worse, reference=1, value=1, worse=worse, p=p, screen=p, n=15, nights=1)


def test_many_cells_need_stronger_evidence_each() -> None:
    one, others = finding("one", 0.002, 0.08), [finding(str(at), 0.5, 0.001) for at in range(399)]
    assert judge([one], 0.05, {one.cell})[one.cell] == REGRESSION
    assert judge([one, *others], 0.05, {one.cell})[one.cell] == SAME
    assert judge([one], 0.05, {one.cell}, beside=[0.5] * 399)[one.cell] == SAME


def test_what_chance_gives_one_night_in_ten_is_left_open() -> None:
    rows = [finding("one", 0.1 / 400, 0.08), *(finding(str(at), 0.5, 0.001) for at in range(399))]
    assert judge(rows, 0.05, {rows[0].cell})[rows[0].cell] == INCONCLUSIVE


@pytest.mark.parametrize(
    ("words", "told"),
    [({SAME, IMPROVED}, (SAME, 0)), ({SAME, SUSPECT}, (SUSPECT, 4)), ({INCONCLUSIVE, LOST}, (LOST, 5)), ({LOST, REGRESSION, INCONCLUSIVE}, (REGRESSION, 3)), (set(), (SAME, 0))],
)
def test_a_regression_goes_before_a_lost_device_and_that_before_doubt(words: set[str], told: tuple[str, int]) -> None:
    assert word_of_night(words) == told


def test_five_per_cent_less_of_a_rate_and_five_more_of_a_time() -> None:
    assert allowed_loss("up", 0.05) == pytest.approx(-log(0.95)) and allowed_loss("down", 0.05) == pytest.approx(log(1.05))


# --- noise -------------------------------------------------------------------------------------------------------------


def test_the_noise_that_was_put_in_is_found() -> None:
    rng = np.random.default_rng(1)
    n_cells, n_nights, n = 200, 25, 3
    process, night, shift = 0.03, 0.02, 0.015
    values = rng.normal(0, process, (n_cells, n_nights, n)) + rng.normal(0, night, (n_cells, n_nights, 1)) + rng.normal(0, shift, (1, n_nights, 1))
    squares = values.var(axis=2).sum(axis=1) * n
    told = learn(values.mean(axis=2), np.full((n_cells, n_nights), float(n)), squares, np.full(n_cells, n_nights * (n - 1.0)))
    assert np.sqrt(np.median(told.process)) == pytest.approx(process, rel=0.05)
    assert np.sqrt(told.night) == pytest.approx(night, rel=0.1)
    assert np.sqrt(told.shift) == pytest.approx(shift, rel=0.35)  # from 25 nights
    assert told.degrees >= 40


def test_unequal_cells_are_drawn_less_towards_all() -> None:
    rng = np.random.default_rng(2)
    scales = np.exp(rng.normal(0, 0.8, (100, 1)))
    centre = rng.normal(0, 0.02, (100, 20)) * scales
    told = learn(centre, np.full((100, 20), 3.0), np.full(100, 1e-4), np.full(100, 40.0))
    assert told.degrees <= 20
    variance, degrees = told.variance(np.full((100, 1), 3.0), 20)
    assert np.corrcoef(np.log(variance[:, 0]), np.log(scales[:, 0]))[0, 1] > 0.8 and degrees.min() > 5


def test_a_machine_that_shifts_as_a_whole_raises_no_alarm_for_each_cell() -> None:
    world = World(scene=Scene(process=0.02, night=0.005, shift=0.02), n_cells=60, seed=5)
    assert sum(REGRESSION in world.night().values() for _ in range(12)) <= 1


# --- simulated nights --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("scene", [QUIET, Scene(process=0.05, night=0.02)], ids=lambda scene: scene.label)
def test_unchanged_cells_raise_hardly_any_alarm(scene: Scene) -> None:
    alarmed, _, processes = alarms(scene, nights=12, n_cells=120, seed=11)
    assert alarmed <= 1 and processes < 4.5


def test_eight_per_cent_are_found_within_two_nights() -> None:
    when = [found_in(QUIET, n_cells=120, seed=seed, most=2) for seed in range(6)]
    assert 0 not in when, when


def test_a_slow_loss_is_found_before_it_is_large() -> None:
    assert 0.04 < drift_found_at(QUIET, n_cells=20, seed=1) < 0.14
