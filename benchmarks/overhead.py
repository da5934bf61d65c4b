"""What our own harness costs: an executor that does nothing is measured, and a bare loop over it is timed beside it.

    python -m benchmarks.overhead [--seconds 2]

Prints nanoseconds per call (batched samples, single timed calls, tokens) over the bare loop, and seconds per measurement outside of its samples.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Callable
from itertools import pairwise, repeat
from pathlib import Path
from statistics import median
from typing import Any

from recommender.executors.null.executor import RUNNER
from recommender.measure import harness
from recommender.measure.take import Run, take

_RUNNER = "recommender.executors.null.executor:RUNNER"
_LOOP, _REPEATS = 2000, 5
_TOKENS = 64


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--seconds", type=float, default=2.0, help="of samples per measurement")
    print(table(rows(parser.parse_args().seconds)))


def rows(seconds: float) -> list[tuple[str, float, float, str]]:
    """(what, with the harness, bare, unit)."""
    limits = {"warm_up_seconds": 0.5, "warm_up_cap": 2.0, "samples": 10, "seconds": seconds, "cap": 2 * seconds}
    lm = {"prompt_tokens": 16, "output_tokens": _TOKENS, "limits": limits}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        graph, tokens = _artifact(folder, {"kind": "graph"}), _artifact(folder, {"kind": "tokens"})
        slow = _artifact(folder, {"kind": "tokens", "latency": 0.001})
        calls = harness.speed(_RUNNER, str(graph), {}, {"limits": limits})
        gaps = [b - a for request in harness.speed(_RUNNER, str(tokens), {}, lm)["tokens"] for a, b in pairwise(request["token_times"])]
        call = _best(RUNNER.open(graph, {}).run, {"x": object()})
        token = _best(RUNNER.open(tokens, {}).generate, [1], _TOKENS, int) / _TOKENS
        taken = {"graph": _taken(folder, graph, {"limits": limits}), "language model": _taken(folder, slow, lm)}
    return [
        ("call, batched sample", median(sample["seconds"] / sample["calls"] for sample in calls["calls"]) * 1e9, call * 1e9, "ns"),
        ("call, timed by itself", median(calls["single_calls"]) * 1e9, call * 1e9, "ns"),
        ("token", median(gaps) * 1e9, token * 1e9, "ns"),
        *((f"measurement of a {kind}", elapsed, sampled, "s") for kind, (elapsed, sampled) in taken.items()),
    ]


def table(found: list[tuple[str, float, float, str]]) -> str:
    """As text; `bare` of a measurement is its warm-up and its samples; the rest is the interpreter, loading, checks and extras."""
    lines = [f"{'':<34}{'measured':>12}{'bare':>12}{'overhead':>12}"]
    lines += [f"{what:<34}{ours:>12.2f}{bare:>12.2f}{ours - bare:>12.2f} {unit}" for what, ours, bare, unit in found]
    return "\n".join(lines)


def _artifact(folder: Path, told: dict[str, Any]) -> Path:
    path = folder / f"{'-'.join(map(str, told.values()))}.json"
    path.write_text(json.dumps(told), "utf-8")
    return path


def _taken(folder: Path, artifact: Path, plan: dict[str, Any]) -> tuple[float, float]:
    """Seconds of a repetition from start to end, and of those in its warm-up and samples."""
    found = take(Run(candidate=artifact.stem, runner="null", artifact=artifact, folder=folder / artifact.stem, plan=plan), 1)
    if not found.ok:
        raise SystemExit(f"{artifact.stem}: {found.kind}: {found.message}")
    return found.elapsed, found.raw["cpu"]["wall"] + found.raw["warm_up"]["seconds"]


def _best(call: Callable[..., Any], *arguments: Any) -> float:
    """Seconds per call of a bare loop."""
    found = []
    for _ in range(_REPEATS):
        began = time.perf_counter()
        for _ in repeat(None, _LOOP):
            call(*arguments)
        found.append((time.perf_counter() - began) / _LOOP)
    return min(found)


if __name__ == "__main__":
    main()
