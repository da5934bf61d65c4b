from __future__ import annotations

from typing import Any

import pytest

from recommender.domain.evidence import Evidence
from recommender.domain.fingerprint import InstalledFramework
from recommender.domain.measurement import Measurement, Summary
from recommender.domain.workload import METRICS
from recommender.estimate.estimates import Subject
from recommender.estimate.evidence import better_settings, evidence_of, measured, sorted_out, stale
from tests.invented import candidate, device, estimate, facts, fingerprint, model, scheme, workload


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


# --- measured here, under a workload -----------------------------------------------------------------------------------

ASKED = {"prompt_tokens": 512, "output_tokens": 256, "context": 2048, "batch": 1, "concurrency": 1, "streams": 1}


def measurement(**values: Any) -> Measurement:
    """Of the invented candidate on the invented machine, under the workload of `workload()`."""
    return Measurement(**{
        "id": "m1", "created": "2026-11-20T10:00:00Z", "digest": "d1", "model": "tiny-1b", "candidate": {"device": "cpu0"}, "framework": "alpha",
        "execution_provider": "cpu", "scheme": "W4", "version": "1.0", "workload": ASKED,
        "metrics": {name: Summary(unit=unit, value=2.0, low=1.0, high=3.0) for name, (unit, _) in METRICS.items()}, **values,
    })


def metrics_here(asked: Any, row: Measurement, **values: Any) -> set[str]:
    """Metrics that are the measurement's own (not derived), for this workload."""
    found = measured(subject(workload=asked, **values), {}, evidence_of(row, "tiny-1b"))
    return {name for name, value in found.items() if value.basis == "measured-here" and not value.why and value.inputs}


def test_a_measurement_of_this_workload_gives_all_its_metrics() -> None:
    assert metrics_here(workload(), measurement()) == set(METRICS)
    found = measured(subject(), {}, evidence_of(measurement(flags=("unstable",)), "tiny-1b"))["decode_rate"]
    assert (found.central, found.low, found.high, found.sources) == (2.0, 1.0, 3.0, ("measurement:m1",))
    assert found.inputs["conditions"] == ["normal, unstable"]


SIZES = {"file_size", "download_size", "quality_drop", "load_time"}  # hang on no workload


@pytest.mark.parametrize(("change", "kept"), [
    ({"context": 4096}, set(METRICS) - {"peak_memory"}),
    ({"output_tokens": 128}, SIZES | {"prefill_rate", "ttft", "first_call"}),
    ({"prompt_tokens": 1024}, SIZES),
    ({"batch": 4}, SIZES),
    ({"concurrency": 2}, SIZES | {"first_call"}),
    ({"streams": 2}, SIZES | {"first_call"}),
    ({"sustained": 600.0}, set(METRICS) - {"sustained_rate"}),
    ({"fps": 30.0}, set(METRICS)),
])
def test_a_metric_is_used_only_under_what_it_hangs_on(change: dict[str, Any], kept: set[str]) -> None:
    """Asked for another workload than measured, and the other way round."""
    assert metrics_here(workload(**change), measurement()) == kept
    if set(change) <= set(ASKED):
        assert metrics_here(workload(), measurement(workload={**ASKED, **change})) == kept


def test_what_a_measurement_does_not_tell_is_one_or_nothing() -> None:
    assert "decode_rate" in metrics_here(workload(), measurement(workload={"prompt_tokens": 512, "output_tokens": 256}))
    assert "decode_rate" not in metrics_here(workload(), measurement(workload={"batch": 1}))
    assert "peak_memory" not in metrics_here(workload(), measurement(workload={"prompt_tokens": 512, "output_tokens": 256}))


def test_throughput_of_a_measured_batch() -> None:
    row = measurement(workload={**ASKED, "batch": 8}, metrics={"latency": Summary(unit="s", value=0.5)})
    found = measured(subject(workload=workload(batch=8)), {}, evidence_of(row, "tiny-1b"))
    assert (found["latency"].central, found["throughput"].central) == (0.5, 16.0)


def test_memory_of_one_model_alone_is_not_that_of_two() -> None:
    assert "peak_memory" not in metrics_here(workload(), measurement(), beside_bytes=1e9)


@pytest.mark.parametrize(("measured_with", "fits"), [
    ({"n_threads": 4}, True), ({"n_threads": 1}, False), ({"context": 9, "max_kv_size": 9, "unheard_of": 1}, True), ({}, True), (None, True),
])
def test_other_run_options_are_another_candidate(measured_with: Any, fits: bool) -> None:
    ours = candidate(options={"n_threads": 4, "context": 2048, "max_kv_size": 2048})
    row = measurement(candidate={"device": "cpu0", "options": measured_with})
    assert bool(metrics_here(workload(), row, candidate=ours)) is fits


@pytest.mark.parametrize("change", [{"candidate": {"device": "cpu1"}}, {"scheme": "W8"}, {"execution_provider": "cuda"}, {"framework": "beta"}, {"digest": "d2"}])
def test_a_measurement_of_another_path_or_unit(change: dict[str, Any]) -> None:
    assert metrics_here(workload(), measurement(**change)) == set()


def test_what_has_no_value_or_no_name_gives_no_row() -> None:
    assert evidence_of(measurement(metrics={"energy": Summary(unit="J", why="no counter"), "sparkle": Summary(unit="1", value=1.0)}), "tiny-1b") == ()


# --- what still holds --------------------------------------------------------------------------------------------------

INSTALLED = InstalledFramework(framework="alpha", package="alpha-python", version="1.0")
NOW = fingerprint(device("cpu0"), device("gpu0", driver_version="550.1"), frameworks=(INSTALLED,))


@pytest.mark.parametrize(("change", "why"), [
    ({}, ""),
    ({"version": "0.9"}, "alpha-python 0.9 then, 1.0 now"),
    ({"protocol": "0"}, "protocol 0 then, 1 now"),
    ({"driver": "549.0", "candidate": {"device": "gpu0"}}, "driver 549.0 then, 550.1 now"),
    ({"driver": "550.1", "candidate": {"device": "gpu0"}}, ""),
    ({"driver": "549.0", "candidate": {}}, "driver 549.0 then, 550.1 now"),
    ({"driver": "549.0"}, ""),  # of a processor, which has no driver
    ({"version": ""}, ""),
    ({"framework": "beta", "version": "7"}, ""),  # not installed now: nothing to compare with
])
def test_another_version_makes_a_measurement_stale(change: dict[str, Any], why: str) -> None:
    assert stale(measurement(**change), NOW) == why


def test_only_what_holds_is_used_and_what_is_stale_is_told() -> None:
    rows = (
        measurement(id="new"), measurement(id="old", version="0.9", created="2026-11-01T10:00:00Z"), measurement(id="other", scheme="W8", version="0.8"),
        measurement(id="older", scheme="W8", version="0.7"), measurement(id="invalid", valid=False), measurement(id="tool", method="alpha-bench"),
        measurement(id="elsewhere", digest="d2"),
    )
    evidence, notes = sorted_out(rows, "tiny-1b", NOW)
    assert {row.source for row in evidence} == {"measurement:new"}
    assert notes == ("a measurement of alpha/cpu/W8 from 2026-11-20 is stale: alpha-python 0.8 then, 1.0 now; recommend measure --model tiny-1b takes a new one",)


def test_a_shape_proxy_is_marked_and_gives_way_to_the_model_itself() -> None:
    proxy = here(30.0, proxy=True)
    found = measured(subject(), {}, (proxy, row(20.0)))
    assert {name: (estimate.central, estimate.basis, estimate.proxy) for name, estimate in found.items() if name == "decode_rate"} == {"decode_rate": (30.0, "measured-here", True)}
    assert found["tpot"].proxy and found["throughput"].proxy, "what follows from it is no more than it"
    real = measured(subject(), {}, (proxy, here(25.0)))["decode_rate"]
    assert (real.central, real.basis, real.proxy) == (25.0, "measured-here", False)
    assert not measured(subject(), {}, (row(20.0),))["decode_rate"].proxy


def tuned(value: float, **values: Any) -> Evidence:
    return here(value, conditions="quick, tuned", options=(("n_threads", 1), ("spin", "passive")), **values)


def test_settings_that_a_sweep_tried_speak_of_those_settings_alone() -> None:
    plain = subject(candidate=candidate(options={"n_threads": 4}))
    assert measured(plain, {}, (tuned(20.0),)) == {}
    assert measured(subject(candidate=candidate(options={"n_threads": 1})), {}, (tuned(20.0),)) == {}, "it spins otherwise"
    found = measured(subject(candidate=candidate(options={"n_threads": 1, "spin": "passive"})), {}, (tuned(20.0),))
    assert found["decode_rate"].central == 20.0


@pytest.mark.parametrize(("rows", "gain"), [
    ((here(10.0), tuned(12.0, low=11.5, high=12.5)), 0.15), ((here(10.0), tuned(12.0, low=10.1, high=14.0)), None), ((here(10.0), tuned(9.0)), None),
    ((tuned(12.0),), None), ((here(10.0), tuned(12.0, digest="d2")), None), ((here(10.0), tuned(12.0, scheme="W8")), None), ((row(10.0), tuned(12.0)), None),
])
def test_better_settings_are_used_where_both_were_measured_here_and_the_bad_end_is_better(rows: tuple[Evidence, ...], gain: float | None) -> None:
    found = better_settings(subject(candidate=candidate(options={"n_threads": 4})), rows)
    assert (found is None) if gain is None else (found is not None and found[0] == {"n_threads": 1, "spin": "passive"} and found[1] == pytest.approx(gain))
