"""Measure every point of a model's grid once, quick mode, and keep it as what replays are judged by.

    python -m benchmarks.search.record MODEL -o GRID.json [--data FILE] [--workload W] [--points 72] [--repeats 8] [--seed 0]

Of a space with more points than asked, whole choices are kept and the points of each drawn by the seed, those with the answer's settings first. A run
that was cut off goes on: what GRID.json holds is not measured again. `--repeats` points are measured twice more, for the noise between processes.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from math import log
from pathlib import Path
from statistics import median, pstdev
from typing import Any

from recommender.cli import tune_session
from recommender.tune.live import Live
from recommender.tune.space import Point
from recommender.tune.sweep import process_metrics

_OPTIONS: dict[str, Any] = {
    "target": "this-machine", "workload": None, "need": (), "prompt_tokens": None, "output_tokens": None, "context": None, "batch": None, "streams": None, "frameworks": (),
    "excluded": (), "allow_below_floor": False, "data": None, "parameters": (), "preparer": None, "yes": True, "overlays": (), "budget": 36000.0, "trials": None, "objective": None,
    "storage": None, "study": None, "join": None, "seed": 0, "sampler": "auto", "mode": "quick", "tie_band": 0.02, "retry": True, "runner": None,
}


def main() -> None:
    """Record a grid."""
    asked = _arguments()
    options = {**_OPTIONS, "model": asked.model, "data": asked.data, "workload": asked.workload, "frameworks": tuple(asked.framework), **_tokens(asked)}
    session = tune_session.session_of(options)
    bench = Live(session.campaign, spin=session.campaign.preflight()["spin"], seconds=asked.seconds)
    if asked.no_gate:  # after the plan was made, which takes its prompts from the evaluation's text
        session.campaign.subject = replace(session.campaign.subject, data=replace(session.campaign.subject.data, evaluation=None))
    grid = json.loads(asked.output.read_text("utf-8")) if asked.output.is_file() else {"points": {}, "choices": {}, "rounds": {}}
    points = drawn(session.space.points, asked.points, asked.seed)
    grid |= {
        "meta": {**session.meta, "objectives": session.meta["objectives"]}, "options": {name: options[name] for name in ("model", "workload", "prompt_tokens", "output_tokens", "context")},
        "spreads": dict(session.space.spreads), "space": [{"id": point.id, "settings": dict(point.settings), "start": dict(point.start), **_path(point)} for point in points],
    }
    for number, point in enumerate(points, 1):
        if point.id not in grid["points"]:
            grid["points"][point.id] = _measured(bench, point, grid["choices"])
            _say(f"{number}/{len(points)} {point.id}: {_told(grid, point)}")
            _write(asked.output, grid)
    good = [point for point in points if "metrics" in grid["points"][point.id]]
    for point in random.Random(asked.seed).sample(good, min(asked.repeats, len(good))):
        while len(grid["rounds"].setdefault(point.id, [])) < 2:
            found = bench.take(point, 2 + len(grid["rounds"][point.id])) if bench.judge(point).refusal == "" else None
            grid["rounds"][point.id].append(_objective(grid, found) if found and found.ok else None)
            _write(asked.output, grid)
    grid["noise"] = noise(grid)
    _write(asked.output, grid)
    _say(f"noise between processes {grid['noise']:.1%}; {len(good)} of {len(points)} points gave figures")


def drawn(points: Sequence[Point], n: int, seed: int) -> list[Point]:
    """At most n points: of every choice the start settings, then in turns of the choices what the seed draws."""
    rest: dict[str, list[Point]] = {}
    for point in points:
        rest.setdefault(point.choice, []).append(point)
    draw = random.Random(seed)
    for each in rest.values():
        tail = each[1:]
        draw.shuffle(tail)
        each[1:] = tail
    found: list[Point] = []
    while len(found) < n and any(rest.values()):
        for each in rest.values():
            if each and len(found) < n:
                found.append(each.pop(0))
    return sorted(found, key=lambda point: [other.id for other in points].index(point.id))


def noise(grid: dict[str, Any]) -> float:
    """Standard deviation of the log between processes: the median over the points that were repeated."""
    metric = grid["meta"]["objectives"][0]["metric"]
    spreads = []
    for name, values in grid["rounds"].items():
        logs = [log(value) for value in (grid["points"][name]["metrics"][metric], *values) if value]
        if len(logs) == 3:
            spreads.append(pstdev(logs) * (3 / 2) ** 0.5)
    return median(spreads) if spreads else 0.02


def _measured(bench: Live, point: Point, choices: dict[str, Any]) -> dict[str, Any]:
    began = time.monotonic()
    judged = bench.judge(point)
    if point.choice not in choices:
        choices[point.choice] = {"make_s": time.monotonic() - began, "metrics": dict(judged.metrics), **({"refusal": judged.refusal} if judged.refusal else {})}
    if judged.refusal:
        return {"cost_s": 0.0, "kind": judged.kind, "message": judged.refusal}
    began = time.monotonic()
    found = bench.take(point, 1)
    cost = time.monotonic() - began
    if not found.ok:
        return {"cost_s": cost, "kind": found.kind, "message": found.message}
    metrics = process_metrics(found)
    return {"cost_s": cost, "metrics": metrics, "foreign_load": found.foreign_load}


def _objective(grid: dict[str, Any], found: Any) -> float:
    return float(median(found.samples[grid["meta"]["objectives"][0]["metric"]]))


def _told(grid: dict[str, Any], point: Point) -> str:
    row = grid["points"][point.id]
    metric = grid["meta"]["objectives"][0]["metric"]
    return f"{row['metrics'][metric]:.5g} in {row['cost_s']:.1f} s" if "metrics" in row else f"{row['kind']}: {row['message'][:80]}"


def _path(point: Point) -> dict[str, str]:
    return {name: getattr(point, name) for name in ("choice", "framework", "execution_provider", "device", "scheme")}


def _write(path: Path, grid: dict[str, Any]) -> None:
    with tempfile.NamedTemporaryFile("w", dir=path.parent, delete=False, encoding="utf-8") as partial:
        json.dump(grid, partial, indent=1, sort_keys=True, default=str)
    Path(partial.name).replace(path)


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _tokens(asked: argparse.Namespace) -> dict[str, Any]:
    return {"prompt_tokens": asked.prompt_tokens, "output_tokens": asked.output_tokens, "context": asked.context}


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--workload")
    parser.add_argument("--framework", action="append", default=[])
    parser.add_argument("--no-gate", action="store_true", help="judge no output: for random weights, which have none worth judging")
    parser.add_argument("--points", type=int, default=72)
    parser.add_argument("--repeats", type=int, default=8)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--seconds", type=float, default=3.0)
    for name in ("--prompt-tokens", "--output-tokens", "--context"):
        parser.add_argument(name, type=int)
    return parser.parse_args()


if __name__ == "__main__":
    main()
