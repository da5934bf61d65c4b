"""Artifacts of the null executor, plans that are quick, and a clock that only calls advance."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from recommender.measure.take import Run

RUNNER = "recommender.executors.null.executor:RUNNER"
LIMITS = {"warm_up_calls": 2, "warm_up_seconds": 0.02, "warm_up_cap": 0.5, "samples": 6, "seconds": 0.1, "cap": 2.0}
TOKENS = {"prompt_tokens": 32, "output_tokens": 8, "limits": LIMITS}
GRAPH = {"limits": LIMITS}


def artifact(folder: Path, **told: Any) -> Path:
    path = folder / f"{'-'.join(f'{name}={value}' for name, value in told.items()) or 'plain'}.json"
    path.write_text(json.dumps(told), "utf-8")
    return path


def run_of(folder: Path, *, plan: dict[str, Any] | None = None, **told: Any) -> Run:
    """A candidate of the null executor that behaves as told."""
    folder.mkdir(exist_ok=True)
    path = artifact(folder, **told)
    chosen = plan if plan is not None else (TOKENS if told.get("kind") == "tokens" else GRAPH)
    return Run(candidate=path.stem, runner="null", artifact=path, folder=folder / "work", plan=chosen, mode="quick", wall=60.0)


class FakeClock:
    """Seconds that pass only when told."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    def pass_by(self, seconds: float) -> None:
        self.now += seconds
