"""A choice of an answer measured without its weights: two shape proxies of a few layers, their processes in turn, extrapolated to the whole model."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Any

from recommender.apply.artifacts import Made
from recommender.apply.proxies import make_proxy
from recommender.domain.catalog import Catalog
from recommender.domain.errors import DeviceLost, StepFailed, Unsupported
from recommender.domain.measurement import Summary
from recommender.domain.model import ModelSpec
from recommender.domain.quantity import Interval
from recommender.domain.quantization import QuantScheme
from recommender.domain.workload import METRICS
from recommender.estimate.extrapolate import NOISE, TOKEN_NOISE, Depth, Line, deepened, depths, extrapolated
from recommender.estimate.kv_cache import kv_read_bytes
from recommender.estimate.weights import active_bytes, for_format, parts
from recommender.measure.contenders import Choice
from recommender.measure.repetition import Repetition
from recommender.measure.take import Run, options_of, take

Say = Callable[[str], None]
_TOKENS = 32  # decoded by a request; the workload's own depth is reckoned in afterwards
# The first request warms up; then at least one sample, and more of a small model while this time [s] lasts.
LIMITS = {"warm_up_calls": 1, "warm_up_seconds": 0.0, "warm_up_cap": 0.0, "samples": 3, "seconds": 0.3, "cap": 0.6}


@dataclass(frozen=True, kw_only=True, slots=True)
class Proxied:
    """What proxies told of a choice.

    Attributes:
        metrics: decode_rate, prefill_rate, ttft, peak_memory, of the whole model.
        depths: layers of the two proxies. made: their artifacts. repetitions: all, in the order taken.
        cost: seconds by part: `write`, `run`.
    """

    metrics: Mapping[str, Summary]
    depths: tuple[int, int]
    made: tuple[Made, Made]
    repetitions: tuple[Repetition, ...]
    cost: Mapping[str, float]


def plan_of(workload: Mapping[str, Any]) -> dict[str, Any]:
    """One repetition of a proxy: the workload's prompt, a few tokens."""
    return {"prompt_tokens": max(1, workload["prompt_tokens"]), "output_tokens": max(2, min(workload["output_tokens"], _TOKENS)), "limits": LIMITS}


def measure_proxy(
    choice: Choice, model: ModelSpec, workload: Mapping[str, Any], catalog: Catalog, folder: Path, say: Say, *, rounds: int = 1, spin: str = "shipped",
) -> Proxied:
    """Write two proxies and measure them, the shallow one first in odd rounds and last in even ones.

    Raises:
        StepFailed: the model has too few layers, the writer refused, a process failed, or noise drowned what a layer costs.
        ExecutorUnavailable, ActionFailed: as `make_proxy`. DeviceLost: a device vanished.
    """
    chosen = depths(model.n_layers or 0)
    if chosen is None:
        raise Unsupported(f"{model.key} has {model.n_layers or 'an unknown number of'} layers: too few for a proxy of some of them")
    scheme, plan, began = catalog.schemes[choice["scheme"]], plan_of(workload), time.monotonic()
    made = [make_proxy(choice["framework"], model, scheme, n_layers=n, context=workload["context"])[0] for n in chosen]
    written = time.monotonic() - began
    runs = {
        n: Run(
            candidate=f"{choice['id']} with {n} layers", runner=choice["framework"], artifact=each.path, folder=folder / f"layers-{n}", options=options_of(choice),
            plan=plan, mode="quick", spin=spin,
        ) for n, each in zip(chosen, made, strict=True)
    }
    taken: dict[int, list[Repetition]] = {n: [] for n in chosen}
    order: list[Repetition] = []
    for number in range(1, rounds + 1):
        for n in chosen if number % 2 else chosen[::-1]:
            say(f"{choice['id']}: {n} of {model.n_layers} layers, round {number}")
            found = _usable(take(runs[n], number))
            taken[n].append(found)
            order.append(found)
    metrics = metrics_of(taken, model, for_format(scheme, choice["format"]), workload, plan)
    return Proxied(
        metrics=metrics, depths=chosen, made=(made[0], made[1]), repetitions=tuple(order),
        cost={"write": written, "run": time.monotonic() - began - written},
    )


def _usable(found: Repetition) -> Repetition:
    if found.kind == "lost":
        raise DeviceLost(found.message or f"the device was lost while {found.candidate} was measured")
    if not found.ok:
        raise StepFailed(f"{found.candidate}: {found.message} ({found.kind})", kind=found.kind)
    if not all(found.samples.get(metric) for metric in ("tpot", "ttft")):  # an emulated device has none
        raise StepFailed(f"{found.candidate}: no times came back", kind="wrong-output")
    return found


def metrics_of(
    taken: Mapping[int, Sequence[Repetition]], model: ModelSpec, scheme: QuantScheme, workload: Mapping[str, Any], plan: Mapping[str, Any],
) -> dict[str, Summary]:
    """PURE: metrics of the whole model from the repetitions by number of layers (two numbers, the smaller first).

    Raises:
        StepFailed: the deeper proxy was not slower.
    """
    decode = _line(taken, model, "a decoded token", _seconds_per_token, TOKEN_NOISE)
    prefill = _line(taken, model, "the prompt", lambda each: min(each.samples["ttft"]))
    decode = _at_workload_depth(decode, model, scheme, workload, plan)
    n = sum(map(len, taken.values()))
    found = {"decode_rate": _summary("decode_rate", _rate(decode.whole), n)}
    if workload["prompt_tokens"]:
        found |= {"prefill_rate": _summary("prefill_rate", _rate(prefill.whole, plan["prompt_tokens"]), n), "ttft": _summary("ttft", prefill.whole, n)}
    shallow, deep = (Depth(n_layers=count, values=[max(float(each.raw.get("peak_memory") or 0.0) for each in rows)]) for count, rows in taken.items())
    memory = extrapolated(shallow, deep, model.n_layers or 0)
    found["peak_memory"] = _summary("peak_memory", memory.whole, n) if memory else Summary(unit="bytes", why="the deeper proxy held no more than the other")
    return found


def _seconds_per_token(found: Repetition) -> float:
    """Of the request that was disturbed least, the median time from one token to the next."""
    times: list[list[float]] = [request["token_times"] for request in found.raw["tokens"]]
    return min(median(after - before for before, after in pairwise(each)) for each in times)


def _line(taken: Mapping[int, Sequence[Repetition]], model: ModelSpec, what: str, seconds: Callable[[Repetition], float], noise: float = NOISE) -> Line:
    shallow, deep = (Depth(n_layers=count, values=[seconds(each) for each in rows], noise=noise) for count, rows in taken.items())
    found = extrapolated(shallow, deep, model.n_layers or 0)
    if found is None:
        raise StepFailed(f"{what} took no longer with {deep.n_layers} layers than with {shallow.n_layers}: the machine is too disturbed to tell", kind="wrong-output")
    return found


def _at_workload_depth(line: Line, model: ModelSpec, scheme: QuantScheme, workload: Mapping[str, Any], plan: Mapping[str, Any]) -> Line:
    """Decoding in the middle of the workload's answer instead of the middle of the few tokens that were decoded."""
    found = parts(model)
    active = active_bytes(model, scheme)
    if found is None or not active or not model.n_layers:
        return line
    share = found.layers / (found.layers + (found.output or found.embedding))
    wanted, measured = (told["prompt_tokens"] + told["output_tokens"] / 2 for told in (workload, plan))
    return deepened(line, model.n_layers, share * active, kv_read_bytes(model, wanted) - kv_read_bytes(model, measured))


def _rate(seconds: Interval, amount: float = 1.0) -> Interval:
    return Interval(low=amount / seconds.high, central=amount / seconds.central, high=amount / seconds.low)


def _summary(metric: str, found: Interval, n: int) -> Summary:
    return Summary(unit=METRICS[metric][0], value=found.central, low=found.low, high=found.high, n_processes=n, n_samples=n)
