"""What was learned of language models: the physics, what a fit recovers, steps and intervals, and the file that ships."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from statistics import median

import numpy as np
import pytest

from benchmarks.fit import language as fitted
from recommender.estimate.learned.case import STEPS, LanguageCase, Predicted, Silicon
from recommender.estimate.learned.language import METRICS, interval_of, predict
from recommender.estimate.learned.language_terms import DECODE, PREFILL, decode_time, partly_offloaded, prefill_time, storage_of

SHARES = {"quick": 0.7, "slow": 0.35}  # of the bandwidth, by framework
UNIT = Silicon(kind="gpu", key="a.0.gpu", group="chip-0", family="a-gpu", generation="core-0", machine_class="card", memory_bandwidth=4e11, peak_ops={"fp16": 4e13})
CASE = LanguageCase(
    silicon=UNIT, framework="quick", execution_provider="vulkan", scheme="Q4_0", bits_per_weight=4.5, model="net", n_params=8e9, n_active_params=8e9,
    weight_bytes=4.5e9, active_bytes=4.5e9, kv_bytes=131072.0, prompt_tokens=512.0, output_tokens=128.0, depth=64.0, context=1024.0,
)  # fmt: skip


def unit(number: int) -> Silicon:
    bandwidth = 1e11 * (1 + number)
    return replace(
        UNIT, key=f"a.{number}.gpu", group=f"chip-{number}", generation=f"core-{number % 3}", memory_bandwidth=bandwidth, peak_ops={"fp16": 100 * bandwidth},
    )  # fmt: skip


def row(case: LanguageCase, metric: str, value: float) -> fitted.Row:
    return fitted.Row(case=case, truth={metric: value}, device=case.silicon.key, group=case.silicon.group, model=case.model, class_=case.silicon.kind)


def rows(n_units: int = 12) -> list[fitted.Row]:
    """A token takes the bytes it reads over a share of the bandwidth that hangs on the framework, with 5 % noise."""
    random, found = np.random.default_rng(1), []
    for number in range(n_units):
        for framework, share in SHARES.items():
            for size in (1e9, 4e9, 16e9):
                case = replace(CASE, silicon=unit(number), framework=framework, model=f"net-{size:g}", n_params=size, n_active_params=size, weight_bytes=size * 0.56, active_bytes=size * 0.56)
                noise = math.exp(random.normal(0, 0.05))
                bandwidth, peak = case.silicon.memory_bandwidth, case.silicon.peak_ops["fp16"]
                assert bandwidth
                found.append(row(case, "decode_rate", share * bandwidth / (size * 0.56) * noise))
                found.append(row(case, "prefill_rate", 0.5 * share * peak / (2 * size) * noise))
    return found


@pytest.fixture(scope="module")
def learned() -> dict[str, object]:
    return fitted.fit(rows())


def value(case: LanguageCase, learned: dict[str, object], metric: str = "decode_rate") -> Predicted:
    found = predict(case, learned)[metric]
    assert isinstance(found, Predicted), found
    return found


@pytest.mark.parametrize(("framework", "share"), SHARES.items())
def test_a_unit_that_was_never_measured_gets_the_share_of_its_framework(framework: str, share: float, learned: dict[str, object]) -> None:
    case = replace(CASE, silicon=unit(14), framework=framework)
    found = value(case, learned)
    expected = share * 1.5e12 / 4.5e9
    assert found.central == pytest.approx(expected, rel=0.15)
    assert found.low < expected < found.high


def test_steps_go_from_the_unit_itself_to_physics_alone_and_intervals_widen(learned: dict[str, object]) -> None:
    stranger = replace(UNIT, key="b.9.gpu", generation="core-9")
    cases = [CASE.silicon, replace(stranger, generation="core-1"), stranger, replace(stranger, family="b-gpu")]
    found = [value(replace(CASE, silicon=silicon), learned) for silicon in cases]
    assert [row.step for row in found] == list(STEPS)
    widths = [row.high / row.low for row in found]
    assert all(wider >= nearer * (1 - 1e-9) for nearer, wider in zip(widths, widths[1:], strict=False))


def test_what_cannot_be_told_says_why(learned: dict[str, object]) -> None:
    blind = replace(UNIT, key="", name="a thing", machine_class="", family="b-gpu", memory_bandwidth=None)
    assert "bandwidth" in str(predict(replace(CASE, silicon=blind), learned)["decode_rate"])
    assert "weights" in str(predict(replace(CASE, active_bytes=None), learned)["decode_rate"])
    assert "no npu was measured" in str(predict(replace(CASE, silicon=replace(UNIT, kind="npu")), learned)["decode_rate"])
    assert "prompt" in str(predict(replace(CASE, prompt_tokens=None), learned)["ttft"])


def test_a_unit_without_bandwidth_takes_that_of_its_family_and_says_it_is_far_away(learned: dict[str, object]) -> None:
    found = value(replace(CASE, silicon=replace(UNIT, key="a.77.gpu", memory_bandwidth=None)), learned)
    assert found.step == "analytic" and found.low < found.central < found.high


def test_the_first_token_comes_after_the_prompt_and_one_token(learned: dict[str, object]) -> None:
    found = predict(CASE, learned)
    prefill, decode, first = found["prefill_rate"], found["decode_rate"], found["ttft"]
    assert isinstance(prefill, Predicted) and isinstance(decode, Predicted) and isinstance(first, Predicted)
    assert first.parts["prompt_and_token"] == pytest.approx(512 / prefill.central + 1 / decode.central)


def seconds(case: LanguageCase) -> float:
    found = decode_time(case, {})
    assert not isinstance(found, str)
    return found[0]


def test_decoding_reads_the_active_weights_and_the_cache() -> None:
    assert seconds(CASE) == pytest.approx((4.5e9 + 64 * 131072) / 4e11)
    assert seconds(replace(CASE, depth=32768.0)) > 1.9 * seconds(CASE)
    assert seconds(replace(CASE, active_bytes=0.45e9)) < 0.2 * seconds(CASE)


def test_few_threads_compute_and_many_wait_for_memory() -> None:
    processor = Silicon(kind="cpu", family="x86-cpu", memory_bandwidth=8e10, cores=16, clock=5e9)
    one, four, sixteen = (seconds(replace(CASE, silicon=processor, threads=threads)) for threads in (1, 4, 16))
    assert one > 1.3 * four and four > sixteen > 0.85 * four


def test_prefilling_takes_operations_and_long_prompts_attention() -> None:
    short, long = prefill_time(CASE, {}), prefill_time(replace(CASE, prompt_tokens=16384.0), {})
    assert not isinstance(short, str) and not isinstance(long, str)
    assert short[0] == pytest.approx(math.hypot(2 * 8e9 / 4e13, 4.5e9 / 4e11 / 512))
    assert long[1]["attention"] > 10 * short[1]["attention"]


def test_layers_on_the_processor_run_at_its_bandwidth() -> None:
    assert partly_offloaded(UNIT, 1.0, 4e10).memory_bandwidth == pytest.approx(4e11)
    half = partly_offloaded(UNIT, 0.5, 4e10)
    assert half.memory_bandwidth == pytest.approx(1 / (0.5 / 4e11 + 0.5 / 4e10))
    assert half.key == "" and half.peak_ops["fp16"] < UNIT.peak_ops["fp16"]


@pytest.mark.parametrize(("scheme", "bits", "expected"), [
    ("Q4_0", 4.5, "q4"), ("Q4_K_M", 4.9, "k4"), ("UD-Q4_K_XL", 4.9, "k4"), ("Q8_0", 8.5, "q8"), ("IQ3_XXS", 3.1, "codebook"), ("IQ4_NL", 4.5, "k4"), ("F16", 16, "f16"),
    ("BF16", 16, "bf16"), ("int4-weights-g128", 4.2, "int4"), ("w8a8", 8, "int8"), ("ternary 2.000 bpw", 2, "ternary"), ("IQ2_BN", 2, "ternary"),
])  # fmt: skip
def test_kinds_of_storage(scheme: str, bits: float, expected: str) -> None:
    assert storage_of(scheme, bits) == expected


def test_an_interval_is_never_narrower_than_that_of_a_nearer_step() -> None:
    table = {"*": [-1.0, 1.0], "gpu exact": [-0.5, 0.1], "gpu class": [-0.2, 0.4]}
    assert interval_of(table, "gpu", "class") == (-0.5, 0.4)


def test_every_variable_of_a_term_is_computed() -> None:
    for terms, time_of in ((DECODE, decode_time), (PREFILL, prefill_time)):
        found = time_of(CASE, {})
        assert not isinstance(found, str)
        assert {term.variable for term in terms} == set(found[1])


@pytest.fixture(scope="module")
def evidence() -> list[fitted.Row]:
    return fitted.rows()


def test_the_file_that_ships_fits_the_evidence_and_is_small(evidence: list[fitted.Row]) -> None:
    shipped = json.loads(fitted.TARGET.read_text("utf-8"))
    assert fitted.TARGET.stat().st_size < 300_000
    errors: dict[str, list[float]] = {}
    for one in evidence:
        for metric, truth in one.truth.items():
            found = predict(one.case, shipped)[metric]
            if isinstance(found, Predicted):
                assert found.low <= found.central <= found.high
                errors.setdefault(metric, []).append(abs(found.central / truth - 1))
    assert set(errors) == set(METRICS)
    assert median(errors["decode_rate"]) < 0.12 and median(errors["prefill_rate"]) < 0.22 and median(errors["peak_memory"]) < 0.15


def test_silicon_that_was_left_out_is_predicted(evidence: list[fitted.Row]) -> None:
    errors: dict[str, dict[str, list[float]]] = {"decode_rate": {}, "prefill_rate": {}}
    for known, left in fitted._folds(evidence, "group"):
        learned = fitted._coefficients(known)
        for one in left:
            metric = next(iter(one.truth))
            found = predict(one.case, learned)[metric]
            if metric in errors and isinstance(found, Predicted) and one.case.silicon.memory_bandwidth:
                errors[metric].setdefault(one.device, []).append(abs(found.central / one.truth[metric] - 1))
    typical = {metric: median(median(values) for values in devices.values()) for metric, devices in errors.items()}
    assert typical["decode_rate"] < 0.22 and typical["prefill_rate"] < 0.35, typical
