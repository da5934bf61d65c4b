"""Sweeps that are killed: `kill -9` of the whole sweep, of single workers, and of PostgreSQL under them; what was lost, and what was run twice.

    python -m benchmarks.search.kills [--kills 20] [--seed 0] [--json FILE]

Whole: a sweep that is killed at random moments and started again under its name must end with the repetitions of one that nobody disturbed. Workers and
servers: eight workers on one PostgreSQL; at random moments one is killed and replaced, or the server is, and comes back two seconds later.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from random import Random
from typing import Any

from benchmarks.search.null_space import space_of
from benchmarks.search.postgres_server import Server, programs
from recommender.tune.storage import Row, rows_of

_ROOT = Path(__file__).parents[2]
_WORKERS = 8
_AWAY = 2.0  # seconds that a killed server is away


def started(url: str, study: str, *flags: str) -> subprocess.Popen[str]:
    """A worker; it says each trial on standard error."""
    command = [sys.executable, "-m", "benchmarks.search.null_sweep", "--storage", url, "--study", study, *flags]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=_ROOT)


def killed_at(process: subprocess.Popen[str], trial: int) -> bool:
    """Kill a worker as its n-th trial of this life begins; False when it came to its end before."""
    assert process.stderr is not None
    for _ in range(trial):
        if not process.stderr.readline():
            ended(process)
            return False
    process.kill()
    process.communicate()
    return True


def ended(process: subprocess.Popen[str], timeout: float = 120.0) -> dict[str, Any]:
    """What a worker says at its end; of several, the last one."""
    output, errors = process.communicate(timeout=timeout)
    if process.returncode:
        raise RuntimeError(errors)
    return dict(json.loads(output.splitlines()[-1]))


def rows(url: str, study: str) -> list[Row]:
    return rows_of(url, f"{study}/null")[1]


def repeated(found: list[Row]) -> list[tuple[str, int]]:
    """Points and rounds that are complete more than once."""
    counts = Counter((row.point, row.round) for row in found if row.state == "COMPLETE")
    return [key for key, count in counts.items() if count > 1]


def lost(before: list[Row], after: list[Row]) -> list[int]:
    """Trials that were finished and are no more, or not as they were."""
    kept = {row.number: row for row in after}
    return [row.number for row in before if row.state == "COMPLETE" and kept.get(row.number) != row]


def whole(folder: Path, kills: int, rng: Random) -> dict[str, Any]:
    """Sweeps killed as a whole, three times each."""
    flags = ("--points", "64", "--trials", "24", "--seconds-a-trial", "0.02", "--seed", str(rng.randrange(1000)))
    found: dict[str, Any] = {"kills": 0, "sweeps": 0, "differ": 0, "lost": 0, "twice": 0}
    wanted = ended(started(f"journal:{folder}/calm.log", "calm", *flags))["done"]
    while found["kills"] < kills:
        study = f"killed-{found['sweeps']}"
        url = f"journal:{folder}/{study}.log"
        for _ in range(3):
            if not killed_at(started(url, study, *flags), rng.randint(1, 10)):
                break
            found["kills"] += 1
            before = rows(url, study)
        ended(started(url, study, *flags))
        after = rows(url, study)
        found["sweeps"] += 1
        found["differ"] += sorted([row.point, row.round] for row in after if row.state == "COMPLETE") != wanted
        found["lost"] += len(lost(before, after))
        found["twice"] += len(repeated(after))
    return found


def fleet(server: Server, kills: int, rng: Random) -> dict[str, Any]:
    """Eight workers on one server; workers and the server are killed in turns of chance until all points are done."""
    url, points = server.database("kills"), 40 * kills
    flags = ("--points", str(points), "--seconds-a-trial", "0.5", "--lease", "5", "--elsewhere", "--sampler", "none")
    workers = [started(url, "fleet", *flags) for _ in range(_WORKERS)]
    found: dict[str, Any] = {"points": points, "workers": _WORKERS, "kills_of_workers": 0, "kills_of_server": 0, "lost": 0}
    for number in range(kills):
        time.sleep(rng.uniform(3, 6))
        before = rows(url, "fleet")
        if number % 4 == 3:
            server.kill()
            time.sleep(_AWAY)
            server.start()
            found["kills_of_server"] += 1
        else:
            victim = workers.pop(rng.randrange(len(workers)))
            victim.kill()
            victim.communicate()
            workers.append(started(url, "fleet", *flags))
            found["kills_of_workers"] += 1
        found["lost"] += len(lost(before, rows(url, "fleet")))
    for each in workers:
        ended(each, timeout=1200.0)
    after = rows(url, "fleet")
    done = {row.point for row in after if row.state == "COMPLETE"}
    return {**found, "twice": len(repeated(after)), "left_undone": len({point.id for point in space_of(points).points} - done), "given_back": sum(row.state == "FAIL" for row in after)}


def main() -> None:
    """Kill, and tell; the exit code is 1 when anything was lost, run twice or left undone."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path)
    asked = parser.parse_args()
    rng = Random(asked.seed)
    with tempfile.TemporaryDirectory() as folder:
        told: dict[str, Any] = {"whole": whole(Path(folder), asked.kills, rng)}
    if (found := programs()) is not None:
        server = Server(found)
        try:
            told["fleet"] = fleet(server, asked.kills, rng)
        finally:
            server.close()
    print(json.dumps(told, indent=1))
    if asked.json:
        asked.json.write_text(json.dumps(told, indent=1, sort_keys=True) + "\n", "utf-8")
    sys.exit(any(part.get(name) for part in told.values() for name in ("lost", "twice", "differ", "left_undone")))


if __name__ == "__main__":
    main()
