"""A measurement as it is taken and stored. What the decision receives of it is in `evidence`, which loads sooner."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from recommender.domain.evidence import PROTOCOL

FAILURES = ("unsupported", "out-of-memory", "timeout", "crash", "wrong-output", "fallback", "tool-bug", "lost")  # `lost`: the device or its infrastructure vanished
OUTCOMES = ("ok", *FAILURES)
MODES = ("quick", "normal", "strict")


@dataclass(frozen=True, kw_only=True, slots=True)
class Summary:
    """One metric over processes and samples, in the metric's base unit.

    Attributes:
        value: median over process medians; None with `why` when it is not available.
        low, high: bootstrap 95 % interval (processes resampled first, then samples).
        mad, spread: median absolute deviation and range over process medians.
        n_processes, n_samples: how many.
        p50, p90, p95, p99: upper bounds of single timed calls where the sample supports them, else None (`percentile_why`).
    """

    unit: str
    value: float | None = None
    low: float | None = None
    high: float | None = None
    mad: float | None = None
    spread: float | None = None
    n_processes: int = 0
    n_samples: int = 0
    p50: float | None = None
    p90: float | None = None
    p95: float | None = None
    p99: float | None = None
    percentile_why: str = ""
    why: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Measurement:
    """One candidate, measured. Append-only; `id` is unique.

    Attributes:
        created: ISO 8601, UTC. digest: of the fingerprint. driver: of the device that ran it (empty: it has none).
        model: key; model_hash: content identity of the source weights. artifact_hash, recipe_hash: SHA-256.
        candidate: framework, execution_provider, device, format, scheme and options by name.
        version, build: of the framework. protocol: PROTOCOL. mode: one of MODES. method: `recommend` for our protocol, else the tool's name.
        workload: prompt_tokens, output_tokens, context, batch, concurrency, streams, ... by name.
        metrics: metric -> Summary. quality: kl, top1_agreement, perplexity, accuracy, cosine, ... -> value with its interval and n.
        samples: raw, by pass and process. facts: what the framework said of itself. environment: what preflight recorded.
        flags: unstable, throttled, capped, foreign-load, defaults, ... valid and reasons: whether the protocol was met.
        reproducer: command, environment variables and input hashes of the step.
    """

    id: str
    created: str
    digest: str
    model: str
    candidate: Mapping[str, Any]
    framework: str
    execution_provider: str
    scheme: str
    version: str
    workload: Mapping[str, Any]
    metrics: Mapping[str, Summary]
    model_hash: str = ""
    artifact_hash: str = ""
    recipe_hash: str = ""
    build: str = ""
    driver: str = ""
    protocol: str = PROTOCOL
    mode: str = "normal"
    method: str = "recommend"
    quality: Mapping[str, Any] = field(default_factory=dict)
    samples: Mapping[str, Any] = field(default_factory=dict)
    facts: Mapping[str, Any] = field(default_factory=dict)
    environment: Mapping[str, Any] = field(default_factory=dict)
    flags: tuple[str, ...] = ()
    valid: bool = True
    reasons: tuple[str, ...] = ()
    reproducer: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class Failure:
    """A step that failed, remembered so that it is not tried again in vain.

    kind: one of FAILURES. step: prepare or measure. condition: what the verdict holds for (version; free_memory bytes; wall seconds).
    """

    created: str
    digest: str
    model_hash: str
    candidate: str
    step: str
    kind: str
    message: str
    version: str = ""
    condition: Mapping[str, Any] = field(default_factory=dict)
    reproducer: Mapping[str, Any] = field(default_factory=dict)
