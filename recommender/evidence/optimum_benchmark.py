"""optimum-benchmark: `benchmark_report.json` with `benchmark_config.json` beside it, or `benchmark.json` that holds both.

Latencies are seconds, rates tokens or samples per second, memory in 10^6 bytes, efficiency tokens or samples per kWh.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from recommender.domain.measurement import Summary
from recommender.evidence.figures import counts, figure, number, sampled
from recommender.evidence.json_text import json_of, part
from recommender.evidence.told import Document, NotThisFormat, Rows, Told, attempt, stem, text_of

_PHASES = ("forward", "prefill", "decode", "per_token", "call", "load_model", "load")
_JOULES = 3.6e6  # in a kWh


def read(document: Document) -> Rows:
    """The one run of the report."""
    raw = json_of(document.text)
    report, config = (raw["report"], raw.get("config")) if isinstance(raw.get("report"), dict) else (raw, None)
    if not set(_PHASES) & set(report):
        raise NotThisFormat("it has none of the parts forward, prefill, decode and call")
    if config is None and document.beside:
        config = json_of(next(iter(document.beside.values())))
    yield attempt("run 1", _told, report, config or {})


def _told(row: str, report: Mapping[str, Any], config: Mapping[str, Any]) -> Told:
    backend, scenario, environment = (part(config, name) for name in ("backend", "scenario", "environment"))
    shapes, generate = part(scenario, "input_shapes"), part(scenario, "generate_kwargs")
    workload = {
        **counts(shapes, {"batch_size": "batch", "sequence_length": "prompt_tokens"} if "decode" in report else {"batch_size": "batch"}),
        **counts(generate, {"max_new_tokens": "output_tokens"}),
    }
    is_cpu = text_of(backend.get("device")) == "cpu"
    cards = environment.get("gpu")
    named = text_of(environment.get("cpu")) if is_cpu else text_of(cards[0] if isinstance(cards, list) and cards else cards)
    framework = text_of(backend.get("name"))
    return Told(
        row=row, metrics=_metrics(report, workload.get("batch", 1), is_cpu), workload=workload, framework=framework,
        models=tuple(filter(None, (stem(backend.get("model")),))), devices=(named,) if named else (), version=text_of(backend.get("version")),
        back_end=" ".join(filter(None, (framework, text_of(backend.get("device"))))), scheme=text_of(backend.get("quantization_scheme") or backend.get("torch_dtype") or backend.get("dtype")),
        flags=("several-devices",) if isinstance(cards, list) and len(cards) > 1 and not is_cpu else (),
    )


def _metrics(report: Mapping[str, Any], batch: int, is_cpu: bool) -> dict[str, Summary]:
    found: dict[str, Summary] = {}
    forward, prefill, decode, call = (part(report, name) for name in ("forward", "prefill", "decode", "call"))
    if batch == 1 and prefill:
        found["ttft"] = _latency("ttft", prefill)
        found["prefill_rate"] = figure("prefill_rate", part(prefill, "throughput")["value"], "tok/s")
    if decode:
        name, unit = ("decode_rate", "tok/s") if batch == 1 else ("throughput", "1/s")
        found[name] = figure(name, part(decode, "throughput")["value"], unit)
    once = forward or (call if not decode else {})
    if once:
        found["latency"] = _latency("latency", once)
        if rate := part(once, "throughput").get("value"):
            found["throughput"] = figure("throughput", rate, "1/s")
    efficiency = part(decode or once, "efficiency").get("value")
    if efficiency:
        found["energy"] = figure("energy", _JOULES / number(efficiency, "efficiency"), "J")
    memory = [value for phase in (forward, prefill, decode, call) if (value := part(phase, "memory").get("max_ram" if is_cpu else "max_process_vram"))]
    if memory:
        found["peak_memory"] = figure("peak_memory", max(memory), "MB")
    return found


def _latency(metric: str, phase: Mapping[str, Any]) -> Summary:
    latency = part(phase, "latency")
    values = latency.get("values")
    return sampled(metric, values, "s") if isinstance(values, list) and values else figure(metric, latency.get("p50") or latency["mean"], "s")
