"""What runs in the child: load a model by any runner and time it by the one protocol. Standard library and numpy only, for any interpreter.

Every function takes `runner` ("module:attribute"), `artifact` (path), `options` (of the runner), `plan` and returns a JSON-ready dict. A plan is
the workload and the limits by name: prompt_tokens, output_tokens, text; test, batch, shapes, throughput; seconds (wall-clock allowance of the
whole call: phases are cut short and flagged so that it is kept; a third of it is left for them however long loading took), limits (overrides of sampling.Limits), n_inputs, seed.
"""

from __future__ import annotations

import builtins
import importlib
import math
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from recommender.measure import sampling
from recommender.measure.requests import GraphRequests, TokenRequests, requests_for
from recommender.measure.warm_up import warm_up
from recommender.ports import GraphSession, TokenSession

_WARM_UP_SHARE, _EXTRA_SHARE = 0.25, 0.15  # of what is left of the allowance
_LEAST_SHARE = 1 / 3  # of the allowance that is left for samples however long loading took: that cannot be cut short
_WINDOW_SHARE = 0.1  # of the seconds asked for: what a throughput window lasts
_BASELINE = 0.15  # seconds that the bare interpreter is left alone, so that a sampler outside sees what it holds


def speed(runner: str, artifact: str, options: Mapping[str, Any], plan: Mapping[str, Any], mode: str = "normal") -> dict[str, Any]:
    """Cold metrics, warm-up, samples, and what is measured beside them.

    Returns kind (tokens or graph), cold {import, load_time, first_call [s], is_cache_hit}, facts, clock, warm_up, flags, inputs, outputs, cpu
    {process, wall [s] while samples were taken}, window {start, end [s, monotonic]}, and the samples themselves as `metrics` reads them:
    `tokens` (requests with token times), `calls` (single or batched), `single_calls`, `windows`, `end_to_end`. A session whose facts say
    `speed_is_meaningful = False` is run once and has no samples.

    Raises: what opening or running raises (`domain.errors`), WrongOutput for what came out.
    """
    limits = sampling.limits(mode, plan)
    clock = sampling.calibrated()
    allowance = float(plan.get("seconds", math.inf))
    end = time.perf_counter() + allowance
    with opened(runner, artifact, options) as (session, cold):
        requests = requests_for(session, plan)
        cold["first_call"] = _seconds(requests)
        end = max(end, time.perf_counter() + _LEAST_SHARE * allowance)
        told: dict[str, Any] = {
            "kind": requests.kind, "mode": mode, "cold": cold, "facts": dict(session.facts), "clock": clock, "limits": asdict(limits),
            "inputs": requests.inputs.told(), "flags": ["quick"] if mode == "quick" else [],
        }
        if session.facts.get("speed_is_meaningful", True):
            told |= _timed(requests, limits, clock["resolution"], plan, end, cold["first_call"], told["flags"])
        told["outputs"] = requests.verify()
        told["flags"] += requests.flags
    return told


def steady(runner: str, artifact: str, options: Mapping[str, Any], plan: Mapping[str, Any], seconds: float) -> dict[str, Any]:
    """Run requests for `seconds` after the first one, for the memory and energy passes: nothing is timed.

    Returns calls and tokens made while steady, facts, and marks [s, monotonic, comparable between processes]: opening, loaded, steady, end.
    """
    import numpy as np

    np.zeros(1)  # it belongs to the harness, so it is part of what is there before the model
    time.sleep(_BASELINE)
    marks = {"opening": time.monotonic()}
    with opened(runner, artifact, options) as (session, _):
        marks["loaded"] = time.monotonic()
        requests = requests_for(session, plan)
        requests.call()
        marks["steady"] = now = time.monotonic()
        n_calls = 0
        while not n_calls or now - marks["steady"] < seconds:
            requests.call()
            n_calls += 1
            now = time.monotonic()
        marks["end"] = now
        per_call = requests.n_output if isinstance(requests, TokenRequests) else 0
        return {"kind": requests.kind, "calls": n_calls, "tokens": n_calls * per_call, "marks": marks, "facts": dict(session.facts)}


def smoke(runner: str, artifact: str, options: Mapping[str, Any], plan: Mapping[str, Any]) -> dict[str, Any]:
    """One short run: it loads, it answers, what it answers is finite. Returns kind, facts, cold and outputs (shapes and ranges, or tokens)."""
    short = {"prompt_tokens": 16, "output_tokens": 8, "n_inputs": 2, **plan}
    with opened(runner, artifact, options) as (session, cold):
        requests = requests_for(session, short)
        cold["first_call"] = _seconds(requests)
        return {"kind": requests.kind, "cold": cold, "facts": dict(session.facts), "inputs": requests.inputs.told(), "outputs": requests.verify()}


def _timed(
    requests: TokenRequests | GraphRequests, limits: sampling.Limits, resolution: float, plan: Mapping[str, Any], end: float, first_call: float, flags: list[str],
) -> dict[str, Any]:
    """Warm-up, samples, extras; each within its share of the time that is left."""
    now = time.perf_counter()
    warm = warm_up(requests.call, limits, calls_each=requests.calls_each, deadline=now + _WARM_UP_SHARE * (end - now))
    requests.prepare(resolution, sampling.typical(warm.samples or [first_call]))
    began = time.perf_counter()
    start, used = time.monotonic(), time.process_time()
    found = sampling.collect(requests.take, limits, deadline=began + (1 - _EXTRA_SHARE) * (end - began))
    cpu = {"process": time.process_time() - used, "wall": time.perf_counter() - began}
    window = {"start": start, "end": time.monotonic()}
    flags += [*warm.flags, *found]
    return {"warm_up": asdict(warm), "cpu": cpu, "window": window, **requests.raw, **requests.extras(plan, _WINDOW_SHARE * limits.seconds, end)}


def _seconds(requests: TokenRequests | GraphRequests) -> float:
    began = time.perf_counter()
    requests.call()
    return time.perf_counter() - began


@contextmanager
def opened(runner: str, artifact: str, options: Mapping[str, Any]) -> Iterator[tuple[TokenSession | GraphSession, dict[str, Any]]]:
    """The session and its cold metrics. That closing fails after all is done loses nothing."""
    module, _, attribute = runner.partition(":")
    began = time.perf_counter()
    with _import_time() as imports:
        found = getattr(importlib.import_module(module), attribute)
        session = found.open(Path(artifact), dict(options))
    taken = time.perf_counter() - began
    cold = {"import": imports["seconds"], "load_time": taken - imports["seconds"], "is_cache_hit": session.facts.get("is_cache_hit")}
    yield session, cold
    try:
        session.close()
    except Exception as error:  # noqa: BLE001  frameworks that fail while they are torn down have already answered
        os.write(2, f"closing the session failed: {error}\n".encode())


@contextmanager
def _import_time() -> Iterator[dict[str, float]]:
    """Seconds spent in import statements meanwhile: a framework is imported inside of `open`, and that is not loading the model."""
    plain = builtins.__import__
    told = {"seconds": 0.0}
    depth = 0

    def timed(*arguments: Any, **named: Any) -> Any:
        nonlocal depth
        depth += 1
        began = time.perf_counter()
        try:
            return plain(*arguments, **named)
        finally:
            depth -= 1
            if not depth:
                told["seconds"] += time.perf_counter() - began

    builtins.__import__ = timed
    try:
        yield told
    finally:
        builtins.__import__ = plain
