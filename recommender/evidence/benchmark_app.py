"""OpenVINO's benchmark_app, Python and C++: its report (`-report_type ... [-json_stats]`), JSON or fields separated by `;`. Times are milliseconds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from recommender.evidence.figures import count, figure, number
from recommender.evidence.json_text import json_of, part
from recommender.evidence.told import Document, NotThisFormat, Rows, Told, attempt, stem, text_of

_PARTS = {"Command line parameters": "cmd_options", "Configuration setup": "configuration_setup", "Execution results": "execution_results"}
# what the two implementations call it, the median before the mean
_LATENCY = ("latency (ms)", "latency_median", "Median latency (ms)", "avg latency", "latency_average", "latency_avg", "Average latency (ms)")
_MODEL = ("-m", "--path_to_model", "-path_to_model", "m")
_DEVICE = ("target device", "target_device")
_BATCH = ("batch size", "batch_size")
_REQUESTS = ("number of parallel infer requests", "nireq")
_FIRST = ("first inference time (ms)", "first_inference_time")
_LOAD = ("compile model time (ms)", "load network time (ms)", "load_network_time", "compile_model_time")


def read(document: Document) -> Rows:
    """The one run of the report."""
    text = document.text.lstrip()
    report = json_of(text) if text.startswith("{") else _sections(text)
    if "execution_results" not in report:
        raise NotThisFormat("it has no execution results")
    yield attempt("run 1", _told, report)


def _sections(text: str) -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = {}
    section: dict[str, str] = {}
    for line in text.splitlines():
        name, separator, value = line.partition(";")
        if line.strip() in _PARTS:
            section = found[_PARTS[line.strip()]] = {}
        elif separator:
            section[name.strip()] = value.strip()
    return found


def _told(row: str, report: Mapping[str, Any]) -> Told:
    options, setup, results = (part(report, name) for name in ("cmd_options", "configuration_setup", "execution_results"))
    if "error" in results:
        raise ValueError(f"the run failed: {text_of(results['error'])}")
    metrics = {"throughput": figure("throughput", results["throughput"], "FPS")}
    for metric, names in (("latency", _LATENCY), ("first_call", _FIRST), ("load_time", _LOAD)):
        value = _of(results, names)
        if value is not None and number(value, metric) != 0:  # rounded to 10 us
            metrics[metric] = figure(metric, value, "ms")
    workload = {ours: count(value, ours) for ours, names in (("batch", _BATCH), ("streams", _REQUESTS)) if (value := _of(setup, names)) is not None}
    models = (stem(_of(options, _MODEL)), text_of(setup.get("topology")))
    return Told(row=row, metrics=metrics, workload=workload, models=tuple(filter(None, models)), back_end=text_of(_of(setup, _DEVICE)).partition(".")[0])


def _of(raw: Mapping[str, Any], names: tuple[str, ...]) -> Any:
    return next((raw[name] for name in names if raw.get(name) not in (None, "")), None)
