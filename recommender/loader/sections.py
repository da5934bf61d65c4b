"""Which knowledge files hold which tables, and what one row becomes. The only list of its kind."""

from __future__ import annotations

from dataclasses import dataclass

from recommender.domain import catalog, facts, model, quantization, rule, workload


@dataclass(frozen=True, kw_only=True, slots=True)
class Section:
    """`[[table]]` rows in the files that match `pattern`, keyed by `key` (empty: a list in file order)."""

    name: str
    pattern: str
    table: str
    type: type
    key: str = ""


SECTIONS = (
    Section(name="sources", pattern="sources/*.toml", table="source", type=facts.Source, key="id"),
    Section(name="devices", pattern="devices/**/*.toml", table="device", type=facts.DeviceFacts, key="key"),
    Section(name="machines", pattern="machines/*.toml", table="machine", type=facts.MachineFacts, key="key"),
    Section(name="models", pattern="models/*.toml", table="model", type=model.ModelSpec, key="key"),
    Section(name="schemes", pattern="quantization/*.toml", table="scheme", type=quantization.QuantScheme, key="key"),
    Section(name="frameworks", pattern="frameworks/*.toml", table="framework", type=facts.FrameworkFacts, key="key"),
    Section(name="workloads", pattern="workloads/*.toml", table="workload", type=workload.Workload, key="key"),
    Section(name="tables", pattern="rules/*.toml", table="table", type=rule.DecisionTable, key="id"),
    Section(name="ranking", pattern="rules/*.toml", table="criterion", type=catalog.RankingKey),
    Section(name="efficiencies", pattern="calibration/*.toml", table="efficiency", type=catalog.Efficiency),
    Section(name="overheads", pattern="calibration/*.toml", table="overhead", type=catalog.Overhead),
    Section(name="rates", pattern="calibration/*.toml", table="rate", type=catalog.Rate),
    Section(name="quality", pattern="calibration/*.toml", table="quality", type=catalog.QualityDrop),
    Section(name="budgets", pattern="budgets/*.toml", table="budget", type=catalog.MemoryBudget),
    Section(name="portability", pattern="portability.toml", table="portability", type=catalog.Portability),
    Section(name="preparers", pattern="preparers.toml", table="preparer", type=catalog.Preparer, key="key"),
    Section(name="claims", pattern="claims/*.toml", table="claim", type=catalog.Claim, key="id"),
)
# Rows that belong to the one table of their file: the table's name -> (field that receives them, rows' name).
CHILDREN = {"framework": ("support", "support"), "table": ("rules", "rule")}
EVIDENCE_PATTERN = "evidence/*.csv"
AUDIT_FILE = "calibration/audit.json"  # rule id -> what was found of its claims; made from the evidence, not written by hand
LEARNED_FILES = {name: f"calibration/{name}.json" for name in ("language", "local", "graph", "graphs", "quality")}  # what estimators were fitted to; made by benchmarks/fit
VOCABULARY_FILE = "vocabulary.toml"
VERSION_FILE = "VERSION"
