"""The jobs of `knowledge/evidence/ai-hub*.csv` as cases with their figures, and what their repeats say."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from recommender.estimate.learned.case import GraphCase
from recommender.estimate.learned.graph import arithmetic
from recommender.loader.compiled import load_catalog
from recommender.predict.graph_rows import graph_case
from recommender.predict.spelling import Names, names_of, read_aliases

KNOWLEDGE = Path(__file__).parents[2] / "knowledge"
FILES = ("ai-hub.csv", "ai-hub-earlier.csv")  # the newest release, and what only earlier ones have
REPEATS = KNOWLEDGE / "calibration" / "ai-hub-repeats.json"
_MIB = 2.0**20


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """One job. `truth` is empty for rows of earlier releases, which train and are not judged; `measured` has their figures too."""

    case: GraphCase
    measured: Mapping[str, float]
    unit: str
    is_newest: bool
    catalog_model: str

    @property
    def truth(self) -> Mapping[str, float]:
        return self.measured if self.is_newest else {}

    @property
    def device(self) -> str:
        return self.case.silicon.name

    @property
    def group(self) -> str:
        return self.case.silicon.group

    @property
    def model(self) -> str:
        return self.case.base_model

    @property
    def class_(self) -> str:
        return f"{self.case.framework} {arithmetic(self.case.precision)}"


def rows() -> list[Row]:
    """All jobs of the evidence."""
    found = []
    for file in FILES:
        with open(KNOWLEDGE / "evidence" / file, newline="", encoding="utf-8") as stream:
            for row in csv.DictReader(stream):
                case = graph_case(row, _names()) if row["metric"] == "latency" else "not a job"
                if not isinstance(case, str):
                    high = float(row["peak_mem_mb_high"] or 0) * _MIB
                    figures = {"latency": float(row["value"])} | ({"peak_memory": high} if high else {})
                    found.append(Row(case=case, measured=figures, unit=row["primary_unit"].lower(), is_newest=file == FILES[0], catalog_model=row["model"]))
    return found


def repeats() -> dict[str, Any]:
    """`noise`: by how much the very same job moves until the next release (relative; its median). `failures`: path -> share of jobs that failed."""
    told = json.loads(REPEATS.read_text("utf-8"))
    paths = _names().spelled["runtime"]
    failures = {paths[runtime.replace("_", " ")].partition("/")[0]: round(failed / tried, 5) for runtime, (failed, tried) in told["failures"].items()}
    return {"noise": told["noise"]["median"], "failures": failures}


@cache
def _names() -> Names:
    return names_of(load_catalog(), read_aliases(KNOWLEDGE / "aliases"))
