"""What was learned of models that run once per input: sums of effects, metrics that a path has, steps and intervals."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from benchmarks.fit import graphs as fitted
from recommender.estimate.learned.case import GraphCase, Predicted, Silicon
from recommender.estimate.learned.graphs import family_of, named_size, predict

KNOWN = 0.02  # s


def case(unit: int, network: int, precision: str = "fp32") -> GraphCase:
    silicon = Silicon(kind="cpu", key=f"a.{unit}.cpu", group=f"chip-{unit}", generation=f"core-{unit % 4}", clock=1e9 * (1 + unit % 3), cores=4, peak_ops={"fp32": 1e11 * (1 + unit)})
    return GraphCase(
        silicon=silicon, path="runner/cpu", framework="runner", execution_provider="cpu", precision=precision, base_model=f"net-{network}", macs=1e8 * 2.0**network,
        n_params=1e6 * (1 + network), input_size=224.0 * 224,
    )  # fmt: skip


def rows(n_units: int = 12, n_networks: int = 10) -> list[fitted.Row]:
    """Time is operations over speed, with a factor of each unit and network, 5 % noise, and int8 twice as fast."""
    random = np.random.default_rng(1)
    unit_factor, network_factor = random.normal(0, 0.3, n_units), random.normal(0, 0.2, n_networks)
    found = []
    for unit in range(n_units):
        for network in range(n_networks):
            for precision, gain in (("fp32", 1.0), ("int8", 2.0)):
                made = case(unit, network, precision)
                assert made.macs
                seconds = made.macs / (2e10 * (1 + unit)) / gain * math.exp(unit_factor[unit] + network_factor[network] + random.normal(0, 0.05))
                found.append(fitted.Row(case=made, truth={"latency": seconds}, device=made.silicon.key, group=made.silicon.group, model=made.base_model, class_="runner cpu latency"))
    return found


@pytest.fixture(scope="module")
def learned() -> dict[str, Any]:
    return fitted.fit(rows())


def test_known_pairs_are_reproduced(learned: dict[str, Any]) -> None:
    errors = [abs(math.log(told.central / row.truth["latency"])) for row in rows() if isinstance(told := predict(row.case, learned)["latency"], Predicted)]
    assert len(errors) == len(rows())
    assert float(np.median(errors)) < 0.1


def test_a_unit_that_was_left_out_is_near(learned: dict[str, Any]) -> None:
    everything = rows()
    known, held = [row for row in everything if row.group != "chip-5"], [row for row in everything if row.group == "chip-5"]
    without = fitted.fit(known)
    found = [predict(row.case, without)["latency"] for row in held]
    errors = [abs(math.log(told.central / row.truth["latency"])) for told, row in zip(found, held, strict=True) if isinstance(told, Predicted)]
    flat = float(np.median([row.truth["latency"] for row in known]))
    naive = [abs(math.log(flat / row.truth["latency"])) for row in held]
    assert float(np.median(errors)) < 0.5 * float(np.median(naive))


def test_intervals_widen_with_what_is_unknown(learned: dict[str, Any]) -> None:
    exact = predict(case(3, 3), learned)["latency"]
    stranger = replace(case(3, 3).silicon, key="b.new.cpu", group="new", generation="core-9")
    unknown_unit = predict(replace(case(3, 3), silicon=stranger), learned)["latency"]
    assert isinstance(exact, Predicted)
    assert isinstance(unknown_unit, Predicted)
    assert (exact.step, unknown_unit.step) == ("exact", "class")
    assert unknown_unit.high / unknown_unit.low > exact.high / exact.low
    assert exact.low < exact.central < exact.high


def test_metric_that_a_path_does_not_publish_has_a_reason(learned: dict[str, Any]) -> None:
    reason = predict(case(1, 1), learned)["throughput"]
    assert isinstance(reason, str)
    assert "runner/cpu" in reason


def test_unknown_path_has_a_reason(learned: dict[str, Any]) -> None:
    assert all(isinstance(answer, str) for answer in predict(replace(case(1, 1), path="other/cpu"), learned).values())


def test_throughput_is_more_where_time_is_less() -> None:
    turned = [replace(row, truth={"throughput": 1 / row.truth["latency"]}) for row in rows()]
    rates = fitted.fit(turned)
    fast, slow = predict(case(3, 0), rates)["throughput"], predict(case(3, 9), rates)["throughput"]
    assert isinstance(fast, Predicted)
    assert isinstance(slow, Predicted)
    assert fast.low < fast.central < fast.high
    assert fast.central > slow.central


@pytest.mark.parametrize(
    ("network", "family", "told"),
    [
        ("mobilenet-v1-0.25-128", "mobilenetv1", {"width": math.log(0.25), "resolution": math.log(128 / 224)}), ("resnet-18", "resnet", {"depth": math.log(18 / 34)}),
        ("yolov8n-seg", "yolov8", {"size": -2.0}), ("blazeface", "blazeface", {}),
    ],
)  # fmt: skip
def test_what_a_name_tells(network: str, family: str, told: dict[str, float]) -> None:
    assert family_of(network) == family
    assert named_size(network) == pytest.approx(told)


def test_what_ships_was_fitted_to_the_evidence() -> None:
    """Of the rows that it was fitted to, most lie within the interval of what is known, and half within a quarter."""
    shipped = json.loads(fitted.OUT.read_text("utf-8"))
    sample = fitted.rows()[::25]
    told = [(row, answer) for row in sample if isinstance(answer := predict(row.case, shipped)[row.metric], Predicted)]
    assert len(told) == len(sample)
    assert float(np.median([abs(answer.central / row.truth[row.metric] - 1) for row, answer in told])) < 0.25
    assert np.mean([answer.low <= row.truth[row.metric] <= answer.high for row, answer in told]) > 0.75
