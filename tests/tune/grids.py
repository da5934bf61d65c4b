"""Invented spaces and grids: two frameworks, three schemes each, threads and a hint; figures follow simple laws, so that the best point is known."""

from __future__ import annotations

from typing import Any

from recommender.domain.estimate import Estimate
from recommender.tune.space import Point, Space

SCHEMES = {"F16": 40.0, "Q8_0": 70.0, "Q4_0": 110.0}  # decode rate at the start settings


def point(framework: str, scheme: str, **settings: Any) -> Point:
    return Point(
        choice=f"{framework}/cpu/{scheme}", framework=framework, execution_provider="cpu", device="cpu0", scheme=scheme, settings=settings,
        start={"n_threads": 2, **({"hint": "a"} if framework == "beta" else {})},
    )


def space() -> Space:
    """15 points of alpha (threads 2, 1, 4 ...) and beta (threads and a hint)."""
    points = [point("alpha", scheme, n_threads=n) for scheme in SCHEMES for n in (2, 1, 4)]
    points += [point("beta", scheme, n_threads=n, hint=hint) for scheme in SCHEMES for n in (2, 1) for hint in ("a", "b")]
    domains: dict[str, dict[str, None]] = {}
    for each in points:
        for name, value in each.parameters.items():
            domains.setdefault(name, {})[value] = None
    return Space(points=tuple(points), domains={name: tuple(values) for name, values in domains.items()}, spreads={"n_threads": 0.4, "hint": 0.15})


def rate(each: Point) -> float:
    """Beta is 1.3 times alpha; one thread 0.6, four 0.9; hint b 1.1: the best is beta, Q4_0, 2 threads, hint b."""
    found = SCHEMES[each.scheme] * (1.3 if each.framework == "beta" else 1.0)
    return found * {1: 0.6, 2: 1.0, 4: 0.9}[each.settings["n_threads"]] * (1.1 if each.settings.get("hint") == "b" else 1.0)


BEST = point("beta", "Q4_0", n_threads=2, hint="b").id


def estimates(factor: float = 0.8) -> dict[str, dict[str, Estimate]]:
    """By choice: off by the same factor everywhere, and blind to which framework is faster."""
    return {
        f"{framework}/cpu/{scheme}": {"decode_rate": Estimate(metric="decode_rate", unit="tok/s", low=value * factor / 2, central=value * factor, high=value * factor * 2, basis="analytic")}
        for framework in ("alpha", "beta") for scheme, value in SCHEMES.items()
    }


def grid(noise: float = 0.01, cost: float = 4.0, **refused: str) -> dict[str, Any]:
    """As `benchmarks.search.record` writes it."""
    points = space().points
    return {
        "points": {each.id: {"cost_s": cost, "metrics": {"decode_rate": rate(each), "peak_memory": 1e9 / SCHEMES[each.scheme]}} for each in points},
        "choices": {each.choice: {"make_s": 3.0, "metrics": {"file_size": 1e9 / SCHEMES[each.scheme]}, **({"refusal": refused[each.framework]} if each.framework in refused else {})} for each in points},
        "noise": noise, "jitter": 0.01,
    }


def meta(**more: Any) -> dict[str, Any]:
    return {
        "objectives": [{"metric": "decode_rate", "better": "up"}], "needs": [], "workload": {"key": "chat"}, "model": "tiny", "class": "c1", "seed": 0,
        "baseline": space().points[0].id, "target": {"name": "t", "digest": "d"}, **more,
    }
