"""What a sweep itself costs: trials that take no time at all, so that all time is ours and the storage's.

    python -m benchmarks.search.overhead [--trials 500] [--storages journal,sqlite] [--samplers tpe,none] [--profile] [--json FILE]

`growth`: how often as much the last tenth of the trials cost, each, as the tenth that ends at a tenth of them (for 5 000: around the 500th). Ours alone
may at most grow as the number of trials does, tenfold.
"""

from __future__ import annotations

import argparse
import cProfile
import json
import pstats
import sys
import tempfile
import time
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from benchmarks.search.null_space import METRIC, grid_of, outlook_of, space_of
from benchmarks.search.null_sweep import META
from recommender.measure.repetition import Repetition
from recommender.tune.replay import Replay
from recommender.tune.sampler import Proposals
from recommender.tune.space import Point
from recommender.tune.storage import Record
from recommender.tune.sweep import Limits, Sweep

MOST_GROWTH = 10.0


class Timed(Replay):
    """Notes when each trial was asked for."""

    def __init__(self, *arguments: Any):
        super().__init__(*arguments)
        self.began: list[float] = []

    def take(self, point: Point, round: int) -> Repetition:
        self.began.append(time.perf_counter())
        return super().take(point, round)


def overhead(url: str, sampler: str, n_trials: int) -> dict[str, Any]:
    """Milliseconds a trial."""
    space = space_of(n_trials)
    bench = Timed(grid_of(space, 0.0))
    sweep = Sweep(
        space=space, outlook=outlook_of(space), record=Record(url, "overhead/null", directions=["up"], meta=META), bench=bench, objectives=[METRIC], needs=(), seed=0,
        baseline=space.points[0].id, proposals=None if sampler == "none" else Proposals(space, sampler, better=["up"], seed=0), limits=Limits(trials=n_trials),
    )
    began = time.perf_counter()
    sweep.run()
    total = time.perf_counter() - began
    tenth = n_trials // 10
    times = bench.began[:n_trials]
    early, late = (1e3 * (times[end - 1] - times[end - tenth]) / (tenth - 1) for end in (2 * tenth if n_trials < 1000 else tenth, n_trials))
    return {"sampler": sampler, "trials": n_trials, "ms": 1e3 * total / len(bench.began), "early_ms": early, "late_ms": late, "growth": late / early}


def main() -> None:
    """Print a line for each storage and sampler; the exit code is 1 when one grows faster than the number of trials."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=500)
    parser.add_argument("--storages", default="journal,sqlite")
    parser.add_argument("--samplers", default="tpe,none")
    parser.add_argument("--profile", action="store_true")
    parser.add_argument("--json", type=Path)
    asked = parser.parse_args()
    found = []
    for storage in asked.storages.split(","):
        for sampler in asked.samplers.split(","):
            with tempfile.TemporaryDirectory() as folder, cProfile.Profile() if asked.profile else nullcontext() as profile:
                url = {"journal": f"journal:{folder}/sweep.log", "sqlite": f"sqlite:///{folder}/sweep.db"}.get(storage, storage)
                row = {"storage": storage.partition(":")[0], **overhead(url, sampler, asked.trials)}
            found.append(row)
            print(f"{row['storage']}, {sampler}: {row['ms']:.1f} ms a trial over {row['trials']} ({row['early_ms']:.1f} early, {row['late_ms']:.1f} late: x {row['growth']:.2f})", flush=True)
            if profile:
                pstats.Stats(profile).sort_stats("cumulative").print_stats(45)
    if asked.json:
        asked.json.write_text(json.dumps(found, indent=1, sort_keys=True) + "\n", "utf-8")
    sys.exit(any(row["growth"] > MOST_GROWTH for row in found))


if __name__ == "__main__":
    main()
