"""From timestamps to metrics, from repetitions to summaries."""

from __future__ import annotations

from random import Random

import pytest

from recommender.measure.metrics import (
    call_metrics,
    process_medians,
    samples_by_metric,
    share_of_slow,
    summarise,
    throughput,
    token_metrics,
)
from recommender.measure.repetition import Repetition


def test_token_metrics_follow_the_glossary() -> None:
    found = token_metrics([{"n_prompt": 100, "n_tokens": 5, "ttft": 0.5, "token_times": [0.5, 0.6, 0.7, 0.8, 0.9]}])
    assert found["ttft"] == [0.5] and found["prefill_rate"] == [200.0]
    assert found["tpot"][0] == pytest.approx(0.1) and found["decode_rate"][0] == pytest.approx(10.0)


def test_one_token_has_no_rate_of_decoding() -> None:
    assert set(token_metrics([{"n_prompt": 10, "ttft": 0.1, "token_times": [0.1]}])) == {"ttft", "prefill_rate"}
    assert token_metrics([]) == {}


def test_batches_are_latency_without_percentiles() -> None:
    assert call_metrics([0.1, 0.2]) == ({"latency": [0.1, 0.2]}, frozenset({"latency"}))
    samples, single = call_metrics([{"calls": 100, "seconds": 0.05}, 0.0006])
    assert samples["latency"] == pytest.approx([0.0005, 0.0006]) and single == frozenset()
    assert call_metrics([]) == ({}, frozenset())


def test_throughput_of_windows() -> None:
    assert throughput([{"calls": 50, "seconds": 0.5}, {"calls": 1, "seconds": 0.0}]) == [100.0]


def test_a_raw_result_gives_all_it_has() -> None:
    raw = {"tokens": [{"n_prompt": 4, "token_times": [0.1, 0.2]}], "windows": [{"calls": 3, "seconds": 1.0}], "facts": {}}
    samples, single = samples_by_metric(raw)
    assert set(samples) == {"ttft", "prefill_rate", "tpot", "decode_rate", "throughput"} and single == {"ttft"}


def repetition(values: list[float], **changes: object) -> Repetition:
    return Repetition(candidate="a", round=1, samples={"latency": values}, **changes)  # type: ignore[arg-type]


def test_the_headline_is_the_median_over_process_medians() -> None:
    taken = [repetition([1.0] * 100), repetition([2.0]), repetition([9.0, 9.0, 9.0]), repetition([], kind="crash")]
    found = summarise(taken, Random(1))["latency"]
    assert (found.value, found.mad, found.spread, found.n_processes, found.n_samples, found.unit) == (2.0, 1.0, 8.0, 3, 104, "s")
    assert found.low is not None and found.high is not None and found.low <= 2.0 <= found.high
    assert found.p50 is None and found.percentile_why == "no single timed calls"


def test_percentiles_where_the_sample_supports_them() -> None:
    single = frozenset({"latency"})
    found = summarise([repetition([float(at) for at in range(30)], single_calls=single), repetition([50.0] * 10, single_calls=single)], Random(1))["latency"]
    assert found.p50 is not None and found.p90 == 50.0 and found.p95 is None
    assert found.percentile_why == "n too small (40 of 59)"


def test_single_calls_beside_batches_give_the_percentiles() -> None:
    found = summarise([repetition([0.001] * 5, raw={"single_calls": [0.001] * 58 + [0.004]})], Random(1))["latency"]
    assert found.value == 0.001 and found.p95 == 0.004 and found.n_samples == 5


def test_cold_figures_are_one_a_process() -> None:
    found = summarise([repetition([1.0], cold={"load_time": at, "first_call": None}) for at in (3.0, 5.0, 4.0)], Random(1))
    assert found["load_time"].value == 4.0 and found["load_time"].n_processes == 3 and "first_call" not in found


def test_what_failed_has_no_median() -> None:
    assert process_medians([repetition([1.0, 3.0]), repetition([4.0], kind="timeout"), repetition([])], "latency") == [2.0]


def test_outliers_are_counted() -> None:
    assert share_of_slow([1.0, 1.0, 1.0, 5.0]) == 0.25 and share_of_slow([]) == 0.0
