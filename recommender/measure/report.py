"""PURE: what a campaign found, as measurements for the store and as the document of `recommend measure`."""

from __future__ import annotations

import datetime
import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any

from recommender.decide.document import rounded
from recommender.domain.evidence import PROTOCOL
from recommender.domain.fingerprint import Fingerprint
from recommender.domain.measurement import Measurement, Summary
from recommender.domain.workload import METRICS
from recommender.measure.campaign import Found, Subject
from recommender.measure.metrics import share_of_slow
from recommender.measure.repetition import Repetition

SCHEMA_VERSION = 1
WORKLOAD = ("prompt_tokens", "output_tokens", "context", "batch", "concurrency", "streams")
_DEFAULTS = "defaults"  # threads and streams were not searched: what was compared is each framework's start setting


def measurements(found: Found, subject: Subject) -> list[Measurement]:
    """One for each candidate that has figures."""
    assert found.comparison is not None
    return [_measurement(name, found, subject) for name in found.comparison.summaries]


def _measurement(name: str, found: Found, subject: Subject) -> Measurement:
    comparison, choice = found.comparison, found.choices[name]
    assert comparison is not None
    taken = [each for each in comparison.repetitions if each.candidate == name]
    facts = next((each.facts for each in reversed(taken) if each.ok), {})
    quality = found.gates.get(name, {}).get("quality", {})
    is_emulated = facts.get("speed_is_meaningful") is False
    flags = tuple(dict.fromkeys((_DEFAULTS, *(flag for each in taken for flag in each.flags))))
    created = datetime.datetime.fromtimestamp(found.started, datetime.UTC).isoformat(timespec="milliseconds")
    reasons = _reasons(name, found)
    installed = next((row.version for row in subject.target.fingerprint.frameworks if row.framework == choice["framework"]), "")
    body = Measurement(
        id="", created=created, digest=subject.target.fingerprint.digest, model=subject.model.key, model_hash=subject.model_hash,
        candidate={key: choice[key] for key in ("id", "framework", "execution_provider", "device", "device_kind", "format", "scheme", "options")},
        framework=choice["framework"], execution_provider=choice["execution_provider"], scheme=choice["scheme"], version=installed or str(facts.get("framework_version", "")),
        build=str(facts.get("build", "")), driver=driver_of(choice["device"], subject.target.fingerprint), mode=found.settings.mode, protocol=PROTOCOL,
        workload={key: subject.document["workload"][key] for key in WORKLOAD}, artifact_hash=found.made[name].hash,
        metrics={} if is_emulated else _metrics(name, found), quality={key: value for key, value in quality.items() if key != "facts"}, facts=facts,
        samples={"repetitions": [raw_of(each) for each in taken], **found.levels.get(name, {})}, environment={**found.preflight, "plan": found.plan}, flags=flags,
        valid=not reasons, reasons=reasons, reproducer=next((each.reproducer for each in taken if each.reproducer), {}),
        recipe_hash=hashlib.sha256(json.dumps(choice["recipe"]["steps"], sort_keys=True).encode()).hexdigest(),
    )
    content = json.dumps([created, body.digest, body.candidate, body.artifact_hash, body.samples["repetitions"][:1]], sort_keys=True, default=str)
    return replace(body, id=hashlib.sha256(content.encode()).hexdigest()[:16])


def _metrics(name: str, found: Found) -> dict[str, Summary]:
    """Speeds, the file, memory, energy and quality; what is not available says why."""
    assert found.comparison is not None
    levels, quality = found.levels.get(name, {}), found.gates.get(name, {}).get("quality", {})
    size = float(found.made[name].size)
    return {
        **found.comparison.summaries[name],
        "file_size": Summary(unit="bytes", value=size, low=size, high=size, n_processes=1, n_samples=1),
        "peak_memory": _peak(levels.get("memory", {"why": "the pass was not reached"})),
        "energy": _energy(levels.get("energy", {"why": "the pass was not reached"})),
        "quality_drop": _drop(quality, found.gates.get(name, {}).get("reason", "")),
    }


def _peak(told: Mapping[str, Any]) -> Summary:
    peak = told.get("peak_memory")
    if not peak or "kind" in told:
        return Summary(unit="bytes", why=str(told.get("why", "it could not be read")))
    return Summary(unit="bytes", value=float(peak), low=float(peak), high=float(peak), n_processes=1, n_samples=int(told.get("n_samples", 1)))


def _energy(told: Mapping[str, Any]) -> Summary:
    if "net" not in told:
        return Summary(unit="J", why=str(told.get("why", "no counter")))
    return Summary(unit="J", value=told["net"], low=min(told["net"], told["raw"]), high=told["raw"], n_processes=1, n_samples=int(told["calls"]))


def _drop(quality: Mapping[str, Any], why: str) -> Summary:
    drop = quality.get("quality_drop")
    if not drop or drop.get("value") is None:
        return Summary(unit="fraction", why="no task metric: " + (why or "no labels were given"))
    value = float(drop["value"])
    low, high = (value if drop.get(end) is None else float(drop[end]) for end in ("low", "high"))
    return Summary(unit="fraction", value=value, low=low, high=high, n_processes=1, n_samples=int(drop.get("n", 1)))


def _reasons(name: str, found: Found) -> tuple[str, ...]:
    """Why the figures do not meet the protocol."""
    comparison = found.comparison
    assert comparison is not None
    reasons = []
    if found.gates.get(name, {}).get("verdict") == "anomalous":
        reasons.append(f"anomalous: {found.gates[name]['reason']}")
    if comparison.judgement.winner == name and comparison.confirmed is False:
        reasons.append("not confirmed: a further process at the end gave another figure")
    if name in comparison.failures:
        reasons.append(f"{comparison.failures[name].kind}: {comparison.failures[name].message}")
    return tuple(reasons)


def driver_of(device_id: str, fingerprint: Fingerprint) -> str:
    """Version of the driver of a device of this machine; empty where it has none."""
    return next((device.driver_version or "" for device in fingerprint.devices if device.id == device_id), "")


def raw_of(each: Repetition) -> dict[str, Any]:
    """A repetition as it is stored."""
    told = {key: getattr(each, key) for key in ("round", "kind", "message", "cold", "flags", "foreign_load", "start_temperature", "elapsed")}
    return {**told, "raw": {key: value for key, value in each.raw.items() if key not in ("facts", "cold")}}


def document(found: Found, subject: Subject, stored: list[Measurement], after: Mapping[str, Any] | None) -> dict[str, Any]:
    """JSON-ready: what was measured beside what was estimated, the verdict, what was left out, and whether the ranking changed."""
    comparison = found.comparison
    assert comparison is not None
    before = [choice["id"] for choice in subject.document["choices"]]
    then = [choice["id"] for choice in after["choices"]] if after else before
    judgement = comparison.judgement
    left = [*(asdict(row) for row in found.left if row.reason != "not asked for"), *({"id": name, "reason": "not reached within the budget", "hint": "a larger --budget"} for name in comparison.not_reached)]
    left += [{"id": name, "reason": f"{row.kind}: {row.message}", "hint": ""} for name, row in comparison.failures.items()]
    return dict(rounded({
        "schema_version": SCHEMA_VERSION, "protocol": PROTOCOL, "mode": found.settings.mode, "budget": found.settings.budget, "spent": found.spent,
        "target": {"name": subject.target.name, "digest": subject.target.fingerprint.digest}, "model": {"key": subject.model.key, "hash": subject.model_hash},
        "workload": {key: subject.document["workload"][key] for key in ("key", "objective", *WORKLOAD)}, "answer": subject.document["id"],
        "verdict": judgement.word, "winner": judgement.winner or None, "tied": list(judgement.tied), "why": judgement.reason, "settle": judgement.settle or None,
        "confirmed": comparison.confirmed, "rounds": comparison.rounds, "ended": comparison.ended, "baseline": comparison.baseline, "spin": found.preflight["spin"],
        "measured": [_row(row, found, subject) for row in stored], "not_measured": left,
        "ranking": {"before": before, "after": then, "changed": before != then, "first_changed": before[:1] != then[:1]},
        "environment": found.preflight,
    }))


def _row(row: Measurement, found: Found, subject: Subject) -> dict[str, Any]:
    choice = found.choices[row.candidate["id"]]
    assert found.comparison is not None
    pair = found.comparison.judgement.pairs.get(choice["id"])
    return {
        "id": row.id, "choice": choice["id"], "rank": choice["rank"], "framework": row.framework, "scheme": row.scheme, "version": row.version,
        "metrics": {name: {**asdict(summary), "basis": "measured-here" if summary.value is not None else "unknown"} for name, summary in row.metrics.items()},
        "quality": row.quality, "gate": {key: found.gates[choice["id"]][key] for key in ("verdict", "reason")} if choice["id"] in found.gates else None,
        "estimates": {name: {key: choice["estimates"][name][key] for key in ("central", "low", "high", "basis")} for name in row.metrics if name in choice["estimates"]},
        "end_to_end": _end_to_end(row), "share_of_slow_samples": _slow(row.candidate["id"], found, subject),
        "against_first": asdict(pair) if pair else None, "behind": found.comparison.behind.get(choice["id"]),
        "flags": list(row.flags), "validity": {"valid": row.valid, "reasons": list(row.reasons)}, "facts": dict(row.facts),
    }


def _end_to_end(row: Measurement) -> Any:
    """Text in, text out, with tokenization and sampling: of the last process that told it."""
    told = [each["raw"]["end_to_end"] for each in row.samples["repetitions"] if each["raw"].get("end_to_end")]
    return told[-1] if told else None


def _slow(name: str, found: Found, subject: Subject) -> float | None:
    """Share of the objective's samples above twice the median of their process: outliers are reported, never deleted."""
    assert found.comparison is not None
    metric = subject.document["workload"]["objective"]
    taken = [each.samples.get(metric, ()) for each in found.comparison.repetitions if each.candidate == name and each.ok]
    shares = [share_of_slow(samples) if METRICS[metric][1] == "down" else share_of_slow([1 / value for value in samples]) for samples in taken if samples]
    return sum(shares) / len(shares) if shares else None
