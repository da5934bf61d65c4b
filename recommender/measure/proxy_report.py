"""PURE: what shape proxies told, as a measurement for the store: of the model by its key, of no weights."""

from __future__ import annotations

import datetime
import hashlib
import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from recommender.domain.evidence import PROTOCOL, SHAPE_PROXY
from recommender.domain.measurement import Measurement
from recommender.domain.model import ModelSpec
from recommender.domain.target import Target
from recommender.measure.contenders import Choice
from recommender.measure.proxy import Proxied
from recommender.measure.report import WORKLOAD, driver_of, raw_of

_IDENTITY = ("id", "framework", "execution_provider", "device", "device_kind", "format", "scheme", "options")


def measurement_of(choice: Choice, found: Proxied, model: ModelSpec, workload: Mapping[str, Any], target: Target, *, started: float) -> Measurement:
    """`started`: seconds since the epoch."""
    facts = found.repetitions[-1].facts
    created = datetime.datetime.fromtimestamp(started, datetime.UTC).isoformat(timespec="milliseconds")
    installed = next((row.version for row in target.fingerprint.frameworks if row.framework == choice["framework"]), "")
    flags = tuple(dict.fromkeys((SHAPE_PROXY, *(flag for each in found.repetitions for flag in each.flags))))
    body = Measurement(
        id="", created=created, digest=target.fingerprint.digest, model=model.key, candidate={key: choice[key] for key in _IDENTITY},
        framework=choice["framework"], execution_provider=choice["execution_provider"], scheme=choice["scheme"], version=installed or str(facts.get("framework_version", "")),
        build=str(facts.get("build", "")), driver=driver_of(choice["device"], target.fingerprint), mode="quick", protocol=PROTOCOL,
        workload={key: workload[key] for key in WORKLOAD}, metrics=found.metrics, facts=facts, flags=flags,
        samples={"repetitions": [raw_of(each) for each in found.repetitions]},
        environment={"proxy": {"layers": list(found.depths), "of_layers": model.n_layers, "artifacts": [made.hash for made in found.made], "cost": dict(found.cost)}},
        reproducer=found.repetitions[-1].reproducer,
    )
    content = json.dumps([created, body.digest, body.candidate, body.environment, body.samples["repetitions"][:1]], sort_keys=True, default=str)
    return replace(body, id=hashlib.sha256(content.encode()).hexdigest()[:16])
