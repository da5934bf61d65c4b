"""Fits `knowledge/calibration/quality.json` to `knowledge/quality/*.csv`: `python -m benchmarks.fit.quality`.

Ridge regression of log(loss + shift) on the named features of the estimator, every model of the same weight; what is left of a model's rows gives its own effect,
shrunk by how few they are. Intervals and the errors behind `is_safe` come from models that were left out.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.fit.conformal import MIN_GROUPS, interval_table
from recommender.domain.catalog import Catalog
from recommender.estimate.learned import quality
from recommender.estimate.learned.quality import QualityCase
from recommender.loader.compiled import load_catalog

KNOWLEDGE = Path(__file__).parents[2] / "knowledge"
SHIFT = {"perplexity": 0.0003, "accuracy": 0.003, "task": 0.002}  # what the tables themselves resolve: losses below it are the noise of a test set
CEILING = {"perplexity": 12.0, "accuracy": 1.0, "task": 1.0}
METRICS = {
    "perplexity": ["perplexity", "wikitext-2 test, relative rise"], "accuracy": ["accuracy", "MMLU and zero-shot tasks, relative loss"],
    "task": ["task metric", "the data set of each table, relative loss"],
}  # fmt: skip
TRAITS = {
    "depthwise": r"mobilenet|mobiledet|efficientnet|efficientdet|mnasnet|shufflenet|nasnet|ghostnet|mixnet|hardnet|squeezenet|litehrnet|fdmobilenet|efficient|pidnet|sinet",
    "mixture": r"mobile-?vit|levit|efficientvit|efficientformer|detr|fastvit|edgenext|mask2former|convnext|repvit",
    "text attention": r"bert|electra|xlm|longformer|albert|gpt|minilm|t5",
    "attention": r"vit|swin|deit|former|clip|dino|siglip|sam\b|depth-anything|bart|sequencer",
    "yolo": r"yolo|damo|nanodet|rtmdet|tiny-?v\d",
    "dense": r"resnet|resnext|vgg|inception|googlenet|densenet|alexnet|dla|regnet|resnest|hrnet",
}  # fmt: skip
_PENALTY = {"one": 1e-3, "bits": 0.01, "bits below 3.2": 0.05, "bits above 6": 0.05, "size": 0.1, "size x bits": 1.0, "accuracy": 0.05, "kind": 0.5, "scheme": 0.3,
            "family": 2.0, "generation": 2.0, "method": 1.0, "method x low": 1.0, "precision": 0.2, "framework": 0.5, "framework x precision": 2.0, "trait": 0.5,
            "trait x precision": 1.0, "task": 1.0, "task x precision": 3.0, "family x precision": 3.0, "size x precision": 2.0}  # fmt: skip
_OWN = 3.0  # rows of its own at which a model's effect counts half
FOLDS = 12
MIN_ROWS = 2
MIN_FINE = 20  # models of a tool chain and precision that have an interval of their own


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """One published loss. `group` is what is left out: a network with all its variants."""

    case: QualityCase
    truth: Mapping[str, float]
    model: str
    group: str
    class_: str
    device: str = ""
    source: str = ""

    @property
    def shift(self) -> float:
        """Of its metric."""
        return SHIFT[quality.metric_kind(self.case)]

    @property
    def target(self) -> float:
        """log(loss + shift), losses below zero as none."""
        kind = quality.metric_kind(self.case)
        return float(np.log(min(max(self.truth["quality_drop"], 0.0), CEILING[kind]) + self.shift))


def rows() -> list[Row]:
    """The published losses with a baseline, one per model, scheme, tool and data set; half precision of language models apart."""
    families = {key: spec.family for key, spec in _catalog().models.items()}
    table = pd.concat([pd.read_csv(path) for path in sorted((KNOWLEDGE / "quality").glob("*.csv"))])
    table = table[table["drop"].notna()].astype(object).where(lambda cells: cells.notna(), None)
    found = []
    for line in table.to_dict("records"):
        case = case_of(line, families.get(line["model"], ""))
        if case.is_language and (case.bits_per_weight or 0) >= 15:
            continue
        found.append(Row(case=case, truth={"quality_drop": float(line["drop"])}, model=line["model"], group=line["base_model"], class_=quality.class_of(case),
                         device=line["device"] or "", source=line["source"]))  # fmt: skip
    return found


def case_of(line: Mapping[str, Any], family: str) -> QualityCase:
    """What a line of the table describes."""
    is_perplexity = "perplexity" in line["metric"]
    method = line["method"] or ""
    if line["conditions"] == "imatrix" and not method:
        method = "imatrix"
    return QualityCase(
        scheme=line["scheme"], bits_per_weight=line["bits_per_weight"], activation_bits=line["activation_bits"], family=family, n_params=line["n_params"], task=line["task"],
        structure=line["structure"], framework=line["framework"] or "", precision="" if line["task"] in quality.LANGUAGE_TASKS else line["scheme"], model=line["model"],
        metric="perplexity" if is_perplexity else "accuracy", method=method,
    )  # fmt: skip


def fit(found: Sequence[Row]) -> dict[str, Any]:
    """Everything the estimator reads: coefficients, effects of models, measured losses, and intervals from models left out of `found`."""
    learned: dict[str, Any] = {"bits": _bits(), "traits": TRAITS}
    for side in ("language", "graph"):
        own = [row for row in found if row.case.is_language == (side == "language")]
        if not own:
            continue
        members: dict[str, set[str]] = defaultdict(set)
        for row in own:
            members[row.class_].add(row.group)
        covered = sorted(label for label, groups in members.items() if len(groups) >= MIN_GROUPS)
        design = _design(own, learned)
        part = _effects(own, design)
        keys, errors, groups = zip(*_held_out(own, design, covered), *_repeats(own), strict=True)
        part |= {"covered": covered, "published": sorted({quality.published_name(row.case) for row in own}), "shift": SHIFT, "ceiling": round(_ceiling(own[0].case), 4), "metrics": METRICS, "sources": sorted({row.source for row in own})}
        own_groups: dict[str, set[str]] = defaultdict(set)
        for key, group in zip(keys, groups, strict=True):
            own_groups[key].add(group)
        kept = {key for key, members in own_groups.items() if len(members) >= _needed(key)} | {"*"}
        part["intervals"] = {key: [round(end, 3) for end in ends] for key, ends in interval_table(errors, keys, groups).items() if key in kept}
        part["errors"] = {key: _quantiles(errors, keys, groups, key) for key in sorted(kept) if key == "*" or (quality.coarser(key) == key and len(own_groups[key]) >= MIN_GROUPS)}
        learned[side] = part
    return learned


@cache
def _catalog() -> Catalog:
    return load_catalog()


def _bits() -> dict[str, float]:
    return {key: round(scheme.bits_per_weight, 3) for key, scheme in sorted(_catalog().schemes.items())}


@dataclass(frozen=True, kw_only=True, slots=True)
class Design:
    """Rows as numbers: `matrix` [row, feature], `target` [row], `weight` [row], `penalty` [feature]."""

    names: list[str]
    matrix: np.ndarray
    target: np.ndarray
    weight: np.ndarray
    penalty: np.ndarray

    def solve(self, chosen: np.ndarray) -> np.ndarray:
        """Coefficients from the chosen rows: ridge, what is finer is shrunk more; features that none of them has come out as zero."""
        matrix = self.matrix[chosen]
        scaled = matrix * self.weight[chosen, None]
        return np.linalg.solve(matrix.T @ scaled + np.diag(self.penalty), scaled.T @ self.target[chosen])


def _design(found: Sequence[Row], learned: Mapping[str, Any]) -> Design:
    described = [quality.features(row.case, learned) for row in found]
    names = sorted({name for values in described for name in values})
    position = {name: index for index, name in enumerate(names)}
    matrix = np.zeros((len(found), len(names)))
    for index, values in enumerate(described):
        for name, value in values.items():
            matrix[index, position[name]] = value
    counts = Counter(row.group for row in found)
    return Design(
        names=names, matrix=matrix, target=np.array([row.target for row in found]), weight=np.array([counts[row.group] ** -0.5 for row in found]),
        penalty=np.array([_PENALTY.get(name, _PENALTY.get(name.split(":")[0], 0.5)) for name in names]),
    )


def _effects(found: Sequence[Row], design: Design) -> dict[str, Any]:
    """Coefficients, what each model adds to them (shrunk), and the losses measured of each."""
    solution = design.solve(np.arange(len(found)))
    left = design.target - design.matrix @ solution
    models: dict[str, list[float]] = defaultdict(list)
    measured: dict[str, list[float]] = defaultdict(list)
    for row, error in zip(found, left, strict=True):
        base = quality.base_name(row.case.model)
        models[base].append(float(error))
        if row.case.method in ("", "imatrix"):
            for name in quality.measured_names(row.case, base):
                measured[name].append(row.truth["quality_drop"])
    return {
        "coefficients": {name: round(float(value), 4) for name, value in zip(design.names, solution, strict=True) if abs(value) >= 5e-4},
        "models": {name: round(float(np.sum(errors)) / (len(errors) + _OWN), 3) for name, errors in sorted(models.items()) if len(errors) >= MIN_ROWS},
        "measured": {name: round(float(np.median(values)), 5) for name, values in sorted(measured.items())},
    }


def _held_out(found: Sequence[Row], design: Design, covered: Sequence[str]) -> list[tuple[str, float, str]]:
    """(key, error, group) of every row, its group left out of the regression; the keys as the estimator looks them up, fine and coarse."""
    groups = sorted({row.group for row in found})
    fold = {group: index % FOLDS for index, group in enumerate(np.random.default_rng(7).permutation(groups))}
    folds = np.array([fold[row.group] for row in found])
    floor = np.log([row.shift for row in found])
    result = []
    for index in range(FOLDS):
        solution = design.solve(np.flatnonzero(folds != index))
        published = {quality.published_name(row.case) for row, number in zip(found, folds, strict=True) if number != index}
        centres = np.clip(design.matrix @ solution, floor, _ceiling(found[0].case))
        for position in np.flatnonzero(folds == index):
            row = found[position]
            key = quality.interval_key(row.case, published, covered)
            error = float(design.target[position] - centres[position])
            result += [(name, error, row.group) for name in dict.fromkeys((key, quality.coarser(key)))]
    return result


def _needed(key: str) -> int:
    """Groups that an interval of its own takes: one for a tool chain, or one for repeated measurements, replaces a wider one only when it is sure."""
    return MIN_FINE if quality.coarser(key) != key else MIN_GROUPS if key in ("exact", "other") else 0


def _ceiling(case: QualityCase) -> float:
    return float(np.log(12.0 if case.is_language else 1.0))


def _repeats(found: Sequence[Row]) -> list[tuple[str, float, str]]:
    """(key, error, group): how far two measurements of the same model and scheme lie apart: by the same tool (`exact`), by another (`other`)."""
    seen: dict[tuple[str, ...], list[Row]] = defaultdict(list)
    for row in (row for row in found if row.case.method in ("", "imatrix")):
        base = quality.base_name(row.case.model)
        seen[(base, row.case.scheme if row.case.is_language else quality.precision_of(row.case), quality.metric_kind(row.case))].append(row)
    result = []
    for same in seen.values():
        for row in same:
            others = [other for other in same if other is not row]
            if others:
                middle = float(np.median([max(other.truth["quality_drop"], 0.0) for other in others]))
                is_same = any(other.case.framework == row.case.framework for other in others)
                result.append(("exact" if is_same else "other", row.target - float(np.log(middle + row.shift)), row.group))
    return result


def _quantiles(errors: Sequence[float], keys: Sequence[str], groups: Sequence[str], key: str) -> list[float]:
    """19 quantiles of the errors under a key, each group of the same weight: the distribution that `is_safe` reads."""
    chosen = sorted((errors[index], groups[index]) for index, name in enumerate(keys) if key in ("*", name))
    sizes = Counter(group for _, group in chosen)
    weights = np.array([1 / sizes[group] for _, group in chosen])
    shares = (np.cumsum(weights) - weights / 2) / weights.sum()
    return [round(float(value), 3) for value in np.interp(np.arange(0.05, 1, 0.05), shares, [error for error, _ in chosen])]


def main() -> None:
    """Fit to everything and write the file."""
    target = KNOWLEDGE / "calibration" / "quality.json"
    target.write_text(json.dumps(fit(rows()), sort_keys=True, separators=(",", ":"), ensure_ascii=True).replace('],"', '],\n"').replace('},"', '},\n"') + "\n", encoding="utf-8")
    print(f"{target.name}: {target.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
