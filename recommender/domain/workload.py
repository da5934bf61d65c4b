"""What is asked of the model: tokens, frames, streams, and what counts as good enough."""

from __future__ import annotations

import re
from dataclasses import dataclass

from recommender.domain.quantity import FROM_FILE, parse_quantity

# metric -> (dimension, better). The units are those of `quantity.UNITS`.
METRICS = {
    "decode_rate": ("tok/s", "up"), "prefill_rate": ("tok/s", "up"), "ttft": ("s", "down"), "tpot": ("s", "down"),
    "latency": ("s", "down"), "throughput": ("1/s", "up"), "sustained_rate": ("tok/s", "up"), "load_time": ("s", "down"),
    "first_call": ("s", "down"), "peak_memory": ("bytes", "down"), "file_size": ("bytes", "down"),
    "download_size": ("bytes", "down"), "energy": ("J", "down"), "quality_drop": ("fraction", "down"),
}
TOKEN_METRICS = ("decode_rate", "prefill_rate", "ttft", "tpot", "sustained_rate")  # of models that write token by token only
GRAPH_METRICS = ("latency",)  # of models that answer in one run only
TIE_BAND = 0.02  # relative: closer than that is equal, everywhere unless the user says otherwise
_CONSTRAINT = re.compile(r"^\s*([a-z_]+)(?:\.(p50|p95))?\s*(>=|<=|>|<)\s*(.+?)\s*$")


@dataclass(frozen=True, kw_only=True, slots=True)
class Constraint:
    """`metric[.statistic] relation bound`, bound in the metric's base unit. `text` is what the user wrote."""

    __pydantic_config__ = FROM_FILE

    metric: str
    relation: str
    bound: float
    statistic: str = ""  # p50, p95 or empty
    text: str = ""

    def holds(self, value: float) -> bool:
        return {">=": value >= self.bound, "<=": value <= self.bound, ">": value > self.bound, "<": value < self.bound}[self.relation]


def parse_constraint(text: str) -> Constraint:
    """`latency.p95<=30ms` -> Constraint. Raises ValueError with the user's words and what would be valid."""
    match = _CONSTRAINT.match(text)
    if not match:
        raise ValueError(f"`{text}` is not `METRIC[.p50|.p95] OP VALUE UNIT` (for example `decode_rate>=20 tok/s`)")
    metric, statistic, relation, bound = match.groups()
    if metric not in METRICS:
        raise ValueError(f"`{text}`: unknown metric `{metric}` (one of {', '.join(METRICS)})")
    try:
        value = parse_quantity(bound, METRICS[metric][0])
    except ValueError as error:
        raise ValueError(f"`{text}`: {error}") from None
    return Constraint(metric=metric, statistic=statistic or "", relation=relation, bound=value, text=text.strip())


def contradiction(constraints: tuple[Constraint, ...]) -> tuple[Constraint, Constraint] | None:
    """Two constraints that no value can meet together, or None."""
    for lower in constraints:
        for upper in constraints:
            same = (lower.metric, lower.statistic) == (upper.metric, upper.statistic)
            if same and lower.relation in (">=", ">") and upper.relation in ("<=", "<"):
                strict = ">" in (lower.relation,) or "<" in (upper.relation,)
                if lower.bound > upper.bound or (strict and lower.bound == upper.bound):
                    return lower, upper
    return None


@dataclass(frozen=True, kw_only=True, slots=True)
class Workload:
    """A named workload with its overrides applied.

    Attributes:
        scenario: MLPerf's single-stream, multi-stream, server, offline.
        context: tokens reserved; prompt_tokens + output_tokens fit in it.
        floor: constraints below which a result is of no use for this purpose. comfort: where it becomes pleasant.
        default_for: tasks whose workload this is when none is named.
        objective: the metric that ranks, best first.
        sustained: seconds of steady load; 0 = a short burst.
        window: seconds of audio per inference (speech).
    """

    __pydantic_config__ = FROM_FILE

    key: str
    name: str
    tasks: tuple[str, ...]
    scenario: str = "single-stream"
    prompt_tokens: int = 0
    output_tokens: int = 0
    context: int = 0
    batch: int = 1
    concurrency: int = 1
    streams: int = 1
    fps: float = 0.0
    sustained: float = 0.0
    window: float = 0.0
    objective: str = "latency"
    floor: tuple[Constraint, ...] = ()
    comfort: tuple[Constraint, ...] = ()
    needs: tuple[Constraint, ...] = ()
    default_for: tuple[str, ...] = ()
    because: str = ""
    sources: tuple[str, ...] = ()
