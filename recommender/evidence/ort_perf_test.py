"""onnxruntime_perf_test's result file: `model,seconds,peak bytes,CPU %,run`, one line a run, then with `-s` some sentences.

The release of 2019 wrote nanoseconds as whole numbers; such a file is refused, since nothing in it tells the unit.
"""

from __future__ import annotations

import csv

from recommender.evidence.figures import figure, number, sampled
from recommender.evidence.told import Document, Fault, NotThisFormat, Rows, Told, attempt, stem

_FIELDS = 5
_LONGEST = 3600.0  # seconds of one inference that are believed


def read(document: Document) -> Rows:
    """One row for each model in the file."""
    runs: dict[str, list[list[str]]] = {}
    for line, fields in enumerate(csv.reader(document.text.splitlines()), 1):
        if len(fields) == _FIELDS:
            runs.setdefault(fields[0], []).append(fields)
        elif len(fields) > 1:
            yield Fault(row=f"line {line}", reason=f"it has {len(fields)} fields, not {_FIELDS}")
    if not runs:
        raise NotThisFormat("no line has the five fields model, seconds, bytes, CPU and run")
    for model, lines in runs.items():
        yield attempt(f"model {model}", _told, model, lines)


def _told(row: str, model: str, lines: list[list[str]]) -> Told:
    if any(number(fields[1], "seconds") > _LONGEST for fields in lines):
        raise ValueError(f"`{lines[0][1]}` seconds for one inference: the file is of a release that wrote nanoseconds")
    metrics = {"latency": sampled("latency", [fields[1] for fields in lines], "s")}
    peak = max(number(fields[2], "bytes") for fields in lines)
    if peak > 0:
        metrics["peak_memory"] = figure("peak_memory", peak, "bytes")
    return Told(row=row, metrics=metrics, models=(stem(model),))
