"""A sweep over made-up points, as a command that can be killed and started again, and that others can join.

    python -m benchmarks.search.null_sweep --storage URL --study NAME [--points 24] [--seconds-a-trial 0.05] [--trials N] [--budget S] [--lease 3] [--seed 0]
                                           [--sampler tpe|random|none] [--processes] [--elsewhere] [--workers 1]

Says each trial on standard error as it begins, and at the end one line of JSON on standard output for each worker: how it ended, the points that are
done, and the winner. `--elsewhere`: as if on another machine, whose processes nobody here can see. `--processes`: real ones, of the null executor.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import uuid
from math import inf
from pathlib import Path
from typing import Any

from benchmarks.search.null_space import METRIC, Processes, Waiting, grid_of, outlook_of, space_of
from recommender.tune.sampler import Proposals
from recommender.tune.storage import Record
from recommender.tune.sweep import Limits, Sweep

META: dict[str, Any] = {"model": "null", "objectives": [{"metric": METRIC, "better": "up"}], "workload": {"key": "null"}, "class": "null", "needs": [], "target": {}}


def main() -> None:
    """Run it, or go on with it: so many processes, each a worker."""
    asked = _arguments()
    children = [child for _ in range(asked.workers - 1) if (child := os.fork()) or _work(asked)]
    _work(asked, is_child=False)
    for child in children:
        os.waitpid(child, 0)


def _work(asked: argparse.Namespace, *, is_child: bool = True) -> None:
    space = space_of(asked.points)
    worker = f"elsewhere-{uuid.uuid4().hex[:8]}" if asked.elsewhere else ""
    record = Record(asked.storage, f"{asked.study}/null", directions=["up"], meta={**META, "seed": asked.seed}, worker=worker, lease=asked.lease, patience=asked.patience, say=_say)
    with tempfile.TemporaryDirectory() as folder:
        sweep = Sweep(
            space=space, outlook=outlook_of(space), record=record, objectives=[METRIC], needs=(), seed=asked.seed, baseline=space.points[0].id, say=_say,
            bench=Processes(Path(folder)) if asked.processes else Waiting(grid_of(space, asked.seconds_a_trial), seed=asked.seed),
            proposals=None if asked.sampler == "none" else Proposals(space, asked.sampler, better=["up"], seed=asked.seed), limits=Limits(trials=asked.trials, budget=asked.budget),
        )
        ended = sweep.run()
    judgement = ended.comparison.judgement if ended.comparison else None
    done = sorted((row.point, row.round) for row in record.rows() if row.state == "COMPLETE")
    told = {"ended": ended.ended, "spent": ended.spent, "done": done, "winner": judgement.winner if judgement else "", "worker": record.worker}
    os.write(sys.stdout.fileno(), (json.dumps(told) + "\n").encode())  # one call: lines of several workers do not mix
    if is_child:
        os._exit(0)


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--storage", required=True)
    parser.add_argument("--study", required=True)
    parser.add_argument("--points", type=int, default=24)
    parser.add_argument("--seconds-a-trial", type=float, default=0.05)
    parser.add_argument("--trials", type=int, default=10**9)
    parser.add_argument("--budget", type=float, default=inf)
    parser.add_argument("--lease", type=float, default=3.0)
    parser.add_argument("--patience", type=float, default=60.0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--sampler", choices=("tpe", "random", "none"), default="tpe")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--processes", action="store_true")
    parser.add_argument("--elsewhere", action="store_true")
    return parser.parse_args()


if __name__ == "__main__":
    main()
