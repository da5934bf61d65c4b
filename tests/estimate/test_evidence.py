from __future__ import annotations

from typing import Any

import pytest

from recommender.domain.measurement import Evidence
from recommender.estimate.estimates import Subject
from recommender.estimate.evidence import measured
from tests.invented import candidate, device, estimate, facts, model, scheme, workload


def subject(**values: Any) -> Subject:
    return Subject(**{
        "model": model(), "scheme": scheme(), "candidate": candidate(), "device": device(), "facts": facts(), "workload": workload(), "attributes": {},
        "microbenchmark": {}, "digest": "d1", **values,
    })


def row(value: float = 10.0, **values: Any) -> Evidence:
    return Evidence(**{
        "metric": "decode_rate", "value": value, "model": "tiny-1b", "framework": "alpha", "scheme": "W4", "source": "s", "device": "acme.one.cpu", **values,
    })


def here(value: float = 10.0, **values: Any) -> Evidence:
    return row(value, **{"device": "", "digest": "d1", **values})


@pytest.mark.parametrize("change", [
    {"model": "other"}, {"framework": "beta"}, {"scheme": "W8"}, {"device": "acme.two.cpu"}, {"execution_provider": "cuda"}, {"device": ""},
    {"digest": "d2"}, {"digest": "d2", "device": "acme.one.cpu"},
])
def test_only_figures_of_the_very_candidate_count(change: dict[str, str]) -> None:
    assert measured(subject(), {}, (row(**change),)) == {}


@pytest.mark.parametrize("change", [{}, {"execution_provider": "cpu"}])
def test_a_figure_of_this_device_elsewhere_carries_a_spread(change: dict[str, str]) -> None:
    found = measured(subject(), {"decode_rate": estimate("decode_rate", 8.0)}, (row(**change),))["decode_rate"]
    assert (found.central, found.low, found.high, found.basis, found.unit) == (10.0, 8.0, 12.0, "measured-elsewhere", "tok/s")
    assert found.sources == ("s",) and found.inputs["computed"] == 8.0


def test_a_wider_spread_of_the_source_is_kept() -> None:
    found = measured(subject(), {}, (row(low=5.0, high=30.0),))["decode_rate"]
    assert (found.low, found.high) == (5.0, 30.0)


def test_here_wins_over_elsewhere_and_keeps_its_own_spread() -> None:
    found = measured(subject(), {}, (row(99.0), here(10.0), here(11.0), here(30.0)))["decode_rate"]
    assert (found.central, found.low, found.high, found.basis) == (11.0, 10.0, 30.0, "measured-here")
    assert found.inputs["n"] == 3


def test_an_unmatched_device_takes_nothing_from_elsewhere() -> None:
    assert measured(subject(facts=None), {}, (row(device=""), row())) == {}
    assert measured(subject(facts=None), {}, (here(),))["decode_rate"].central == 10.0


def test_throughput_follows_a_measured_latency() -> None:
    found = measured(subject(), {}, (here(0.5, metric="latency"),))
    assert found["throughput"].central == 2.0 and found["throughput"].basis == "measured-here"


def test_figures_of_one_input_say_nothing_of_a_batch() -> None:
    rows = tuple(here(0.5, metric=metric) for metric in ("latency", "throughput", "peak_memory"))
    assert measured(subject(workload=workload(batch=4)), {}, rows) == {}


@pytest.mark.parametrize("values", [{"beside_bytes": 1e9}, {"beside_bytes": None}, {"workload": workload(concurrency=2)}])
def test_the_memory_of_one_model_alone_is_not_that_of_more(values: dict[str, Any]) -> None:
    assert measured(subject(**values), {}, (here(1e9, metric="peak_memory"),)) == {}


def test_time_per_token_and_throughput_follow_a_measured_rate() -> None:
    found = measured(subject(), {}, (row(20.0),))
    assert (found["tpot"].central, found["tpot"].low, found["tpot"].unit, found["tpot"].basis) == (0.05, pytest.approx(1 / 24), "s", "measured-elsewhere")
    assert (found["throughput"].central, found["throughput"].unit) == (20.0, "1/s")
    assert "throughput" not in measured(subject(workload=workload(concurrency=2)), {}, (row(20.0),))


def test_a_measured_throughput_stays() -> None:
    found = measured(subject(), {}, (here(0.5, metric="latency"), here(7.0, metric="throughput")))
    assert found["throughput"].central == 7.0
