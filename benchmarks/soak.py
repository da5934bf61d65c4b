"""The long trials, one after the other; each also runs by itself.

    python -m benchmarks.soak [--minutes 10]

The protocol's false winners and its power, two processes on one evidence store, kills at 20 random moments of `apply` and of `measure`, of workers of a
sweep and its database, our own overhead (of measuring, and of a sweep of 500 and 5 000 trials), and simulated nights. Our numbers against the frameworks' own and the matrix of all schemes take a model each: `benchmarks.own_tools`, `benchmarks.matrix`.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from pathlib import Path

_ROOT = Path(__file__).parents[1]
_KILLS = "20"


def main() -> None:
    """Run them; the exit code is that of the first one that failed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--minutes", type=float, default=10.0, help="of two processes writing one store")
    asked = parser.parse_args()
    kills = [sys.executable, "-m", "pytest", "-q", "-k", "killed_at_random", "tests/executors/test_apply.py", "tests/executors/test_measure.py"]
    trials = [
        [sys.executable, "-m", "benchmarks.overhead"],
        [sys.executable, "-m", "benchmarks.store_soak", "--minutes", str(asked.minutes)],
        kills,
        [sys.executable, "-m", "benchmarks.search.overhead"],
        [sys.executable, "-m", "benchmarks.search.kills"],
        [sys.executable, "-m", "benchmarks.nights"],
        [sys.executable, "-m", "benchmarks.protocol"],
    ]
    codes = [_run(trial) for trial in trials]
    sys.exit(next((code for code in codes if code), 0))


def _run(command: list[str]) -> int:
    print(f"== {' '.join(command[1:])}", flush=True)
    return subprocess.run(command, cwd=_ROOT, env={**os.environ, "RECOMMEND_KILLS": _KILLS}, check=False).returncode


if __name__ == "__main__":
    main()
