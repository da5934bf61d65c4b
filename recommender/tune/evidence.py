"""PURE: what a sweep measured, as measurements for the store: one a point, with the settings it ran with."""

from __future__ import annotations

import datetime
import hashlib
import json
from collections.abc import Mapping, Sequence
from random import Random
from typing import Any

from recommender.domain.evidence import PROTOCOL, TUNED
from recommender.domain.measurement import Measurement, Summary
from recommender.domain.workload import METRICS
from recommender.measure.campaign import Subject
from recommender.measure.metrics import summarise
from recommender.measure.report import WORKLOAD, driver_of
from recommender.tune.space import Point
from recommender.tune.storage import Row
from recommender.tune.sweep import repetition

_ONCE = ("file_size", "quality_drop", "peak_memory")  # one value a process or an artifact, not sampled


def measurements(rows: Sequence[Row], points: Mapping[str, Point], choices: Mapping[str, Mapping[str, Any]], subject: Subject, seen: Mapping[str, Any]) -> list[Measurement]:
    """Of the points of `rows` that gave figures. Those with other settings than the answer's are flagged: they speak of those settings alone."""
    by_point: dict[str, list[Row]] = {}
    for row in rows:
        if row.state == "COMPLETE" and row.point in points:
            by_point.setdefault(row.point, []).append(row)
    return [_measurement(points[point], found, choices[points[point].choice], subject, seen) for point, found in by_point.items()]


def _measurement(point: Point, rows: Sequence[Row], choice: Mapping[str, Any], subject: Subject, seen: Mapping[str, Any]) -> Measurement:
    repetitions = [repetition(row) for row in rows]
    created = datetime.datetime.now(datetime.UTC).isoformat(timespec="milliseconds")
    digest = subject.target.fingerprint.digest
    facts = repetitions[-1].facts
    installed = next((row.version for row in subject.target.fingerprint.frameworks if row.framework == point.framework), "")
    changed = point.changed
    flags = tuple(dict.fromkeys((*((TUNED,) if changed else ()), *(flag for each in repetitions for flag in each.flags))))
    metrics = {**summarise(repetitions, Random(0)), **{name: _once(name, rows) for name in _ONCE if any(name in row.outcome["metrics"] for row in rows)}}
    told = [created, digest, point.id, rows[0].outcome["artifact"], [row.number for row in rows]]
    return Measurement(
        id=hashlib.sha256(json.dumps(told).encode()).hexdigest()[:16], created=created, digest=digest, model=subject.model.key, model_hash=subject.model_hash,
        candidate={**{key: choice[key] for key in ("id", "framework", "execution_provider", "device", "device_kind", "format", "scheme")}, "options": {**choice["options"], **changed}},
        framework=point.framework, execution_provider=point.execution_provider, scheme=point.scheme, version=installed or str(facts.get("framework_version", "")),
        build=str(facts.get("build", "")), driver=driver_of(point.device, subject.target.fingerprint), mode="quick", protocol=PROTOCOL,
        workload={key: subject.document["workload"][key] for key in WORKLOAD}, artifact_hash=str(rows[0].outcome["artifact"]), metrics=metrics,
        quality=dict(rows[0].outcome.get("quality", {})), facts=dict(facts), samples={"processes": [dict(row.outcome["samples"]) for row in rows]},
        environment=dict(seen), flags=flags, reproducer=dict(repetitions[-1].reproducer),
    )


def _once(name: str, rows: Sequence[Row]) -> Summary:
    values = sorted(float(row.outcome["metrics"][name]) for row in rows if name in row.outcome["metrics"])
    return Summary(unit=METRICS[name][0], value=values[len(values) // 2], low=values[0], high=values[-1], n_processes=len(values), n_samples=len(values))
