"""PURE: from what a child timed to metrics, and from repetitions to summaries. The one place where a rate is computed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from random import Random
from statistics import median
from typing import Any

from recommender.domain.measurement import Summary
from recommender.domain.workload import METRICS
from recommender.measure.repetition import Repetition
from recommender.measure.statistics import bootstrap_interval, mad, spread, upper_bound

_COLD = ("load_time", "first_call")  # one value a process
_PERCENTILES = (0.50, 0.90, 0.95, 0.99)


def token_metrics(requests: Iterable[Mapping[str, Any]]) -> dict[str, list[float]]:
    """Metrics of generating requests, one value each.

    A request is {"n_prompt", "ttft" [s], "token_times" [s since the request started, one per token]}; `ttft` may be missing, it is then the first
    token's time. prefill_rate = n_prompt / ttft; tpot = (last - first) / (n - 1); decode_rate is its reciprocal (glossary).
    """
    found: dict[str, list[float]] = {"ttft": [], "prefill_rate": [], "tpot": [], "decode_rate": []}
    for request in requests:
        times = request["token_times"]
        ttft = float(request.get("ttft", times[0]))
        found["ttft"].append(ttft)
        if ttft > 0:
            found["prefill_rate"].append(request["n_prompt"] / ttft)
        if len(times) > 1 and times[-1] > times[0]:
            found["tpot"].append((times[-1] - times[0]) / (len(times) - 1))
            found["decode_rate"].append((len(times) - 1) / (times[-1] - times[0]))
    return {metric: values for metric, values in found.items() if values}


def call_metrics(calls: Sequence[float | Mapping[str, Any]]) -> tuple[dict[str, list[float]], frozenset[str]]:
    """Latency [s] from timed calls: a number is a single call, {"calls", "seconds"} a batch of calls timed together.

    Returns (samples by metric, metrics whose samples are all single calls).
    """
    latency = [call["seconds"] / call["calls"] if isinstance(call, Mapping) else float(call) for call in calls]
    is_single = not any(isinstance(call, Mapping) and call["calls"] != 1 for call in calls)
    return ({"latency": latency}, frozenset(("latency",) if is_single else ())) if latency else ({}, frozenset())


def throughput(windows: Iterable[Mapping[str, Any]]) -> list[float]:
    """Inferences (or, over all streams, tokens) per second from {"calls", "seconds"} of many at once."""
    return [window["calls"] / window["seconds"] for window in windows if window["seconds"] > 0]


def samples_by_metric(raw: Mapping[str, Any]) -> tuple[dict[str, list[float]], frozenset[str]]:
    """All metrics of a child's raw result: `tokens` (requests), `calls` and `windows`, each optional; see the functions above."""
    samples = token_metrics(raw.get("tokens", ()))
    single = frozenset(("ttft",) if samples else ())
    latency, single_latency = call_metrics(raw.get("calls", ()))
    rates = throughput(raw.get("windows", ()))
    return samples | latency | ({"throughput": rates} if rates else {}), single | single_latency


def process_medians(repetitions: Iterable[Repetition], metric: str) -> list[float]:
    """One median per process that has samples of the metric."""
    return [median(each.samples[metric]) for each in repetitions if each.ok and each.samples.get(metric)]


def summarise(repetitions: Sequence[Repetition], rng: Random) -> dict[str, Summary]:
    """One Summary per metric, over the repetitions of one candidate that ended well; metrics without samples are absent."""
    ok = [each for each in repetitions if each.ok]
    names = dict.fromkeys(metric for each in ok for metric, values in each.samples.items() if values)
    found = {metric: _summary(metric, ok, rng) for metric in names}
    for metric in _COLD:
        values = [[float(each.cold[metric])] for each in ok if each.cold.get(metric) is not None]
        if values and metric not in found:
            found[metric] = _over_processes(metric, values, rng)
    return found


def _summary(metric: str, repetitions: Sequence[Repetition], rng: Random) -> Summary:
    sampled = [each for each in repetitions if each.samples.get(metric)]
    single = [value for each in sampled for value in _single_calls(each, metric)]
    return _over_processes(metric, [each.samples[metric] for each in sampled], rng, single=single)


def _single_calls(repetition: Repetition, metric: str) -> Sequence[float]:
    """Single timed calls of a metric: its samples, or, beside batches of fast calls, those of the raw result."""
    if metric in repetition.single_calls:
        return repetition.samples[metric]
    beside: Sequence[float] = repetition.raw.get("single_calls", ()) if metric == "latency" else ()
    return beside


def _over_processes(metric: str, processes: Sequence[Sequence[float]], rng: Random, *, single: Sequence[float] = ()) -> Summary:
    medians = [median(samples) for samples in processes]
    low, high = bootstrap_interval(processes, rng)
    bounds = [upper_bound(single, share) if single else (None, "no single timed calls") for share in _PERCENTILES]
    return Summary(
        unit=METRICS[metric][0] if metric in METRICS else "", value=median(medians), low=low, high=high, mad=mad(medians), spread=spread(medians),
        n_processes=len(medians), n_samples=sum(map(len, processes)), p50=bounds[0][0], p90=bounds[1][0], p95=bounds[2][0], p99=bounds[3][0],
        percentile_why=next((why for _, why in bounds if why), ""),
    )


def share_of_slow(samples: Sequence[float]) -> float:
    """Share of samples above twice the median: outliers are reported, never deleted."""
    return sum(value > 2 * median(samples) for value in samples) / len(samples) if samples else 0.0
