"""Two processes write one evidence store for some minutes; then every row that was acknowledged must be there, whole.

    python -m benchmarks.store_soak [--minutes 10]

Prints one JSON object a store: rows, lost and damaged rows, failed writes with their messages, the slowest write. Ends with 1 when anything was lost.
SQLite is soaked in a temporary folder; then PostgreSQL, where RECOMMEND_EVIDENCE_URL names a database (an empty one made for this: rows stay).
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from typing import Any

from recommender.domain.errors import ActionFailed
from recommender.store.database import URL_VARIABLE, shown
from recommender.store.evidence import EvidenceStore
from recommender.testing.store import measurement

WRITERS = 2
READ_EVERY = 20  # writes; readers must not stand in the way
SAMPLES = 200  # numbers in a row: about what a measurement holds


def row(run: str, writer: int, number: int) -> Any:
    """The row of that number, computable again."""
    return measurement(f"{run}-{writer}-{number}", model=f"soak-{run}", samples={"decode": [number / 7 + step for step in range(SAMPLES)]})


def write(run: str, writer: int, seconds: float) -> dict[str, Any]:
    """Write until the time is over: how many rows were acknowledged, which writes failed."""
    store, failed, slowest, number = EvidenceStore(), [], 0.0, 0
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        started = time.monotonic()
        try:
            store.add(row(run, writer, number))
            number += 1
        except ActionFailed as error:
            failed.append(error.message)
        slowest = max(slowest, time.monotonic() - started)
        if number % READ_EVERY == 0:
            store.find(model=f"soak-{run}", limit=1)
    return {"rows": number, "failed": failed, "slowest": slowest}


def soak(seconds: float) -> dict[str, Any]:
    """Let the writers run as processes of their own, then compare what they were told with what is stored."""
    run = os.urandom(4).hex()
    command = [sys.executable, "-m", "benchmarks.store_soak", "--seconds", str(seconds), "--run", run]
    processes = [subprocess.Popen([*command, "--writer", str(writer)], stdout=subprocess.PIPE, text=True) for writer in range(WRITERS)]
    told = [json.loads(process.communicate()[0]) for process in processes]
    found = {each.id: each for each in EvidenceStore().find(model=f"soak-{run}")}
    expected = [row(run, writer, number) for writer, each in enumerate(told) for number in range(each["rows"])]
    return {
        "store": shown(), "writers": WRITERS, "seconds": seconds, "acknowledged": len(expected), "stored": len(found),
        "lost": sum(each.id not in found for each in expected), "damaged": sum(found.get(each.id, each) != each for each in expected),
        "failed": [message for each in told for message in each["failed"]], "slowest_write": max(each["slowest"] for each in told),
    }  # fmt: skip


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--seconds", type=float, help=argparse.SUPPRESS)
    parser.add_argument("--run", default="", help=argparse.SUPPRESS)
    parser.add_argument("--writer", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.writer is not None:
        print(json.dumps(write(options.run, options.writer, options.seconds)))
        return 0
    results, url = [], os.environ.get(URL_VARIABLE, "")
    with tempfile.TemporaryDirectory() as folder:
        for place in ("", url) if url else ("",):
            os.environ.update({URL_VARIABLE: place, "RECOMMEND_DATA_DIR": folder})
            results.append(soak(60 * options.minutes))
            print(json.dumps(results[-1]), flush=True)
    return int(any(result["lost"] or result["damaged"] or result["failed"] for result in results))


if __name__ == "__main__":
    sys.exit(main())
