"""Who is never run, who is repeated, who stands on the front."""

from __future__ import annotations

import itertools
import random

from recommender.tune.racing import Range, dominated, finalists, hopeless


def _range(pessimistic: float, central: float, optimistic: float) -> Range:
    return Range(pessimistic=pessimistic, central=central, optimistic=optimistic)


def test_a_point_whose_best_is_worse_than_the_measured_worst_is_never_run():
    ranges = {"m": [_range(90, 100, 110)], "a": [_range(50, 70, 89)], "b": [_range(50, 70, 91)]}
    assert hopeless(ranges, ["m"], ["up"]) == {"a": "m"}


def test_the_direction_turns_it_round():
    ranges = {"m": [_range(11, 10, 9)], "a": [_range(20, 15, 12)], "b": [_range(20, 12, 10.5)]}
    assert hopeless(ranges, ["m"], ["down"]) == {"a": "m"}


def test_of_several_objectives_all_must_be_worse():
    ranges = {"m": [_range(90, 100, 110), _range(11, 10, 9)], "a": [_range(50, 70, 80), _range(20, 15, 12)], "b": [_range(50, 70, 80), _range(20, 10, 5)]}
    assert hopeless(ranges, ["m"], ["up", "down"]) == {"a": "m"}


def test_a_clear_winner_is_alone_in_the_final():
    ranges = {"m": _range(90, 100, 110), "a": _range(70, 80, 89)}
    assert finalists(ranges, "m", "up", seconds={"m": 1, "a": 1}, left=100) == ["m"]


def test_near_ties_are_repeated_the_likeliest_first_as_far_as_the_time_reaches():
    ranges = {"m": _range(90, 100, 110), "a": _range(80, 95, 105), "b": _range(85, 98, 108)}
    seconds = dict.fromkeys(ranges, 1.0)
    assert finalists(ranges, "m", "up", seconds=seconds, left=100) == ["m", "b", "a"]
    assert finalists(ranges, "m", "up", seconds=seconds, left=5) == ["m", "b"]


def test_the_front_is_what_brute_force_says():
    draw = random.Random(1)
    values = {name: (draw.randint(0, 9), draw.randint(0, 9), draw.randint(0, 9)) for name in range(60)}

    def beats(one, other):  # up, down, up
        good = (one[0] >= other[0], one[1] <= other[1], one[2] >= other[2])
        return all(good) and one != other

    expected = {b for a, b in itertools.permutations(values, 2) if beats(values[a], values[b])}
    found = dominated(values, ["up", "down", "up"])
    assert found >= expected
    kept = [values[name] for name in values if name not in found]
    assert len(kept) == len(set(kept)) and {values[name] for name in found - expected} <= set(kept)
