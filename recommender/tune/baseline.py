"""A tune document as the baseline of nightly runs: which cells it names, with the figures they had."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import exp, isfinite
from pathlib import Path
from typing import Any

from recommender.domain.errors import UsageError
from recommender.domain.workload import METRICS, parse_constraint
from recommender.tune.regression import Cell, condense

MAX_DOCUMENT = 64 << 20  # bytes
OF_A_PROCESS = ("decode_rate", "prefill_rate", "ttft", "tpot", "latency", "throughput", "load_time", "first_call", "peak_memory")  # what a repetition tells
_HINT = "recommend tune --model MODEL --json > BASELINE.json"
Place = tuple[str, str]  # device class, point
Figures = Mapping[str, tuple[float, int, float | None]]  # metric -> figure, number of processes, their squared differences


@dataclass(frozen=True, kw_only=True, slots=True)
class Baseline:
    """What a night is compared with.

    Attributes:
        digest: of the document; another document starts another history. study: as the document has it (model, workload, objectives, needs).
        cells: to be judged. left_out: metrics of objectives and needs that a repetition does not tell.
    """

    name: str
    digest: str
    study: Mapping[str, Any]
    cells: tuple[Cell, ...]
    left_out: tuple[str, ...] = ()

    def of_class(self, device_class: str) -> tuple[Cell, ...]:
        return tuple(cell for cell in self.cells if cell.device_class == device_class)

    @property
    def classes(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(cell.device_class for cell in self.cells))


def read(path: Path, *, takes_all: bool = False) -> Baseline:
    """The best points and those on a Pareto front, of each class; with `takes_all` every one that was measured.

    Raises:
        UsageError: no such file, not a tune document, or nothing in it can be compared.
    """
    document = _document(path)
    study = document["study"]
    measured = _measured(document)
    wanted = list(measured) if takes_all else [place for place in _chosen(document) if place in measured]
    metrics = _metrics(study)
    cells = tuple(
        _cell(place, metric, better, *measured[place][metric])
        for place in wanted for metric, better in metrics.items() if metric in OF_A_PROCESS and metric in measured[place]
    )
    if not cells:
        raise UsageError(f"--against `{path}`: none of its trials can be compared by {', '.join(metrics) or 'an objective'}", hints=(_HINT, f"recommend tune --against {path} --all"))
    digest = hashlib.sha256(json.dumps(document, sort_keys=True).encode()).hexdigest()[:16]
    return Baseline(name=str(path), digest=digest, study=study, cells=cells, left_out=tuple(metric for metric in metrics if metric not in OF_A_PROCESS))


def _cell(place: Place, metric: str, better: str, value: float, n: int, squares: float | None) -> Cell:
    return Cell(device_class=place[0], point=place[1], metric=metric, better=better, value=value, n=n, squares=squares)


def _document(path: Path) -> dict[str, Any]:
    try:
        if path.stat().st_size > MAX_DOCUMENT:
            raise ValueError(f"larger than {MAX_DOCUMENT >> 20} MiB")
        document = json.loads(path.read_text("utf-8-sig"))
    except OSError as error:
        raise UsageError(f"--against `{path}` cannot be read: {error.strerror or error}", hints=(_HINT,)) from None
    except (ValueError, RecursionError) as error:
        raise UsageError(f"--against `{path}` is not a tune document: {str(error).splitlines()[0]}", hints=(_HINT,)) from None
    if why := _defect(document):
        raise UsageError(f"--against `{path}` is not a tune document: {why}", hints=(_HINT,))
    found: dict[str, Any] = document
    return found


def _defect(document: Any) -> str:
    """What a tune document has and this one lacks."""
    if not isinstance(document, dict) or not isinstance(document.get("study"), dict) or not isinstance(document.get("trials"), list):
        return "it has no `study` or no `trials`"
    objectives = document["study"].get("objectives")
    if not isinstance(objectives, list) or not objectives or not all(isinstance(row, dict) and row.get("metric") in METRICS and row.get("better") in ("up", "down") for row in objectives):
        return "its study names no `objectives`"
    if not isinstance(document.get("classes") or {}, dict):
        return "its `classes` are none"
    for at, trial in enumerate(document["trials"]):
        if not isinstance(trial, dict) or not {"number", "point", "state"} <= set(trial) or not isinstance(trial.get("metrics", {}), dict):
            return f"number {at} of its trials lacks a number, a point, a state or metrics"
    return ""


def _measured(document: Mapping[str, Any]) -> dict[Place, Figures]:
    """Figures of every place. A trial is one fresh process of its point; of classes whose trials are not there, the winner's summary counts."""
    values: dict[Place, dict[str, list[float]]] = {}
    for trial in document["trials"]:
        if trial["state"] == "COMPLETE" and trial.get("fidelity") != "proxy":  # a proxy is another artifact than the point's
            metrics = values.setdefault((_class_of(trial, document), str(trial["point"])), {})
            for metric in trial["metrics"]:
                if value := _positive(trial["metrics"][metric]):
                    metrics.setdefault(metric, []).append(value)
    found: dict[Place, Figures] = {place: {metric: _figure(each) for metric, each in metrics.items()} for place, metrics in values.items()}
    for name, part in (document.get("classes") or {}).items():
        if isinstance(part, dict) and part.get("winner") and not any(place[0] == name for place in found):
            rows = part.get("metrics") or {}
            found[name, part["winner"]] = {metric: (value, max(1, int(row.get("n") or 1)), None) for metric, row in rows.items() if (value := _positive(row))}
    return found


def _figure(values: list[float]) -> tuple[float, int, float]:
    figure = condense(values)
    return exp(figure.centre), figure.n, figure.squares


def _chosen(document: Mapping[str, Any]) -> Iterator[Place]:
    """Places that are best or on a Pareto front, each once."""
    own = document["study"].get("class")
    parts = {**({own: document} if own else {}), **(document.get("classes") or {})}
    found: dict[Place, None] = {}
    for name, part in parts.items():
        numbers = {part.get("best"), *(part.get("pareto") or ())}
        found |= {(name, str(trial["point"])): None for trial in document["trials"] if trial["number"] in numbers and _class_of(trial, document) == name}
        found |= {(name, point): None for point in [part.get("winner")] if point}
    yield from found


def _class_of(trial: Mapping[str, Any], document: Mapping[str, Any]) -> str:
    return str(trial.get("class") or document["study"].get("class") or "")


def _metrics(study: Mapping[str, Any]) -> dict[str, str]:
    """Metrics of objectives and needs, with their direction."""
    found = {row["metric"]: row["better"] for row in study["objectives"]}
    for text in study.get("needs") or ():
        try:
            metric = parse_constraint(str(text)).metric
        except ValueError:
            continue  # written by another version: it bounds, it is not compared
        found.setdefault(metric, METRICS[metric][1])
    return found


def _positive(row: Any) -> float | None:
    value = row.get("value") if isinstance(row, dict) else None
    return float(value) if isinstance(value, (int, float)) and isfinite(value) and value > 0 else None
