"""Sweeps replayed on recorded grids: how near the best they end, and in which share of the exhaustive time; beside random search, Optuna's TPE and its GP.

    python -m benchmarks.search.replay GRID.json [...] [--seeds 20] [--share 0.25] [--json FILE] [--methods sweep,random,tpe,gp]

Every method gets the same seconds (`--share` of what all artifacts and all points once took), pays the recorded time of artifacts and repetitions, and
sees the recorded figures with the recorded noise. Truth is the grid. A sweep starts from the estimates of the answer, without any measurement.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from random import Random
from statistics import median
from typing import Any

from recommender.domain.estimate import Estimate
from recommender.domain.workload import METRICS
from recommender.tune import report
from recommender.tune.outlook import Outlook
from recommender.tune.replay import Replay
from recommender.tune.sampler import Proposals
from recommender.tune.space import Point, Space
from recommender.tune.storage import Record, Row
from recommender.tune.sweep import Limits, Sweep

NEAR = 0.03
METHODS = ("sweep", "random", "tpe", "gp")


def main() -> None:
    """Replay, print a table, keep the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("grids", nargs="+", type=Path)
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--share", type=float, default=0.25)
    parser.add_argument("--methods", default=",".join(METHODS))
    parser.add_argument("--json", type=Path)
    asked = parser.parse_args()
    rows = [row for path in asked.grids for row in replayed(path, asked.seeds, asked.share, asked.methods.split(","))]
    print(table(rows))
    if asked.json:
        asked.json.write_text(json.dumps(rows, indent=1, sort_keys=True) + "\n", encoding="utf-8")


def replayed(path: Path, seeds: int, share: float, methods: Sequence[str]) -> list[dict[str, Any]]:
    """A row for each method: losses against the best by seed, and shares of the exhaustive time."""
    grid = json.loads(path.read_text("utf-8"))
    truth = best_of(grid)
    rows = []
    for method in methods:
        if method == "gp" and not _has_gp():
            print("gp: left out, Optuna's needs PyTorch", file=sys.stderr)
            continue
        found = [one(grid, method, seed, share, truth) for seed in range(seeds)]
        rows.append({"grid": path.stem, "method": method, "points": len(grid["points"]), "exhaustive_s": Replay(grid).exhaustive(), "noise": grid["noise"], "seeds": found})
    return rows


def one(grid: Mapping[str, Any], method: str, seed: int, share: float, truth: tuple[str, float]) -> dict[str, Any]:
    """What one seed ended with."""
    bench = Replay(grid, seed=seed)
    budget = share * bench.exhaustive()
    point, interval, trials = (swept if method == "sweep" else plain)(grid, bench, budget, seed, method)
    objective, better = _objective(grid)
    value = grid["points"][point]["metrics"][objective] if point else 0.0
    loss = (truth[1] / value if better == "up" else value / truth[1]) - 1 if point else float("inf")
    inside = bool(interval and interval[0] <= truth[1] <= interval[1])
    return {"point": point, "loss": loss, "inside": inside, "share": bench.clock() / bench.exhaustive(), "trials": trials}


def swept(grid: Mapping[str, Any], bench: Replay, budget: float, seed: int, method: str = "sweep") -> tuple[str | None, tuple[float, float] | None, int]:
    """Our sweep, from the answer's estimates alone."""
    objective, better = _objective(grid)
    space = space_of(grid)
    with tempfile.TemporaryDirectory() as folder:
        meta = {**grid["meta"], "seed": seed}
        record = Record(f"journal:{folder}/sweep.log", "replay/x", directions=[better], meta={k: v for k, v in meta.items() if k != "estimates"})
        outlook = Outlook(space=space, objectives=[objective], needs=(), estimates=estimates_of(grid), ceilings={})
        proposals = Proposals(space, "tpe", better=[better], seed=seed)
        sweep = Sweep(
            space=space, outlook=outlook, record=record, bench=bench, proposals=proposals, objectives=[objective], needs=(), limits=Limits(budget=budget, mode="quick"), seed=seed,
            baseline=space.points[0].id,
        )
        ended = sweep.run()
        rows = record.rows()
        document = report.document({k: v for k, v in meta.items() if k != "estimates"}, rows, space.by_id(), {}, ended=ended)
    winner = document["winner"]
    figure = document["points"][winner]["metrics"][objective] if winner else None
    return winner, (figure["low"], figure["high"]) if figure else None, sum(row.state == "COMPLETE" for row in rows)


def plain(grid: Mapping[str, Any], bench: Replay, budget: float, seed: int, method: str) -> tuple[str | None, tuple[float, float] | None, int]:
    """Points by chance or by Optuna's sampler over the same parameters, each measured once, the best of them taken."""
    objective, better = _objective(grid)
    space = space_of(grid)
    order = list(space.points)
    Random(seed).shuffle(order)
    proposals = None if method == "random" else Proposals(space, method, better=[better], seed=seed)
    seen: dict[str, Row] = {}
    while bench.clock() < budget and len(seen) < len(space.points):
        point = _proposed(proposals, order, seen)
        if bench.clock() + grid["points"][point.id]["cost_s"] > budget:
            break
        judged = bench.judge(point)
        repetition = None if judged.refusal else bench.take(point, 1)
        value = median(repetition.samples[objective]) if repetition and repetition.ok else None
        seen[point.id] = Row(number=len(seen), state="COMPLETE" if value else "FAIL", point=point.id, round=1, params=point.parameters, values=(value,) if value else ())
        if proposals:
            proposals.learn(list(seen.values()))
    good = {name: row.values[0] for name, row in seen.items() if row.values}
    best = (max if better == "up" else min)(good, key=lambda name: good[name]) if good else None
    return best, None, len(good)


def _proposed(proposals: Proposals | None, order: Sequence[Point], seen: Mapping[str, Row]) -> Point:
    """What the sampler says; after some points that it has already had, one by chance."""
    for attempt in range(20 if proposals else 0):
        point = proposals.propose(attempt) if proposals else None
        if point and point.id not in seen:
            return point
    return next(point for point in order if point.id not in seen)


def space_of(grid: Mapping[str, Any]) -> Space:
    """The recorded points."""
    names = ("choice", "framework", "execution_provider", "device", "scheme", "settings", "start")
    points = tuple(Point(**{name: row[name] for name in names}) for row in grid["space"])
    domains: dict[str, dict[str, None]] = {}
    for point in points:
        for name, value in point.parameters.items():
            domains.setdefault(name, {})[value] = None
    return Space(points=points, domains={name: tuple(values) for name, values in domains.items()}, spreads=grid.get("spreads", {}))


def estimates_of(grid: Mapping[str, Any]) -> dict[str, dict[str, Estimate]]:
    """The answer's numbers, which were computed before anything was measured."""
    names = ("central", "low", "high", "unit", "basis")
    return {
        choice: {metric: Estimate(metric=metric, **{name: row[name] for name in names if row.get(name) is not None}) for metric, row in metrics.items() if metric in METRICS}
        for choice, metrics in grid["meta"]["estimates"].items()
    }


def best_of(grid: Mapping[str, Any]) -> tuple[str, float]:
    """The best point of the grid and its figure."""
    objective, better = _objective(grid)
    good = {name: row["metrics"][objective] for name, row in grid["points"].items() if "metrics" in row}
    name = (max if better == "up" else min)(good, key=lambda each: good[each])
    return name, good[name]


def table(rows: Sequence[Mapping[str, Any]]) -> str:
    """Markdown, a line a grid and method."""
    lines = [
        "| grid | points | exhaustive | noise | method | within 3 % or its interval | loss, median | worst | time used, median | worst | repetitions |",
        "|---|--:|--:|--:|---|--:|--:|--:|--:|--:|--:|",
    ]
    for row in rows:
        seeds = row["seeds"]
        good = sum(each["loss"] <= NEAR or each["inside"] for each in seeds)
        lines.append(
            f"| {row['grid']} | {row['points']} | {row['exhaustive_s'] / 60:.1f} min | {row['noise']:.1%} | {row['method']} | {good} of {len(seeds)} | {_of(seeds, 'loss', median):.1%} | "
            f"{_of(seeds, 'loss', max):.1%} | {_of(seeds, 'share', median):.0%} | {_of(seeds, 'share', max):.0%} | {_of(seeds, 'trials', median):.0f} |"
        )
    return "\n".join(lines)


def _of(seeds: Sequence[Mapping[str, Any]], name: str, how: Callable[[Sequence[float]], float]) -> float:
    return how([float(each[name]) for each in seeds])


def _objective(grid: Mapping[str, Any]) -> tuple[str, str]:
    row = grid["meta"]["objectives"][0]
    return row["metric"], row["better"]


def _has_gp() -> bool:
    from importlib.util import find_spec

    return all(find_spec(name) for name in ("torch", "scipy"))


if __name__ == "__main__":
    main()
