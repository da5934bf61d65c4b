"""Fit of `recommender/estimate/learned/graphs.py` to `knowledge/evidence/*.csv`: python -m benchmarks.fit.graphs

One ridge regression over all paths: the posterior mean of a mixed model, where the penalty of an effect is the variance of a row over that between
the effect's groups. Outliers count less (Huber).
"""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from scipy import sparse
from scipy.sparse.linalg import lsmr

from benchmarks.fit.conformal import MIN_GROUPS, interval_table
from recommender.compose import load_catalog
from recommender.estimate.learned.case import GraphCase
from recommender.estimate.learned.graphs import METRICS, OWN, SHARED, UNIT_NUMBERS, numbers_of, own_keys, shared_keys, unit_of
from recommender.predict.long_rows import long_case, plain_name, slug
from recommender.predict.spelling import names_of, read_aliases

KNOWLEDGE = Path(__file__).parents[2] / "knowledge"
EVIDENCE = KNOWLEDGE / "evidence"
OUT = KNOWLEDGE / "calibration" / "graphs.json"
FILES = ("edge-chips", "hailo", "microcontrollers", "mlperf", "ncnn", "neural-compressor", "openvino", "phones", "timm", "vision-boards", "vitis-ai")
_OF_MANY_STEPS = ("text-generation", "image-text-to-text", "image-generation")  # a run of their network is not a run of the model
_PENALTIES = {
    "start": 0.01, "shared family": 1.0, "shared network": 0.3, "shared core": 0.15, "shared core-precision": 0.4, "shared unit": 1.0, "shared slope": 3.0,
    "own precision": 0.3, "own facts": 0.3, "own network": 0.2, "own threads": 0.5, "own core": 0.4, "own unit": 1.0, "own unit-precision": 1.0,
    "own unit-threads": 0.5, "own slope": 1.0,
}  # fmt: skip
# What physics expects of a slope, toward which it is shrunk: time grows with the operations asked and falls with operations per second.
_EXPECTED = {
    "macs": 0.6, "params": 0.15, "input": 0.1, "activations": 0.2, "width": 1.3, "resolution": 1.3, "depth": 0.7, "size": 0.6,
    "operations": -0.9, "core-operations": -1.0, "threads": -0.7, "bandwidth": -0.25,
}  # fmt: skip
_HUBER = 0.5  # of a logarithm; a residual beyond it counts in proportion only
_ITERATIONS = 120  # of the solver; more change no third digit
_FOLDS = 4
_SEVERAL = 5  # groups of a path that may speak for other paths
_DIGITS = 3
_NOTHING = 0.03  # effects below it are left out, but where that a thing was seen says something
_MARKS = ("shared network", "shared unit", "own network", "own unit", "own core")

Column = tuple[str, str, str]  # kind, path, label


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """One published figure. device: what it ran on; group: what is the same silicon; model: the network; class_: framework, kind of unit and metric."""

    case: GraphCase
    truth: Mapping[str, float]
    device: str
    group: str
    model: str
    class_: str

    @property
    def metric(self) -> str:
        return next(iter(self.truth))


@dataclass(frozen=True, kw_only=True, slots=True)
class Design:
    """Rows as a matrix [rows, columns], with the logarithm of seconds per input less what physics expects [rows]."""

    columns: list[Column]
    matrix: sparse.csr_matrix
    target: np.ndarray


def rows(folder: Path = EVIDENCE) -> list[Row]:
    """Every latency and throughput of the evidence on graphs, but AI Hub's."""
    catalog = load_catalog()
    names = names_of(catalog, read_aliases(KNOWLEDGE / "aliases"))
    found: list[Row] = []
    for name in FILES:
        with open(folder / f"{name}.csv", encoding="utf-8", newline="") as stream:
            for line in csv.DictReader(stream):
                case = long_case(line, names)
                if line["metric"] not in METRICS or isinstance(case, str) or case.model and catalog.models[case.model].task in _OF_MANY_STEPS:
                    continue
                found.append(Row(
                    case=case, truth={line["metric"]: float(line["value"])}, device=unit_of(case.silicon)[0], group=line["device_group"] or slug(line["device_name"]),
                    model=line["base_model"] or plain_name(line["model_name"]), class_=f"{case.framework} {case.silicon.kind} {line['metric']}",
                ))  # fmt: skip
    return found


def fit(rows: Sequence[Row]) -> dict[str, Any]:
    """What ships, with an interval table from units, from networks, from both and from single pairs of them that an inner fit has not seen."""
    design = _design(rows)
    everything = np.ones(len(rows), bool)
    first = _solved(design, everything, np.ones(len(rows)))
    left = np.abs(design.target - design.matrix @ first)
    weights = np.minimum(1.0, _HUBER / np.maximum(left, 1e-9))
    return {**_readable(design.columns, _solved(design, everything, weights)), "intervals": _intervals(rows, design, weights)}


def _design(rows: Sequence[Row]) -> Design:
    columns: dict[Column, int] = {}
    lines, places, values = [], [], []
    target = np.empty(len(rows))
    for line, row in enumerate(rows):
        numbers = numbers_of(row.case)
        seconds = math.log(row.truth[row.metric]) * (1 if row.metric == "latency" else -1)
        target[line] = seconds - sum(_EXPECTED.get(name, 0.0) * value for name, value in numbers.items())
        for column, value in _terms(row, numbers):
            lines.append(line)
            places.append(columns.setdefault(column, len(columns)))
            values.append(value)
    return Design(columns=list(columns), matrix=sparse.csr_matrix((values, (lines, places)), shape=(len(rows), len(columns))), target=target)


def _terms(row: Row, numbers: Mapping[str, float]) -> Iterator[tuple[Column, float]]:
    path = f"{row.case.path}|{row.metric}"
    yield ("start", path, ""), 1.0
    for name, key in shared_keys(row.case).items():
        yield (f"shared {name}", "", key), 1.0
    for name, key in own_keys(row.case).items():
        yield (f"own {name}", path, key), 1.0
    for name, value in numbers.items():
        yield ("shared slope", "", f"{row.case.silicon.kind} {name}" if name in UNIT_NUMBERS else name), value
        yield ("own slope", path, name), value


def _solved(design: Design, chosen: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Coefficients [columns] of the chosen rows [rows, bool]. A column that has no row in them is 0."""
    scale = np.array([_PENALTIES[kind] ** -0.5 for kind, _, _ in design.columns])
    root = np.sqrt(weights[chosen])
    matrix = sparse.diags(root) @ design.matrix[chosen] @ sparse.diags(scale)
    return np.asarray(lsmr(matrix, root * design.target[chosen], damp=1.0, atol=1e-5, btol=1e-5, maxiter=_ITERATIONS)[0] * scale)


def _readable(columns: Sequence[Column], values: np.ndarray) -> dict[str, Any]:
    """The coefficients as the estimator reads them."""
    shared: dict[str, dict[str, float]] = {name: {} for name in SHARED}
    slopes: dict[str, float] = dict(_EXPECTED)
    paths: dict[str, dict[str, Any]] = {}
    for (kind, path, label), value in zip(columns, values, strict=True):
        number = round(float(value), _DIGITS if kind.endswith("slope") else 2)
        where, _, name = kind.partition(" ")
        if path and path not in paths:
            paths[path] = {**{own: {} for own in OWN}, "slopes": {}, "start": 0.0}
        if kind == "start":
            paths[path]["start"] = number
        elif kind == "shared slope":
            slopes[label] = round(number + _EXPECTED.get(label.rpartition(" ")[2], 0.0), _DIGITS)
        elif kind in _MARKS or abs(number) >= _NOTHING:
            (shared[name] if where == "shared" else paths[path]["slopes" if name == "slope" else name])[label] = number
    return {"shared": shared, "slopes": slopes, "paths": paths}


def _intervals(rows: Sequence[Row], design: Design, weights: np.ndarray) -> dict[str, list[float]]:
    """Quantiles of log errors by path and level, each level from rows that an inner fit did not see what the level lacks of."""
    units, networks = np.array([_fold(row.group) for row in rows]), np.array([_fold(row.model) for row in rows])
    pairs = np.array([_fold(f"{row.device} {row.model}") for row in rows])
    known = {kind: _codes(design, kind) for kind in _MARKS}
    errors: list[float] = []
    paths: list[str] = []
    levels: list[str] = []
    owners: list[str] = []
    for by_network, split in ((False, units), (True, networks), (False, pairs), (False, None)):
        for fold in range(_FOLDS):
            outside = (units == fold) & (networks == fold) if split is None else split == fold
            inside = (units != fold) & (networks != fold) if split is None else split != fold
            if not outside.any() or not inside.any():
                continue
            solved = _solved(design, inside, weights)
            seen = {kind: np.isin(codes, codes[inside]) for kind, codes in known.items()}
            for line in np.flatnonzero(outside):
                errors.append(float(design.target[line] - (design.matrix[line] @ solved)[0]))
                unit = "2" if seen["own unit"][line] else "1" if seen["shared unit"][line] or seen["own core"][line] else "0"
                network = "2" if seen["own network"][line] else "1" if seen["shared network"][line] else "0"
                paths.append(f"{rows[line].case.path}|{rows[line].metric}")
                levels.append(unit + network)
                owners.append(rows[line].model if by_network else rows[line].group)
    return _quantiles(np.array(errors), np.array(paths), np.array(levels), np.array(owners))


def _quantiles(errors: np.ndarray, paths: np.ndarray, levels: np.ndarray, owners: np.ndarray) -> dict[str, list[float]]:
    """{path|level: [low, high]}, with all paths of a level under `*|level` and everything under `*`.

    Pooled are paths of several groups only: where two or three units are known, one that is left out says nothing of other paths.
    """
    found = {"*": interval_table(errors, paths, owners)["*"]}
    for level in np.unique(levels):
        at = levels == level
        groups = {path: len(set(owners[at & (paths == path)])) for path in np.unique(paths[at])}
        rich = at & np.isin(paths, [path for path, n in groups.items() if n >= _SEVERAL])
        pooled = found[f"*|{level}"] = interval_table(errors[rich], paths[rich], owners[rich])["*"] if rich.any() else found["*"]
        for path, n in groups.items():
            own = interval_table(errors[at & (paths == path)], paths[at & (paths == path)], owners[at & (paths == path)])["*"]
            found[f"{path}|{level}"] = own if n >= MIN_GROUPS else [min(own[0], pooled[0]), max(own[1], pooled[1])]
    return {key: [round(float(value), _DIGITS) for value in ends] for key, ends in sorted(found.items())}


def _codes(design: Design, kind: str) -> np.ndarray:
    """The column of this kind that each row has [rows]."""
    of_kind = np.array([column[0] == kind for column in design.columns])
    places = design.matrix.tocoo()
    codes = np.full(design.matrix.shape[0], -1)
    chosen = of_kind[places.col]
    codes[places.row[chosen]] = places.col[chosen]
    return codes


def _fold(text: str) -> int:
    """The same on every machine and in every run."""
    return sum((place + 1) * byte for place, byte in enumerate(text.encode())) % _FOLDS


def main() -> None:
    OUT.write_text(json.dumps(fit(rows()), sort_keys=True, separators=(",", ":")) + "\n", "utf-8")


if __name__ == "__main__":
    main()
