"""Speeds from the microbenchmark: physics that must hold whatever the coefficients, the shipped coefficients, and what is refused."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Any

import pytest

from recommender.estimate.learned import local
from recommender.estimate.learned.case import LanguageCase, Predicted, Silicon

CALIBRATION = Path(__file__).parents[3] / "knowledge" / "calibration"
SHIPPED: dict[str, Any] = json.loads((CALIBRATION / "local.json").read_text("utf-8"))
# One kind whose weights cost nothing and one whose cost is all there is.
LEARNED: dict[str, Any] = {
    "framework": "llama-cpp", "kernels": [{"needs": ["avx2"], "costs": "x", "operations_per_cycle": 32.0, "step": "class"}],
    "costs": {"x": {"decode": {"F16": 0.0, "Q4_K": 2.0, "Q5_0": 4.0}, "prefill": {"F16": 0.5, "Q4_K": 1.0, "Q5_0": 1.0}}}, "fallbacks": {"Q4_K": "Q5_0"},
    "read_share": 0.5, "read_over_copy": 2.0, "call_seconds": 0.0, "interval": {"class": [-0.1, 0.2]}, "sources": ["s"],
}
MACHINE = {"memory_bandwidth": 10e9, "memory_bandwidth_1t": 8e9, "read_bandwidth": 40e9, "read_bandwidth_1t": 16e9, "fp32_ops": 400e9, "threads": 4}


def case(**values: Any) -> LanguageCase:
    return LanguageCase(**{
        "silicon": Silicon(kind="cpu", features=frozenset({"avx2"}), cores=4), "framework": "llama-cpp", "scheme": "F16", "n_params": 1e9, "weight_bytes": 2e9,
        "active_bytes": 2e9, "kv_bytes": 1e5, "depth": 0.0, "prompt_tokens": 100.0, "threads": 4, **values,
    })


def told(metric: str, asked: LanguageCase, machine: dict[str, Any] | None = None) -> float:
    found = local.predict(asked, machine or MACHINE, LEARNED)[metric]
    assert isinstance(found, Predicted), found
    return found.central


def test_a_free_weight_is_bound_by_reading() -> None:
    assert told("decode_rate", case()) == pytest.approx(0.5 * 40e9 / 2e9)
    assert told("tpot", case(depth=1000.0)) == pytest.approx((2e9 + 1e5 * 1000) / (0.5 * 40e9)), "the cache is read too"


def test_reading_and_multiplying_add_up_as_squares() -> None:
    quarter = case(scheme="Q4_K_M", weight_bytes=0.5e9, active_bytes=0.5e9)
    assert told("tpot", quarter) == pytest.approx(((0.5e9 / 20e9) ** 2 + (1e9 * 2.0 / 400e9) ** 2) ** 0.5)


def test_threads_add_up_until_the_memory_is_full_and_never_beyond_it() -> None:
    rates = [told("decode_rate", case(threads=threads)) for threads in (1, 2, 3, 4, 9)]
    assert rates == sorted(rates) and rates[-1] == rates[-2]
    assert rates[0] == pytest.approx(0.5 * 16e9 / 2e9, rel=0.02)
    assert told("prefill_rate", case(threads=1)) == pytest.approx(told("prefill_rate", case()) / 4)


def test_a_prompt_runs_at_its_share_of_the_matrix_rate() -> None:
    assert told("prefill_rate", case()) == pytest.approx(0.5 * 400e9 / 2e9)
    assert told("ttft", case()) == pytest.approx(100 / told("prefill_rate", case()))
    assert local.predict(case(prompt_tokens=None), MACHINE, LEARNED)["ttft"] == "length of the prompt not known"


def test_an_old_recording_reads_from_its_copying() -> None:
    copying = {name: value for name, value in MACHINE.items() if not name.startswith("read")}
    assert told("decode_rate", case(), copying) == pytest.approx(0.5 * 2.0 * 10e9 / 2e9)


def test_two_threads_of_a_core_are_one_worker() -> None:
    doubled = {**MACHINE, "threads": 8}
    assert told("prefill_rate", case(threads=2), doubled) == pytest.approx(told("prefill_rate", case(threads=2)))


def test_a_matrix_unit_that_the_kernels_do_not_use_is_not_counted() -> None:
    clocked = case(silicon=Silicon(kind="cpu", features=frozenset({"avx2"}), cores=4, clock=3e9))
    assert told("prefill_rate", clocked) == told("prefill_rate", case()), "within what the vector units can"
    assert told("prefill_rate", clocked, {**MACHINE, "fp32_ops": 4000e9}) == pytest.approx(0.5 * 4 * 3e9 * 32 / 2e9)


def test_rows_that_do_not_fit_the_block_cost_what_their_wider_type_costs() -> None:
    wide = case(scheme="Q4_K_M", bits_per_weight=4.9, weight_bytes=0.8e9, active_bytes=0.8e9)
    assert local.kind_of(wide, LEARNED) == "Q5_0"
    assert local.kind_of(replace(wide, weight_bytes=0.62e9), LEARNED) == "Q4_K"


def test_the_interval_is_of_seconds_and_turns_around_for_rates() -> None:
    found = local.predict(case(), MACHINE, LEARNED)
    rate, time = found["decode_rate"], found["tpot"]
    assert isinstance(rate, Predicted) and isinstance(time, Predicted)
    assert rate.low == pytest.approx(1 / time.high) and rate.high == pytest.approx(1 / time.low) and time.high / time.central > time.central / time.low


@pytest.mark.parametrize(
    ("values", "machine", "words"),
    [
        ({"framework": "mlx"}, MACHINE, "only llama-cpp"),
        ({"silicon": Silicon(kind="gpu")}, MACHINE, "only llama-cpp on the processor"),
        ({}, {"memory_bandwidth": 1e9}, "has not run"),
        ({}, {**MACHINE, "fp32_ops": "fast"}, "has not run"),
        ({"weight_bytes": None}, MACHINE, "bytes of the weights"),
        ({"is_mixture": True}, MACHINE, "dense"),
        ({"silicon": Silicon(kind="cpu", features=frozenset({"v"}))}, MACHINE, "instruction set"),
        ({"scheme": "IQ1_S"}, MACHINE, "IQ1_S: not timed"),
    ],
)
def test_what_cannot_be_told_says_why(values: dict[str, Any], machine: dict[str, Any], words: str) -> None:
    found = local.predict(case(**values), machine, LEARNED)
    assert set(found) == {"decode_rate", "tpot", "prefill_rate", "ttft"} and all(isinstance(row, str) and words in row for row in found.values())


def test_the_shipped_coefficients_tell_the_machine_that_was_measured() -> None:
    errors = []
    for document in json.loads((CALIBRATION / "local-measured.json").read_text("utf-8")):
        machine = document["machine"]
        silicon = Silicon(kind="cpu", features=frozenset(machine["features"]), cores=machine["cores"])
        for cell in document["cells"]:
            asked = LanguageCase(
                silicon=silicon, framework="llama-cpp", scheme=cell["level"], n_params=cell["n_params"], weight_bytes=cell["weight_bytes"], kv_bytes=cell["kv_bytes"],
                active_bytes=cell["weight_bytes"], depth=cell["depth"], threads=cell["threads"], bits_per_weight=4.9 if cell["level"] == "Q4_K_M" else None,
            )
            found = local.predict(asked, machine["microbenchmark"], SHIPPED)["decode_rate"]
            assert isinstance(found, Predicted)
            errors.append(abs(found.central / max(cell["decode_rate"]["rounds"]) - 1))
    assert len(errors) == 24 and median(errors) <= 0.12
