from __future__ import annotations

import pytest

from recommender.decide.prefer import WISHES, preferred
from recommender.decide.rank import Contender, pareto
from recommender.domain.workload import METRICS
from tests.invented import candidate, estimate, workload


def point(name: str, rate: float, loss: float, memory: float) -> Contender:
    return Contender(candidate=candidate(name), estimates={
        "decode_rate": estimate("decode_rate", rate), "quality_drop": estimate("quality_drop", loss), "peak_memory": estimate("peak_memory", memory),
    })


POINTS = [point("fast", 40, 0.04, 2e9), point("fine", 10, 0.001, 4e9), point("small", 20, 0.05, 1e9)]
FRONT = pareto(POINTS, workload())


@pytest.mark.parametrize(("weights", "best"), [
    ({"speed": 1}, "fast"), ({"quality": 1}, "fine"), ({"memory": 1}, "small"), ({"speed": 1, "quality": 10}, "fine"), ({"speed": 10, "quality": 1}, "fast"),
])
def test_the_weights_decide(weights: dict[str, float], best: str) -> None:
    found, scores = preferred(POINTS, FRONT, weights, workload())
    assert found == f"{best}/cpu/W4"
    assert set(scores) == FRONT
    assert all(0.0 <= score <= 1.0 for score in scores.values())


def test_only_points_of_the_front_are_chosen() -> None:
    beaten = point("beaten", 39, 0.05, 3e9)
    front = pareto([*POINTS, beaten], workload())
    _, scores = preferred([*POINTS, beaten], front, {"speed": 1}, workload())
    assert "beaten/cpu/W4" not in scores


def test_what_is_not_known_scores_nothing() -> None:
    found, scores = preferred(POINTS, FRONT, {"energy": 1}, workload())
    assert set(scores.values()) == {0.0} and found == min(FRONT)


def test_an_empty_front_has_no_best() -> None:
    assert preferred([], frozenset(), {"speed": 1}, workload()) == ("", {})


def test_every_wish_is_a_metric() -> None:
    assert all(metric in METRICS for metric in WISHES.values() if metric)
