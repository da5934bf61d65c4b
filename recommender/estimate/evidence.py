"""Figures that were measured, in place of estimates: here (same machine) or elsewhere (same catalogue device, same model and path)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from statistics import median
from typing import TYPE_CHECKING, Any

from recommender.domain.estimate import Estimate
from recommender.domain.evidence import PROTOCOL, SHAPE_PROXY, TUNED, Evidence
from recommender.domain.fingerprint import Fingerprint
from recommender.domain.workload import METRICS, TIE_BAND

if TYPE_CHECKING:
    from recommender.domain.measurement import Measurement
    from recommender.estimate.estimates import Subject

METHOD = "recommend"  # figures of our protocol
_ELSEWHERE_SPREAD = 0.20  # another unit of the device, another version, another cooling


def measured(subject: Subject, estimates: Mapping[str, Estimate], evidence: tuple[Evidence, ...]) -> dict[str, Estimate]:
    """Estimates replaced by evidence of the very candidate; measured here wins over a shape proxy here, and that over measured elsewhere.

    What follows from a measured figure is measured too: throughput from latency, time per token from the rate of decoding.
    """
    rows = [row for row in evidence if _fits(row, subject) and _is_comparable(row, subject)]
    found: dict[str, Estimate] = {}
    for metric in dict.fromkeys(row.metric for row in rows):
        same = [row for row in rows if row.metric == metric]
        here = [row for row in same if row.digest]
        real = [row for row in here if not row.proxy]
        found[metric] = _estimate(metric, real or here or same, "measured-here" if here else "measured-elsewhere", estimates.get(metric))
    for metric, source, amount in (("throughput", "latency", subject.workload.batch), ("tpot", "decode_rate", 1)):
        if metric not in found and source in found and found[source].low:
            found[metric] = _reciprocal(found[source], metric, amount)
    if "decode_rate" in found and "throughput" not in found and subject.workload.concurrency == 1:
        found["throughput"] = replace(found["decode_rate"], metric="throughput", unit=METRICS["throughput"][0], inputs={})
    return found


def evidence_of(measurement: Measurement, model: str) -> tuple[Evidence, ...]:
    """A measurement as one row a metric, for the model as the request calls it."""
    workload = tuple((name, float(value)) for name, value in sorted(measurement.workload.items()) if isinstance(value, (int, float)))
    options = measurement.candidate.get("options")
    return tuple(
        Evidence(
            metric=metric, value=summary.value, low=summary.low, high=summary.high, model=model, framework=measurement.framework,
            execution_provider=measurement.execution_provider, scheme=measurement.scheme, version=measurement.version, driver=measurement.driver,
            device=str(measurement.candidate.get("device") or ""), digest=measurement.digest, source=f"measurement:{measurement.id}",
            conditions=", ".join((measurement.mode, *measurement.flags)), date=measurement.created[:10], workload=workload,
            options=tuple(sorted(options.items())) if isinstance(options, Mapping) else (), proxy=SHAPE_PROXY in measurement.flags,
        )
        for metric, summary in measurement.metrics.items() if metric in METRICS and summary.value is not None
    )


def stale(measurement: Measurement, fingerprint: Fingerprint) -> str:
    """Why a measurement of this machine no longer speaks for it: protocol, framework or driver is another one now. Empty: it does.

    What is not known, then or now (a framework that is not installed), makes nothing stale.
    """
    if measurement.protocol != PROTOCOL:
        return f"protocol {measurement.protocol} then, {PROTOCOL} now"
    installed = [row for row in fingerprint.frameworks if row.framework == measurement.framework]
    if measurement.version and installed and measurement.version not in {row.version for row in installed}:
        return f"{installed[0].package} {measurement.version} then, {', '.join(row.version for row in installed)} now"
    device = measurement.candidate.get("device")
    drivers = {row.driver_version for row in fingerprint.devices if row.driver_version and device in (None, "", row.id)}
    if measurement.driver and drivers and measurement.driver not in drivers:
        return f"driver {measurement.driver} then, {', '.join(sorted(drivers))} now"
    return ""


def sorted_out(measurements: Iterable[Measurement], model: str, fingerprint: Fingerprint) -> tuple[tuple[Evidence, ...], tuple[str, ...]]:
    """Measurements of a model on this machine, the newest first: the figures that still hold, and a sentence for each path that has only stale ones.

    Invalid ones are left out, and other tools' own (their methods differ: they are never mixed with ours).
    """
    rows: list[Evidence] = []
    notes: dict[str, str] = {}
    for row in measurements:
        if not row.valid or row.method != METHOD or row.digest != fingerprint.digest:
            continue
        path = f"{row.framework}/{row.execution_provider}/{row.scheme}"
        why = stale(row, fingerprint)
        if why:
            notes.setdefault(path, f"a measurement of {path} from {row.created[:10]} is stale: {why}; recommend measure --model {model} takes a new one")
        else:
            notes[path] = ""
            rows += evidence_of(row, model)
    return tuple(rows), tuple(note for note in notes.values() if note)


# metric -> what of the workload it hangs on; what is not named here hangs on all of it
_LOAD = ("batch", "concurrency", "streams")
_DEPTH = ("prompt_tokens", "output_tokens")  # how far the cache is filled
_HANGS_ON: Mapping[str, tuple[str, ...]] = {
    "decode_rate": (*_DEPTH, *_LOAD), "tpot": (*_DEPTH, *_LOAD), "latency": (*_DEPTH, *_LOAD), "throughput": (*_DEPTH, *_LOAD),
    "energy": (*_DEPTH, *_LOAD), "sustained_rate": (*_DEPTH, *_LOAD, "sustained"), "prefill_rate": ("prompt_tokens", *_LOAD),
    "ttft": ("prompt_tokens", *_LOAD), "first_call": ("prompt_tokens", "batch"), "load_time": (), "file_size": (), "download_size": (), "quality_drop": (),
}  # fmt: skip
_ALL = (*_DEPTH, *_LOAD, "context")
_ONE = {name: 1.0 for name in _LOAD}  # what a workload that does not tell them means


def _is_comparable(row: Evidence, subject: Subject) -> bool:
    """Whether a figure was taken under the workload that is asked, as far as it hangs on it."""
    if not row.workload:
        return row.metric not in _not_comparable(subject)
    if row.metric == "peak_memory" and subject.beside_bytes != 0:
        return False
    told = dict(row.workload)
    return all(told.get(name, _ONE.get(name, 0.0)) == getattr(subject.workload, name) for name in _HANGS_ON.get(row.metric, _ALL))


def _not_comparable(subject: Subject) -> set[str]:
    """Metrics whose figures, taken of one model with one input at a time, do not speak of this workload."""
    found: set[str] = set()
    if subject.workload.batch > 1:
        found |= {"latency", "throughput", "peak_memory"}
    if subject.workload.concurrency > 1 or subject.beside_bytes != 0:
        found.add("peak_memory")
    return found


_OF_THE_WORKLOAD = ("context", "max_kv_size", "batch", "cache_dir")  # options that follow the workload (compared there) or change nothing once warm


def _fits(row: Evidence, subject: Subject) -> bool:
    if not _is_of_path(row, subject):
        return False
    if not row.digest:
        return subject.facts is not None and row.device == subject.facts.key
    options = subject.candidate.options
    return _is_here(row, subject) and not any(
        (_is_tuned(row) or name in options) and options.get(name) != value for name, value in row.options if name not in _OF_THE_WORKLOAD
    )


def _is_of_path(row: Evidence, subject: Subject) -> bool:
    candidate = subject.candidate
    is_path = (row.framework, row.scheme) == (candidate.framework, candidate.scheme) and row.execution_provider in ("", candidate.execution_provider)
    return is_path and row.model == subject.model.key


def _is_here(row: Evidence, subject: Subject) -> bool:
    return row.digest == subject.digest and row.device in ("", subject.device.id, subject.facts.key if subject.facts else "")


def _is_tuned(row: Evidence) -> bool:
    return TUNED in row.conditions.split(", ")


def better_settings(subject: Subject, evidence: tuple[Evidence, ...]) -> tuple[dict[str, Any], float, str] | None:
    """Run settings that a sweep on this machine found better in the workload's objective than those the rules give: options, gain (0.1 = 10 %), source.

    By the bad end of the interval, and by more than a tie; only where the rules' own were measured too.
    """
    metric = subject.workload.objective
    is_up = METRICS[metric][1] == "up"
    rows = [row for row in evidence if row.metric == metric and row.digest and _is_of_path(row, subject) and _is_here(row, subject) and _is_comparable(row, subject)]
    plain = [row.value for row in rows if not _is_tuned(row) and _fits(row, subject)]
    tuned = [row for row in rows if _is_tuned(row)]
    if not plain or not tuned:
        return None
    ends = {id(row): (row.low if is_up else row.high) or row.value for row in tuned}
    best = (max if is_up else min)(tuned, key=lambda row: ends[id(row)])
    gain = (ends[id(best)] / median(plain) if is_up else median(plain) / ends[id(best)]) - 1
    return (dict(best.options), gain, best.source) if gain > TIE_BAND else None


def _estimate(metric: str, rows: list[Evidence], basis: str, computed: Estimate | None) -> Estimate:
    values = sorted(row.value for row in rows)
    central = median(values)
    low = min(row.low if row.low is not None else row.value for row in rows)
    high = max(row.high if row.high is not None else row.value for row in rows)
    if basis == "measured-elsewhere":
        low, high = min(low, central * (1 - _ELSEWHERE_SPREAD)), max(high, central * (1 + _ELSEWHERE_SPREAD))
    return Estimate(
        metric=metric, unit=METRICS[metric][0], low=low, central=central, high=high, basis=basis,
        bound=computed.bound if computed else "", proxy=all(row.proxy for row in rows), sources=tuple(sorted({row.source for row in rows})),
        inputs={"n": len(rows), "conditions": sorted({row.conditions for row in rows if row.conditions})[:3], "computed": computed.central if computed else None},
    )


def _reciprocal(found: Estimate, metric: str, amount: int) -> Estimate:
    assert found.low and found.central and found.high
    return Estimate(
        metric=metric, unit=METRICS[metric][0], low=amount / found.high, central=amount / found.central, high=amount / found.low, basis=found.basis,
        bound=found.bound, proxy=found.proxy, sources=found.sources, why=f"{'one' if amount == 1 else amount} over the measured {found.metric}",
    )
