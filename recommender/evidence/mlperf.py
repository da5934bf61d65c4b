"""MLPerf Inference: `mlperf_log_summary.txt` of loadgen, and the system description of the submission that it lies in. Times are nanoseconds.

Single stream gives the latency of one inference; offline and server give a rate under many at once, which is told by a flag. A run that loadgen
itself calls invalid is left out.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from recommender.domain.measurement import Summary
from recommender.evidence.figures import count, figure
from recommender.evidence.json_text import json_of
from recommender.evidence.told import Document, NotThisFormat, Rows, Told, attempt, text_of

_LINE = re.compile(r"^([\w.][^:\n]*?) *: *(.+?) *$", re.MULTILINE)
_LATENCY, _PERCENTILES = "50.00 percentile latency (ns)", {"p90": "90.00 percentile latency (ns)", "p95": "95.00 percentile latency (ns)", "p99": "99.00 percentile latency (ns)"}
_RATES = ("Completed tokens per second", "Tokens per second", "Tokens per second (inferred)", "Completed samples per second", "Scheduled samples per second", "Samples per second")
_CARD, _PROCESSOR = "accelerator_model_name", "host_processor_model_name"
_BELOW_MODEL = 3  # folders from the model's to the file's: model/scenario/performance/run_1


def read(document: Document) -> Rows:
    """The one run of the summary."""
    said = dict(_LINE.findall(document.text))
    if "Scenario" not in said or "Result is" not in said:
        raise NotThisFormat("it has no lines `Scenario :` and `Result is :`")
    system = next((json_of(text) for text in document.beside.values()), {})
    yield attempt("run 1", _told, said, system, document.folders)


def _told(row: str, said: Mapping[str, str], system: Mapping[str, Any], folders: tuple[str, ...]) -> Told:
    if said["Result is"] != "VALID":
        raise ValueError(f"loadgen calls the run {said['Result is']}")
    if not said.get("Mode", "Performance").startswith("Performance"):
        raise ValueError(f"the run is of mode {said['Mode']}, not of performance")
    scenario = said["Scenario"].replace(" ", "").lower()
    cards = text_of(system.get(_CARD)).removeprefix("N/A")
    n_cards = text_of(system.get("accelerators_per_node")) or "1"
    device = cards or text_of(system.get(_PROCESSOR))
    batch = count(said.get("samples_per_query", 1), "samples_per_query") if scenario in ("singlestream", "multistream") else 1
    several = n_cards not in ("0", "1") or text_of(system.get("number_of_nodes") or "1") != "1" or (not cards and text_of(system.get("host_processors_per_node") or "1") != "1")
    is_steady = scenario in ("singlestream", "multistream")
    return Told(
        row=row, metrics=_metrics(scenario, said), workload={"batch": batch}, devices=(device,) if device else (), models=_models(folders), unit="" if cards else "cpu" if device else "",
        framework=text_of(system.get("framework")), flags=(*(() if is_steady else (scenario,)), *(("several-devices",) if several else ())),
    )


def _metrics(scenario: str, said: Mapping[str, str]) -> dict[str, Summary]:
    if scenario in ("singlestream", "multistream"):
        more = {name: said[line] for name, line in _PERCENTILES.items() if line in said}
        return {"latency": figure("latency", said[_LATENCY], "ns", **more)}
    rate = next((said[name] for name in _RATES if name in said), None)
    if rate is None:
        raise ValueError("no line tells samples or tokens per second")
    return {"throughput": figure("throughput", rate, "1/s")}


def _models(folders: tuple[str, ...]) -> tuple[str, ...]:
    """The benchmark's folder, where the file lies in a submission: results/SYSTEM/MODEL/SCENARIO/performance/run_1."""
    return (folders[-_BELOW_MODEL - 1],) if len(folders) > _BELOW_MODEL + 2 and folders[-2] == "performance" else ()


def system_file(document_folders: tuple[str, ...]) -> tuple[int, str] | None:
    """How many folders up the submission lies, and the system's file in it; None: the file lies in no submission."""
    if "results" not in document_folders:
        return None
    at = len(document_folders) - 1 - document_folders[::-1].index("results")
    return (len(document_folders) - at, f"systems/{document_folders[at + 1]}.json") if at + 1 < len(document_folders) else None
