"""A worker that needs artifacts, as a program: FOLDER URL STRENGTH LOG NAME... What it makes is noted in LOG, `!` before a name dies while it makes it."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from recommender.apply.artifacts import Artifacts, Made
from recommender.domain.errors import ExecutorUnavailable, StepFailed
from recommender.tune.exchange import Exchange
from recommender.tune.storage import BESIDE, Record


def choice(name: str) -> dict[str, Any]:
    return {
        "id": f"null/cpu/{name}", "format": "null", "scheme": name, "execution_provider": "cpu",
        "recipe": {"steps": [{"action": "convert", "preparer": "null", "parameters": {}, "size": 1}]},
    }  # fmt: skip


def record(url: str, lease: float = 3.0) -> Record:
    return Record(url, f"{BESIDE}sweep", directions=["up"], meta={"model_hash": "abc"}, lease=lease)


def main() -> None:
    folder, url, strength, log, *names = sys.argv[1:]
    dies = [name.removeprefix("!") for name in names if name.startswith("!")]

    def make(wanted: Mapping[str, Any]) -> Made:
        name = wanted["scheme"]
        with open(log, "a") as stream:
            stream.write(f"{name} {strength}\n")
        if name in dies:
            print("dying", flush=True)
            time.sleep(60)
        if name == "broken":
            raise StepFailed("it cannot be converted", kind="wrong-output")
        if name == "special" and float(strength) > 4:
            raise ExecutorUnavailable("no such converter here")
        artifacts = Artifacts()
        partial = artifacts.begin(f"step-{name}")
        (partial / "files" / "model").mkdir()
        (partial / "files" / "model" / "weights.bin").write_text(f"weights of {name} {os.getpid()}")
        (partial / "files" / "model" / "config.json").write_text("{}")
        return artifacts.finish(f"step-{name}", partial, "model", {"method": "x"}, {})

    exchange = Exchange(Path(folder), record(url), make, source="abc", strength=float(strength), patience=20.0, say=lambda line: print(line, file=sys.stderr))
    found = {}
    for name in names:
        try:
            made = exchange.made(choice(name.removeprefix("!")))
            found[name] = [made.hash, (made.path / "weights.bin").read_text(), str(made.path), made.facts]
        except StepFailed as error:
            found[name] = [error.kind, error.message]
    print(json.dumps(found), flush=True)
    deadline = time.monotonic() + 30
    while sys.stdin.readline() == "serve\n" and time.monotonic() < deadline:
        exchange.serve()
    exchange.close()


if __name__ == "__main__":
    main()
