from __future__ import annotations

from typing import Any

import pytest

from recommender.audit.cases import Case, Option
from recommender.domain.catalog import Catalog
from recommender.learn.contests import Contest, contests


def option(scheme: str, score: float, loss: float | None = 0.0, **values: Any) -> Option:
    return Option(**{"framework": "alpha", "execution_provider": "cpu", "scheme": scheme, "device": "d.cpu", "device_kind": "cpu", "score": score, "bits": (4.0, 16.0), "loss": loss, **values})


def found(*options: Option, catalog: Catalog, kind: str = "schemes", metric: str = "latency") -> list[Contest]:
    hosts = ({"d.cpu": {"device.kind": ("cpu", "fact")}}, {"d.cpu": {"device.kind": ("gpu", "fact")}})
    case = Case(kind=kind, metric=metric, model="m", device="d.cpu", chip="d", class_="vision/cpu", hosts=hosts, options=options)
    return list(contests([case], "src", catalog))


def test_regret_is_the_logarithm_of_what_the_best_is_faster(catalog: Catalog) -> None:
    [contest] = found(option("W4", 20.0), option("W8", 10.0), option("W8", 16.0, execution_provider="other"), catalog=catalog)
    assert contest.regrets == {"W4": 0.0, "W8": pytest.approx(0.2231, abs=1e-4)}, "the best way of a name counts"
    assert contest.stake == pytest.approx(0.1116, abs=1e-4)
    assert (contest.question.name, contest.source, contest.attributes["device.kind"][0]) == ("schemes of alpha on cpu", "src", "cpu")


def test_only_schemes_within_the_quality_gate_compete(catalog: Catalog) -> None:
    gate = next(key.band for key in catalog.ranking if key.measure == "quality_gate")
    fast, ruined, unknown, exact = option("W2", 90.0, loss=gate * 1.1), option("W3", 80.0, loss=gate), option("W5", 70.0, loss=None), option("W8", 10.0)
    [contest] = found(fast, ruined, unknown, exact, catalog=catalog)
    assert set(contest.regrets) == {"W3", "W8"} and contest.regrets["W3"] == 0.0
    assert found(fast, exact, catalog=catalog) == [], "one alone is no contest"


def test_frameworks_compete_at_equal_bits_whatever_they_lose(catalog: Catalog) -> None:
    [contest] = found(option("W4", 20.0, loss=None), option("W4", 10.0, framework="beta", loss=None), kind="frameworks", catalog=catalog)
    assert contest.question.name == "frameworks on cpu" and contest.regrets["alpha"] == 0.0 < contest.regrets["beta"]


@pytest.mark.parametrize(("kind", "metric"), [("schemes", "energy"), ("losses", "quality_drop"), ("providers", "latency"), ("units", "latency")])
def test_what_is_no_speed_or_another_question_makes_no_contest(kind: str, metric: str, catalog: Catalog) -> None:
    assert found(option("W4", 20.0), option("W8", 10.0), kind=kind, metric=metric, catalog=catalog) == []
