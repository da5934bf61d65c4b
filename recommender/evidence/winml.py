"""`winml perf` (microsoft/winml-cli): its JSON report, of one network (latencies in milliseconds) or of a language model (ort-genai)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from recommender.domain.measurement import Summary
from recommender.evidence.figures import counts, figure
from recommender.evidence.json_text import json_of, part
from recommender.evidence.told import Document, NotThisFormat, Rows, Told, attempt, stem, text_of

_UNITS = ("cpu", "gpu", "npu")
_PERCENTILES = ("p90", "p95", "p99")


def read(document: Document) -> Rows:
    """The one run of the report."""
    report = json_of(document.text)
    if "benchmark_info" not in report or not {"latency_ms", "aggregate"} & set(report):
        raise NotThisFormat("it has no `benchmark_info`, or neither `latency_ms` nor `aggregate`")
    yield attempt("run 1", _told, report)


def _told(row: str, report: Mapping[str, Any]) -> Told:
    info = part(report, "benchmark_info")
    unit = next((word for name in ("effective_device", "device") if (word := text_of(info.get(name)).lower()) in _UNITS), "")
    is_language = "aggregate" in report
    workload = counts(info, {"prompt_tokens": "prompt_tokens", "generated_tokens": "output_tokens", "batch_size": "batch"})
    precision = text_of(info.get("precision"))
    return Told(
        row=row, metrics=_generation(part(report, "aggregate")) if is_language else _single(report), workload=workload, unit=unit,
        models=tuple(filter(None, (stem(info.get("model_id")), stem(info.get("running_model_path"))))), framework="onnxruntime-genai" if is_language else "",
        back_end=text_of(info.get("ep")), scheme="" if precision == "auto" else precision, date=text_of(info.get("timestamp")),
    )


def _single(report: Mapping[str, Any]) -> dict[str, Summary]:
    latency = part(report, "latency_ms")
    more = {name: latency[name] for name in _PERCENTILES if latency.get(name)}
    samples = report.get("raw_samples_ms")
    found = {"latency": figure("latency", latency.get("p50") or latency["mean"], "ms", n_samples=len(samples) if isinstance(samples, list) else 0, **more)}
    rate = part(report, "throughput").get("samples_per_sec")
    return {**found, "throughput": figure("throughput", rate, "1/s")} if rate else found


def _generation(aggregate: Mapping[str, Any]) -> dict[str, Summary]:
    wanted = (
        ("decode_rate", "steady_state_decode_tokens_per_second", "tok/s"), ("prefill_rate", "prefill_tokens_per_second", "tok/s"),
        ("ttft", "model_ttft_duration_ms", "ms"), ("tpot", "steady_state_tpot_ms", "ms"),
    )  # fmt: skip
    found = {}
    for metric, name, unit in wanted:
        stats = part(aggregate, name)
        if stats:
            found[metric] = figure(metric, stats.get("p50") or stats["mean"], unit)
    return found
