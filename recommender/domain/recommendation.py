"""The request and the answer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from recommender.domain.candidate import Candidate
from recommender.domain.estimate import Estimate
from recommender.domain.model import ModelSpec
from recommender.domain.rule import Step
from recommender.domain.workload import Workload

SCHEMA_VERSION = 1
VERDICTS = ("RECOMMENDED", "KEEP-BASELINE", "TIE", "INCONCLUSIVE", "INFEASIBLE", "ANOMALOUS")
EXIT_CODES = {"RECOMMENDED": 0, "KEEP-BASELINE": 0, "TIE": 0, "INFEASIBLE": 3, "INCONCLUSIVE": 4, "ANOMALOUS": 4}


@dataclass(frozen=True, kw_only=True, slots=True)
class Wishes:
    """What the user asks beyond the workload.

    Attributes:
        prefer: metric-like wish -> weight (speed, quality, memory, energy): a weighted choice on the Pareto front only.
        way_of_working: prototype or enterprise, or empty.
        allow_below_floor: recommend even what is of little use for the workload.
    """

    prefer: Mapping[str, float] = field(default_factory=dict)
    way_of_working: str = ""
    is_mobile: bool = False
    is_cross_platform: bool = False
    is_offline: bool = False
    allow_below_floor: bool = False
    frameworks: tuple[str, ...] = ()
    excluded_frameworks: tuple[str, ...] = ()
    ignore_evidence: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Request:
    """Model, workload and wishes, all resolved. `beside`: models that must run at the same time."""

    model: ModelSpec
    workload: Workload
    wishes: Wishes = Wishes()
    beside: tuple[ModelSpec, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Criterion:
    """One labelled ranking key: smaller sorts first; `shown` is what the reader sees, `basis` where it comes from."""

    id: str
    label: str
    key: float
    shown: str
    basis: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class RecipeStep:
    """action: fetch, convert, quantize, calibrate, compile, verify. where: here, target, any-x86-linux, cloud. size in bytes."""

    action: str
    preparer: str
    where: str
    inputs: tuple[str, ...] = ()
    outputs: tuple[str, ...] = ()
    parameters: Mapping[str, Any] = field(default_factory=dict)
    size: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Choice:
    """An eligible candidate with all that is known of it."""

    rank: int
    candidate: Candidate
    estimates: Mapping[str, Estimate]
    criteria: tuple[Criterion, ...]
    rules: tuple[str, ...] = ()
    reasons: Mapping[str, str] = field(default_factory=dict)  # row that placed unit, framework or scheme -> its sentence
    warnings: tuple[str, ...] = ()
    recipe: tuple[RecipeStep, ...] = ()
    launch: str = ""
    pareto: bool = False
    runnable_here: bool | None = None
    memory_by_component: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class Dismissal:
    """A candidate that is ineligible or undetermined, and every reason."""

    candidate: Candidate
    eligibility: str
    because: tuple[Step, ...]
    estimates: Mapping[str, Estimate] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class Recommendation:
    """The decision. The document (JSON) is a view of it."""

    verdict: str
    why: str
    request: Request
    choices: tuple[Choice, ...]
    rejected: tuple[Dismissal, ...]
    undetermined: tuple[Dismissal, ...]
    hints: tuple[str, ...]
    trace: tuple[Step, ...]
    assumptions: tuple[str, ...] = ()
    usable_memory: Mapping[str, float | None] = field(default_factory=dict)  # device id -> bytes a model may take
