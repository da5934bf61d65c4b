"""trtexec's `--exportTimes=FILE`: a JSON list with the times of each inference in milliseconds."""

from __future__ import annotations

from recommender.evidence.figures import sampled
from recommender.evidence.json_text import objects
from recommender.evidence.told import Document, Fault, NotThisFormat, Rows, Told, attempt

_LATENCY = ("latencyMs", "computeMs")  # with copies to and from the device; older releases may lack it


def read(document: Document) -> Rows:
    """One row: all inferences are samples of one run. An inference that is not whole is left out and told."""
    found = list(objects(document.text))
    field = next((name for name in _LATENCY if any(isinstance(value, dict) and name in value for _, value in found)), "")
    if not field:
        raise NotThisFormat("its objects have neither `latencyMs` nor `computeMs`")
    times = []
    for row, value in found:
        if isinstance(value, Fault):
            yield value
        elif field not in value:
            yield Fault(row=row, reason=f"`{field}` is missing")
        else:
            times.append(value[field])
    yield attempt("run 1", _told, times)


def _told(row: str, times: list[object]) -> Told:
    return Told(row=row, metrics={"latency": sampled("latency", times, "ms")}, workload={"streams": 1})
