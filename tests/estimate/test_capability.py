from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from recommender.domain.catalog import Overhead, Rate
from recommender.domain.quantity import Sourced
from recommender.domain.quantization import QuantScheme
from recommender.estimate.capability import capability_of, compute_precision, efficiency, overhead, peak_ops
from tests.invented import catalog, device, facts, scheme
from tests.invented import efficiency as row

RATES = (
    Rate(id="R1", precision="fp32", when={"device.features": {"has": "fma"}}, operations_per_cycle=32, clock=2e9),
    Rate(id="R2", precision="int8", when={"device.features": {"has": "vnni"}}, operations_per_cycle=128, clock=2e9),
    Rate(id="R3", precision="int8", when={"device.features": {"has": "fma"}}, operations_per_cycle=64, clock=2e9),
)
KNOWN: dict[str, tuple[Any, str]] = {"device.features": (("fma",), "probed"), "device.cores_usable": (4, "estimated")}


@pytest.mark.parametrize(("kind", "with_scheme", "expected"), [
    ("cpu", scheme(integer_compute=True, activation_bits=8), "int8"),
    ("npu", scheme(integer_compute=True, activation_bits=16), "int16"),
    ("cpu", scheme(), "fp32"),
    ("gpu", scheme(), "fp16"),
    ("gpu", scheme(bits=32.0, scope="float"), "fp32"),
    ("gpu", scheme(bits=16.0, scope="float"), "fp16"),
    ("npu", scheme(bits=32.0, scope="float"), "fp16"),
])
def test_the_precision_that_products_run_in(kind: str, with_scheme: QuantScheme, expected: str) -> None:
    assert compute_precision(with_scheme, kind) == expected


def peak(precision: str, capability: dict[str, float] | None = None, *, kind: str = "cpu", attributes: Any = None, microbenchmark: Any = None, **values: Any) -> float | None:
    known = facts(kind, capability={f"peak_ops.{name}": Sourced(value=value, source="s") for name, value in (capability or {}).items()}, **values)
    return peak_ops(device(f"{kind}0"), known, precision, attributes or KNOWN, catalog(rates=RATES), microbenchmark or {})[0]


@pytest.mark.parametrize(("precision", "capability", "expected"), [
    ("fp16", {"fp16": 10.0, "int8": 100.0}, 10.0),
    ("fp16", {"int8": 100.0}, 50.0),
    ("int16", {"int8": 100.0}, 50.0),
    ("int8", {"fp16": 10.0}, 10.0),
    ("fp32", {"fp16": 10.0}, 5.0),
    ("fp32", {"int8": 10.0}, None),
])
def test_another_precision_stands_in_with_its_factor(precision: str, capability: dict[str, float], expected: float | None) -> None:
    assert peak(precision, capability, kind="gpu") == expected


def test_a_processor_without_figures_is_rated_by_cores_clock_and_instructions() -> None:
    assert peak("fp32") == 4 * 2e9 * 32
    assert peak("int8") == 4 * 2e9 * 64
    assert peak("int8", attributes={**KNOWN, "device.features": (("fma", "vnni"), "probed")}) == 4 * 2e9 * 128


def test_a_measured_rate_scales_with_the_instruction_set() -> None:
    assert peak("fp32", microbenchmark={"fp32_ops": 2e11}) == 2e11
    assert peak("int8", microbenchmark={"fp32_ops": 2e11}) == 4e11


def test_an_observed_clock_wins() -> None:
    found, origin = peak_ops(device(attributes={"max_hz": 3e9}), None, "fp32", KNOWN, catalog(rates=RATES), {})
    assert found == 4 * 3e9 * 32 and "clock" in origin


@pytest.mark.parametrize("attributes", [
    {**KNOWN, "device.cores_usable": (None, "unknown")}, {**KNOWN, "device.features": (("sse",), "probed")}, {**KNOWN, "device.features": (None, "unknown")},
])
def test_what_is_not_known_stays_unknown(attributes: dict[str, Any]) -> None:
    assert peak("fp32", attributes=attributes) is None


def test_other_kinds_are_never_rated_by_instructions() -> None:
    assert peak("fp32", kind="gpu") is None


def test_the_first_row_that_holds_counts() -> None:
    rows = (replace(row("decode", "compute", 0.2), id="a", when={"device.kind": "gpu"}), replace(row("decode", "compute", 0.4), id="b"))
    knowledge = catalog(efficiencies=rows)
    assert efficiency("decode", "compute", {"device.kind": ("gpu", "p")}, knowledge)[1] == "a"
    assert efficiency("decode", "compute", {"device.kind": ("cpu", "p")}, knowledge)[1] == "b"
    assert efficiency("decode", "compute", {}, knowledge)[1] == "b"  # unknown is not yes
    assert efficiency("prefill", "compute", {}, knowledge) == (None, "")


def test_overheads_of_a_kind_and_what_went_in() -> None:
    calls = Overhead(id="o", kind="operator", when={}, low=1e-6, central=2e-6, high=3e-6)
    knowledge = catalog(overheads=(calls,))
    assert overhead("call", {}, knowledge) is None
    known = {"device.memory_bandwidth": (5e10, "fact")}
    found, inputs = capability_of("inference", 1e12, known, knowledge)
    assert found.call_overhead.central == 2e-6
    assert inputs == {
        "memory_bandwidth": 5e10, "memory_bandwidth_origin": "fact", "peak_ops": 1e12, "efficiency": ["inference-compute", "inference-memory-bandwidth"],
    }
    assert capability_of("decode", 1e12, known, knowledge)[0].call_overhead.central == 0.0
