"""All metrics of one candidate: demand x capability, then evidence on top where there is any. Central values rank, pessimistic ones decide feasibility."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from recommender.decide.tables import Attributes
from recommender.domain.candidate import Candidate
from recommender.domain.catalog import Catalog
from recommender.domain.estimate import Demand, Estimate
from recommender.domain.evidence import Evidence
from recommender.domain.facts import DeviceFacts
from recommender.domain.fingerprint import Device
from recommender.domain.model import ModelSpec
from recommender.domain.quantity import Interval
from recommender.domain.quantization import QuantScheme
from recommender.domain.workload import METRICS, Workload
from recommender.estimate import footprint
from recommender.estimate.capability import capability_of, compute_precision, is_on_chip, overhead, peak_ops
from recommender.estimate.demand import demand_of
from recommender.estimate.evidence import measured
from recommender.estimate.fitted import fitted, fitted_quality
from recommender.estimate.quality import quality_estimate
from recommender.estimate.roofline import Bound, phase_time
from recommender.estimate.weights import weight_bytes

_NOT_ESTIMATED = {
    "load_time": "hangs on the storage: only a measurement tells", "first_call": "hangs on caches and compilation: only a measurement tells",
    "energy": "no counter was read: only a measurement tells", "sustained_rate": "hangs on cooling: only a measurement tells",
    "throughput": "several streams share the unit in ways that only a measurement tells",
}
_SIZE_SLACK = 0.02  # tokenizer, metadata and alignment beside the weights
_NO_SIZE_BESIDE = "size of a model that runs beside it not known"
_LANGUAGE_SPEEDS = ("decode_rate", "tpot", "prefill_rate", "ttft")
_GRAPH_SPEEDS = ("latency", "throughput")
_ZERO = Interval(low=0.0, central=0.0, high=0.0)


@dataclass(frozen=True, kw_only=True, slots=True)
class Subject:
    """One candidate with all that its numbers depend on. `attributes` holds everything rules may read of it."""

    model: ModelSpec
    scheme: QuantScheme
    candidate: Candidate
    device: Device
    facts: DeviceFacts | None
    workload: Workload
    attributes: Attributes
    microbenchmark: Mapping[str, float]
    beside_bytes: float | None = 0.0
    digest: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Numbers:
    """Estimates by metric and memory by component [bytes, pessimistic]."""

    estimates: Mapping[str, Estimate]
    memory: Mapping[str, float]


def estimate(subject: Subject, catalog: Catalog, evidence: tuple[Evidence, ...]) -> Numbers:
    """Every metric of the closed list that can be told, unknown ones with the reason."""
    demand = demand_of(subject.model, subject.scheme, subject.workload)
    found: dict[str, Estimate] = {}
    memory: dict[str, float] = {}
    if isinstance(demand, str):
        speeds = _LANGUAGE_SPEEDS if subject.model.is_language_model else _GRAPH_SPEEDS
        found = {metric: unknown(metric, demand) for metric in (*speeds, "peak_memory")}
        found["file_size"] = _file_size(subject, weight_bytes(subject.model, subject.scheme), demand)
    else:
        found.update(_speeds(subject, demand, catalog))
        parts = footprint.components(subject.model, subject.scheme, demand, subject.candidate.options, lambda kind: overhead(kind, subject.attributes, catalog))
        if subject.beside_bytes:
            parts["beside"] = Interval(low=subject.beside_bytes, central=subject.beside_bytes, high=subject.beside_bytes)
        memory = {name: value.high for name, value in parts.items()}
        is_told = subject.beside_bytes is not None
        found["peak_memory"] = analytic("peak_memory", footprint.total(parts)) if is_told else unknown("peak_memory", _NO_SIZE_BESIDE)
        found["file_size"] = _file_size(subject, demand.resident["weights"])
        found.update(fitted(subject, found, catalog))
    found["download_size"] = _download_size(found["file_size"], catalog.frameworks[subject.candidate.framework])
    found["quality_drop"] = _quality(subject, catalog)
    found.update(measured(subject, found, evidence))
    for metric in METRICS:
        found.setdefault(metric, unknown(metric, _NOT_ESTIMATED.get(metric, "does not apply to this kind of model")))
    return Numbers(estimates=found, memory=memory)


def analytic(metric: str, value: Interval, *, bound: str = "", inputs: Mapping[str, Any] | None = None) -> Estimate:
    """A computed number without any measurement of this model behind it."""
    return Estimate(
        metric=metric, unit=METRICS[metric][0], low=value.low, central=value.central, high=value.high, basis="analytic", bound=bound,
        inputs=inputs or {},
    )


def unknown(metric: str, why: str) -> Estimate:
    return Estimate(metric=metric, unit=METRICS[metric][0], why=why)


def _is_quantized(model: ModelSpec) -> bool:
    return bool(model.artifact and model.artifact.is_quantized)


def _quality(subject: Subject, catalog: Catalog) -> Estimate:
    """The source itself; what published losses of this very model or of GGUF levels say; a row of published losses for its kind of model; else what is left."""
    by_row = quality_estimate(subject.scheme, subject.candidate.is_as_is and not _is_quantized(subject.model), subject.attributes, catalog)
    by_fit = None if by_row.basis == "analytic" else fitted_quality(subject, catalog)
    if by_fit is None:
        return by_row
    is_near = by_fit.inputs["step"] == "exact" or (by_fit.basis == "calibrated" and ("gguf" in subject.scheme.formats or by_row.basis == "claim"))
    return by_fit if is_near or by_row.central is None else by_row


def _speeds(subject: Subject, demand: Demand, catalog: Catalog) -> dict[str, Estimate]:
    precision = compute_precision(subject.scheme, subject.device.kind)
    peak, origin = peak_ops(subject.device, subject.facts, precision, subject.attributes, catalog, subject.microbenchmark)
    bounds: dict[str, Bound | str] = {}
    inputs: dict[str, dict[str, Any]] = {}
    on_chip = is_on_chip(subject.facts, demand.resident["weights"], is_language_model=subject.model.is_language_model)
    for name, phase in demand.phases.items():
        phase = replace(phase, bytes_moved=0.0) if on_chip else phase
        capability, inputs[name] = capability_of(name, peak, subject.attributes, catalog)
        inputs[name].update(precision=precision, peak_ops_origin=origin, operations=phase.operations, bytes_moved=phase.bytes_moved)
        bounds[name] = phase_time(phase, capability)
    if "prefill" in bounds:
        return _language_speeds(subject, bounds, inputs)
    return _graph_speeds(subject, bounds, inputs, overhead("call", subject.attributes, catalog) or _ZERO)


def _language_speeds(subject: Subject, bounds: Mapping[str, Bound | str], inputs: Mapping[str, dict[str, Any]]) -> dict[str, Estimate]:
    prefill, decode, prompt = bounds["prefill"], bounds["decode"], subject.workload.prompt_tokens
    found: dict[str, Estimate] = {}
    if isinstance(decode, str):
        found.update({metric: unknown(metric, decode) for metric in ("decode_rate", "tpot")})
    else:
        found["tpot"] = analytic("tpot", decode.seconds, bound=decode.resource, inputs=inputs["decode"])
        found["decode_rate"] = analytic("decode_rate", _inverse(decode.seconds), bound=decode.resource, inputs=inputs["decode"])
        if subject.workload.concurrency == 1:
            found["throughput"] = analytic("throughput", _inverse(decode.seconds), bound=decode.resource)
    if isinstance(prefill, str):
        found.update({metric: unknown(metric, prefill) for metric in ("prefill_rate", "ttft")})
    elif prompt:
        found["prefill_rate"] = analytic("prefill_rate", _inverse(prefill.seconds, prompt), bound=prefill.resource, inputs=inputs["prefill"])
        found["ttft"] = analytic("ttft", prefill.seconds, bound=prefill.resource, inputs=inputs["prefill"])
    return found


def _graph_speeds(subject: Subject, bounds: Mapping[str, Bound | str], inputs: Mapping[str, dict[str, Any]], call: Interval) -> dict[str, Estimate]:
    inference, decode = bounds["inference"], bounds.get("decode")
    for bound in (inference, decode):
        if isinstance(bound, str):
            return {metric: unknown(metric, bound) for metric in ("latency", "throughput")}
    assert isinstance(inference, Bound)
    seconds, tokens = inference.seconds, float(subject.workload.output_tokens)
    if isinstance(decode, Bound):
        step = decode.seconds.scaled(tokens)
        seconds = Interval(low=seconds.low + step.low, central=seconds.central + step.central, high=seconds.high + step.high)
    seconds = Interval(low=seconds.low + call.low, central=seconds.central + call.central, high=seconds.high + call.high)
    return {
        "latency": analytic("latency", seconds, bound=inference.resource, inputs=inputs["inference"]),
        "throughput": analytic("throughput", _inverse(seconds, subject.workload.batch), bound=inference.resource),
    }


def _inverse(seconds: Interval, amount: float = 1.0) -> Interval:
    return Interval(low=amount / seconds.high, central=amount / seconds.central, high=amount / seconds.low)


def _file_size(subject: Subject, weights: float | None, why: str = "") -> Estimate:
    artifact = subject.model.artifact
    if subject.candidate.is_as_is and artifact:
        size = float(artifact.size)
        return replace(analytic("file_size", Interval(low=size, central=size, high=size)), basis="measured-here")
    if weights is None:
        return unknown("file_size", why)
    return analytic("file_size", Interval(low=weights, central=weights, high=weights * (1 + _SIZE_SLACK)))


def _download_size(file_size: Estimate, framework: Any) -> Estimate:
    if file_size.central is None:
        return unknown("download_size", file_size.why)
    if framework.runtime_size is None or framework.runtime_size.value is None:
        return unknown("download_size", f"size of the {framework.name} library not known")
    extra = framework.runtime_size.value
    assert file_size.low is not None and file_size.high is not None
    value = Interval(low=file_size.low + extra, central=file_size.central + extra, high=file_size.high + extra)
    return replace(analytic("download_size", value), sources=(framework.runtime_size.source,))
