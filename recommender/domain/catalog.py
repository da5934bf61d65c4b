"""The loaded knowledge as one immutable value."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from recommender.domain.evidence import Evidence
from recommender.domain.facts import DeviceFacts, FrameworkFacts, MachineFacts, Source
from recommender.domain.model import ModelSpec
from recommender.domain.quantity import FROM_FILE
from recommender.domain.quantization import QuantScheme
from recommender.domain.rule import DecisionTable
from recommender.domain.workload import Workload


@dataclass(frozen=True, kw_only=True, slots=True)
class Efficiency:
    """Share of the peak that a phase reaches; the first row whose conditions hold is used.

    phase: decode, prefill, inference. resource: memory-bandwidth or compute. low <= central <= high.
    """

    __pydantic_config__ = FROM_FILE

    id: str
    phase: str
    resource: str
    when: Mapping[str, Any]
    low: float
    central: float
    high: float
    because: str = ""
    sources: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Overhead:
    """Costs beside the work itself; of each kind the first row whose conditions hold is used.

    kind: call [s per inference], operator [s per graph node], memory [bytes of the runtime itself], weights_copy [share of the
    weights held a second time], repacked [share of the layers' and the head's weights rewritten to another layout],
    repacked_table [share of the head's table among them; without a row: all of it when it has the layers' own type],
    logits [tokens whose logits are held at once], activations [times the activations of one inference].
    """

    __pydantic_config__ = FROM_FILE

    id: str
    kind: str
    when: Mapping[str, Any]
    low: float
    central: float
    high: float
    because: str = ""
    sources: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Rate:
    """Operations per cycle and core of a processor at a precision, by its features; `clock` [Hz] stands in where none is known."""

    __pydantic_config__ = FROM_FILE

    id: str
    precision: str
    when: Mapping[str, Any]
    operations_per_cycle: float
    clock: float
    because: str = ""
    sources: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Preparer:
    """One way to make an artifact. action: convert, quantize, compile. where: here, any-x86-linux, cloud, target.

    `produces`: the format that comes out, where it is only one; a source that has it already skips the step.
    `command` is a template ({source}, {out}, {scheme}, {bits}, {group_size}); `has_own`: this program can do it.
    """

    __pydantic_config__ = FROM_FILE

    key: str
    action: str
    where: str
    has_own: bool
    produces: str = ""
    command: str = ""
    because: str = ""
    sources: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class MemoryBudget:
    """Share and cap of installed memory an app may use on an operating system."""

    __pydantic_config__ = FROM_FILE

    id: str
    when: Mapping[str, Any]
    share: float
    cap: int | None = None
    reserve: int
    because: str
    sources: tuple[str, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class QualityDrop:
    """Expected relative loss of a scheme for models of a task and size (fractions)."""

    __pydantic_config__ = FROM_FILE

    id: str
    scheme: str
    when: Mapping[str, Any]
    low: float
    central: float
    high: float
    metric: str
    dataset: str
    basis: str
    sources: tuple[str, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Claim:
    """What the chapter or a vendor claims, to be confirmed or refuted; it feeds no estimate."""

    __pydantic_config__ = FROM_FILE

    id: str
    text: str
    about: Mapping[str, Any]
    metric: str
    unit: str
    sources: tuple[str, ...]
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Tally:
    """How often picks were best, or nearly, in cases that were measured.

    verdict: supported, contradicted, too-few. hits: cases where the pick was best or within the tolerance; low, high: interval of their share.
    Regrets (fractions) are the best over the pick minus one: median, geometric mean and its interval.
    """

    __pydantic_config__ = FROM_FILE

    verdict: str
    cases: int
    hits: int
    devices: int
    models: int
    low: float
    high: float
    median_regret: float
    mean_regret: float
    mean_low: float
    mean_high: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Audit:
    """What was found of one thing that a rule claims: speed, power or quality. `is_claimed`: false where it is only shown beside the claim.

    overruled: cases in which a better-sourced row decides instead. classes: by kind of model and unit (`vision/npu`).
    """

    __pydantic_config__ = FROM_FILE

    claim: str
    tolerance: float
    overall: Tally
    is_claimed: bool = True
    overruled: int = 0
    classes: Mapping[str, Tally] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class RankingKey:
    """One labelled ranking key: which `measure` of a choice, compared in bands of `band` (relative; 0 = as it is)."""

    __pydantic_config__ = FROM_FILE

    id: str
    label: str
    measure: str
    band: float = 0.0
    because: str = ""
    sources: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Portability:
    """How far one artifact travels, by format and execution provider (`*` = any)."""

    __pydantic_config__ = FROM_FILE

    format: str
    execution_provider: str
    value: str
    because: str = ""
    sources: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class MatchRow:
    """What identification reads of a device entry, so that it need not build all of them. Names and patterns are normalised."""

    key: str
    kind: str
    generic: bool
    match: tuple[Mapping[str, str], ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Catalog:
    """Everything, by key. `version` is the catalogue's own; `overlaid` names the entries that an overlay brought: `models:x` -> layer."""

    version: str
    layers: tuple[str, ...]
    vocabulary: Mapping[str, Mapping[str, Any]]
    sources: Mapping[str, Source]
    devices: Mapping[str, DeviceFacts]
    machines: Mapping[str, MachineFacts]
    models: Mapping[str, ModelSpec]
    schemes: Mapping[str, QuantScheme]
    frameworks: Mapping[str, FrameworkFacts]
    workloads: Mapping[str, Workload]
    tables: Mapping[str, DecisionTable]
    efficiencies: tuple[Efficiency, ...]
    overheads: tuple[Overhead, ...]
    budgets: tuple[MemoryBudget, ...]
    quality: tuple[QualityDrop, ...]
    rates: tuple[Rate, ...]
    preparers: Mapping[str, Preparer]
    claims: Mapping[str, Claim]
    ranking: tuple[RankingKey, ...]
    portability: tuple[Portability, ...] = ()
    evidence: Mapping[str, tuple[Evidence, ...]] = field(default_factory=dict)  # by model key
    audit: Mapping[str, tuple[Audit, ...]] = field(default_factory=dict)  # by rule id, what it claims; rows that decide no published case have none
    learned: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)  # what an estimator was fitted to, by its name
    overlaid: Mapping[str, str] = field(default_factory=dict)
    matches: tuple[MatchRow, ...] = ()
