"""Predicted against measured on this machine, llama.cpp, four levels of three shapes (`benchmarks.local_models`) by one and by all threads.

    python -m benchmarks.local [--files DIR] [--rounds 3] [--threads 1,2] [--shapes 0.5b,1b,3b] [--json FILE]
    python -m benchmarks.local --files DIR --freeze FILE    # predictions and their SHA-256, before anything is measured
    python -m benchmarks.local --files DIR --check FILE     # measures, and counts what falls within the frozen intervals

Predictions come from the microbenchmark alone. The files (21 GB) are made once in DIR, or in a temporary folder; half an hour for three rounds.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import random
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.local_models import LEVELS, SHAPES, Shape, made
from recommender.compose import load_catalog, observe_this_machine
from recommender.estimate.learned import local
from recommender.estimate.learned.case import LanguageCase, Predicted, Silicon
from recommender.executors.llama_cpp.tensors import held_tensors
from recommender.intake.microbenchmark import run_microbenchmark, usable_threads
from recommender.measure.take import Run, take

LEARNED = Path(__file__).parents[1] / "knowledge" / "calibration" / "local.json"
METRICS = ("decode_rate", "prefill_rate")
_PROMPT, _OUTPUT = 128, 33  # tokens; a rate of decoding is that at depths of 128 to 160
_LIMITS = {"warm_up_calls": 1, "warm_up_seconds": 0.3, "warm_up_cap": 2.0, "samples": 3, "seconds": 3.0, "cap": 20.0}
_MICROBENCHMARKS = 4  # as often as the product repeats it on a machine that is never quiet; the better of each rate counts

Cell = dict[str, Any]


def main() -> None:
    """Predict, measure, print."""
    asked = _arguments()
    if asked.files:
        asked.files.mkdir(parents=True, exist_ok=True)
        _run(asked, asked.files)
        return
    with tempfile.TemporaryDirectory() as name:
        _run(asked, Path(name))


def _run(asked: argparse.Namespace, folder: Path) -> None:
    document = thawed(asked.check) if asked.check else predicted(_shapes(asked.shapes), [int(number) for number in asked.threads.split(",")], folder)
    if asked.freeze:
        freeze(document, asked.freeze)
        return
    measure(document["cells"], folder, asked.rounds, asked.pause)
    print(table(document["cells"]))
    if asked.json:
        asked.json.write_text(json.dumps(document, indent=1, sort_keys=True) + "\n", encoding="utf-8")


def observed() -> dict[str, Any]:
    """What the predictions read of this machine: its processor and the microbenchmark, the better of each rate over some runs."""
    seen = observe_this_machine(_say, with_microbenchmark=False)
    processor = next(device for device in seen.devices if device.kind == "cpu")
    runs = [run_microbenchmark() for _ in range(_MICROBENCHMARKS)]
    if why := next((run["why"] for run in runs if "why" in run), ""):
        raise SystemExit(why)
    rates = {name: max(float(run.get(name, 0.0)) for run in runs) for name in runs[0] if name != "elapsed"}
    cores = processor.cores.physical if processor.cores else None
    return {"features": list(processor.features), "cores": cores, "clock": processor.attributes.get("max_hz"), "microbenchmark": rates}


def predicted(shapes: Sequence[Shape], threads: Sequence[int], folder: Path) -> dict[str, Any]:
    """This machine, and a cell for each shape, level and number of threads. The files are made; none is run."""
    learned = json.loads(LEARNED.read_text("utf-8"))
    paths = {(shape, level): made(shape, level, folder) for shape in shapes for level in LEVELS}
    machine = observed()
    cells = [cell_of(shape, level, n, path, machine, learned) for (shape, level), path in paths.items() for n in threads]
    return {"machine": machine, "cells": cells}


def cell_of(shape: Shape, level: str, threads: int, path: Path, machine: Mapping[str, Any], learned: Mapping[str, Any]) -> Cell:
    """Of one file: what it holds, and by metric what is predicted, with the ends of the interval."""
    tensors = held_tensors(path).values()
    cell: Cell = {
        "shape": shape.key, "level": level, "threads": threads, "n_params": sum(tensor.elements for tensor in tensors),
        "weight_bytes": sum(tensor.size for tensor in tensors), "kv_bytes": shape.kv_bytes, "prompt": _PROMPT, "depth": _PROMPT + _OUTPUT / 2,
    }
    found = local.predict(case_of(cell, machine), machine["microbenchmark"], learned)
    for metric in METRICS:
        told = found[metric]
        if not isinstance(told, Predicted):
            raise SystemExit(f"{shape.key} {level}: {told}")
        cell[metric] = {"predicted": [told.low, told.central, told.high]}
    return cell


def case_of(cell: Cell, machine: Mapping[str, Any]) -> LanguageCase:
    """What the estimator reads of a cell. Tied embeddings: every weight is read for every token."""
    return LanguageCase(
        silicon=Silicon(kind="cpu", features=frozenset(machine["features"]), cores=machine["cores"], clock=machine["clock"]), framework="llama-cpp",
        execution_provider="cpu", scheme=cell["level"], bits_per_weight=_bits(cell["level"]), n_params=cell["n_params"], weight_bytes=cell["weight_bytes"],
        active_bytes=cell["weight_bytes"], kv_bytes=cell["kv_bytes"], prompt_tokens=cell["prompt"], depth=cell["depth"], threads=cell["threads"],
    )


def measure(cells: Sequence[Cell], folder: Path, rounds: int, pause: float = 0.0) -> None:
    """Add `rounds`, the median rate of each round, to every cell's metrics. In each round the files come in another order.

    `pause`: seconds before each cell, in which a machine cools and others get their turn.
    """
    known = {shape.key: shape for shape in SHAPES}
    for number in range(rounds):
        order = list(cells)
        random.Random(number).shuffle(order)
        for cell in sorted(order, key=lambda each: _place(order, each)):
            time.sleep(pause)
            path = made(known[cell["shape"]], cell["level"], folder)
            for metric, value in _rates(cell, path, folder, number).items():
                cell[metric].setdefault("rounds", []).append(value)
            _say(f"{number + 1}/{rounds} {_name(cell)} {cell['decode_rate']['rounds'][-1]:.2f} tok/s")


def _place(order: Sequence[Cell], cell: Cell) -> int:
    """Of the first cell of its file: a file that was just read is used by all its cells."""
    return next(at for at, each in enumerate(order) if (each["shape"], each["level"]) == (cell["shape"], cell["level"]))


def _rates(cell: Cell, path: Path, folder: Path, number: int) -> dict[str, float]:
    """The product's own repetition: a fresh process, warmed up, some requests."""
    with tempfile.TemporaryDirectory(dir=folder) as work:
        options = {"n_threads": cell["threads"], "context": 512, "execution_provider": "cpu"}
        plan = {"prompt_tokens": _PROMPT, "output_tokens": _OUTPUT, "limits": _LIMITS}
        run = Run(candidate=_name(cell), runner="llama-cpp", artifact=path, folder=Path(work), options=options, plan=plan, mode="quick")
        repetition = take(run, number)
    if not repetition.ok:
        raise SystemExit(f"{_name(cell)}: {repetition.kind}: {repetition.message}")
    return {metric: median(repetition.samples[metric]) for metric in METRICS}


def table(cells: Sequence[Cell]) -> str:
    """A line for each cell and metric, then the median absolute errors and how many fell within their intervals."""
    lines = [f"{'':28s} {'metric':12s} {'measured':>9s} {'predicted':>9s} {'80 % interval':>15s} {'error':>7s}"]
    for metric in METRICS:
        errors, hits = [], 0
        for cell in cells:
            low, central, high = cell[metric]["predicted"]
            measured = median(cell[metric]["rounds"])
            errors.append(abs(central / measured - 1))
            hits += low <= measured <= high
            word = "" if low <= measured <= high else "  MISS"
            lines.append(f"{_name(cell):28s} {metric:12s} {measured:9.2f} {central:9.2f} {low:7.2f}-{high:<7.2f} {central / measured - 1:+7.1%}{word}")
        worst = sorted(errors)[-1]
        lines.append(f"{metric}: median absolute error {median(errors):.1%}, worst {worst:.1%}; {hits} of {len(cells)} within their intervals")
    return "\n".join(lines)


def freeze(document: Mapping[str, Any], path: Path) -> None:
    """Write the predictions, and their digest beside them as `sha256sum` does."""
    path.write_text(json.dumps(document, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    line = f"{_digest(path)}  {path.name}"
    _beside(path).write_text(line + "\n", encoding="utf-8")
    print(f"{len(document['cells'])} predictions frozen: {line}")


def thawed(path: Path) -> dict[str, Any]:
    """The machine and the predictions that were frozen. Ends the program when they are not what the digest is of."""
    if _beside(path).read_text("utf-8").split()[0] != _digest(path):
        raise SystemExit(f"{path} is not what was frozen: its SHA-256 is {_digest(path)}")
    print(f"frozen: {_digest(path)}  {path.name}")
    found: dict[str, Any] = json.loads(path.read_text("utf-8"))
    return found


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _beside(path: Path) -> Path:
    return path.with_name(path.name + ".sha256")


@cache
def _bits(level: str) -> float:
    return load_catalog().schemes[level].bits_per_weight


def _name(cell: Cell) -> str:
    return f"{cell['shape']} {cell['level']}, {cell['threads']} thread{'s' if cell['threads'] > 1 else ''}"


def _shapes(names: str) -> list[Shape]:
    return [shape for shape in SHAPES if any(shape.key.endswith(f"-{name}") for name in names.split(","))]


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--files", type=Path, help="where the models are, or are made")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", default=",".join(map(str, sorted({1, usable_threads()}))))
    parser.add_argument("--pause", type=float, default=0.0, metavar="SECONDS", help="before each measurement, to cool down")
    parser.add_argument("--shapes", default="0.5b,1b,3b")
    parser.add_argument("--json", type=Path, help="everything, for `benchmarks.fit.local`")
    parser.add_argument("--freeze", type=Path, metavar="FILE")
    parser.add_argument("--check", type=Path, metavar="FILE")
    asked = parser.parse_args()
    if (asked.freeze or asked.check) and not asked.files:
        parser.error("--freeze and --check need --files: both must speak of the same files")
    return asked


if __name__ == "__main__":
    main()
