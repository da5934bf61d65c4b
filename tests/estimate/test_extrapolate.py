"""Two depths and the line through them."""

from __future__ import annotations

from random import Random

import pytest

from recommender.estimate.extrapolate import NOISE, Depth, deepened, depths, extrapolated


def at(n_layers: int, *values: float) -> Depth:
    return Depth(n_layers=n_layers, values=values)


def test_what_is_linear_comes_back_exactly_and_within_its_interval() -> None:
    line = extrapolated(at(2, 5.0 + 2 * 3), at(6, 5.0 + 6 * 3), 24)
    assert line is not None
    assert (line.fixed, line.per_layer, line.whole.central) == pytest.approx((5.0, 3.0, 77.0))
    assert line.whole.low < 77.0 < line.whole.high


def test_what_disturbed_one_process_is_left_out() -> None:
    line = extrapolated(at(2, 11.0, 19.0), at(6, 40.0, 23.0), 24)
    assert line is not None and line.whole.central == pytest.approx(77.0)


def test_the_interval_narrows_with_processes_and_widens_with_the_distance() -> None:
    def width(n: int, whole: int) -> float:
        line = extrapolated(at(2, *[11.0] * n), at(6, *[23.0] * n), whole)
        assert line is not None
        return (line.whole.high - line.whole.low) / line.whole.central

    assert width(2, 24) < width(1, 24) < width(1, 48)


def test_the_interval_holds_the_truth_where_the_noise_is_what_it_is_taken_for() -> None:
    draw, inside = Random(3), 0
    for _ in range(400):
        line = extrapolated(at(2, 11.0 * draw.gauss(1, NOISE)), at(6, 23.0 * draw.gauss(1, NOISE)), 24)
        inside += line is not None and line.whole.low <= 77.0 <= line.whole.high
    assert inside >= 0.95 * 400


@pytest.mark.parametrize("deep", [11.0, 10.0])
def test_a_deeper_proxy_that_is_not_dearer_tells_nothing(deep: float) -> None:
    assert extrapolated(at(2, 11.0), at(6, deep), 24) is None


def test_the_low_end_is_no_less_than_what_was_seen() -> None:
    line = extrapolated(at(2, 22.0), at(6, 23.0), 8)
    assert line is not None and line.whole.low >= 23.0


def test_a_longer_cache_costs_what_reading_as_many_bytes_of_weights_does() -> None:
    line = extrapolated(at(2, 11.0), at(6, 23.0), 24)
    assert line is not None
    longer = deepened(line, 24, layer_bytes=720.0, cache_bytes=72.0)
    assert longer.whole.central == pytest.approx(77.0 + 7.2) and longer.fixed == pytest.approx(5.0)
    assert deepened(line, 24, layer_bytes=720.0, cache_bytes=-72.0).whole.central == pytest.approx(77.0 - 7.2)
    assert deepened(line, 24, layer_bytes=0.0, cache_bytes=72.0) == line


def test_depths_are_even_and_fewer_than_the_layers() -> None:
    assert depths(9) is None
    for n_layers in (10, 16, 24, 32, 80):
        chosen = depths(n_layers)
        assert chosen and chosen[0] < chosen[1] < n_layers and not any(n % 2 for n in chosen)
