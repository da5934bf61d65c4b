"""Qualcomm AI Hub Models (qualcomm/ai-hub-models): `perf.yaml` and `numerics.yaml` of each model's folder.

Schema since the middle of 2025: precisions > components > performance_metrics > device > runtime, milliseconds and 2^20 bytes. Before: models >
performance_metrics, a list by device, microseconds and bytes. Numerics: the task's metric of the float model and of each runtime and precision.
One job may stand under several devices of the same silicon; all but the first are flagged as copies. A network that ran on the tensor processor
but for some layers is flagged as split, one that mostly did not as fallen back.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from recommender.domain.errors import ExecutorUnavailable
from recommender.domain.measurement import Summary
from recommender.evidence.figures import count, figure, number
from recommender.evidence.json_text import part
from recommender.evidence.told import Document, NotThisFormat, Rows, Told, attempt, text_of

_LOWER_IS_BETTER = ("error", "perplexity", "distance")  # words in the name of a metric
_OLD = ("torchscript_onnx_", "torchscript_")  # before the names of runtimes


def read(document: Document) -> Rows:
    """The rows of one YAML file; its folder is called after the model."""
    raw = _yaml(document.text)
    model = document.folders[-1] if document.folders else ""
    if isinstance(raw, dict) and isinstance(raw.get("precisions"), dict):
        yield from _performance(raw["precisions"], model)
    elif isinstance(raw, dict) and isinstance(raw.get("models"), list):
        yield from _older(raw["models"], model)
    elif isinstance(raw, dict) and isinstance(raw.get("metrics"), list):
        yield from _numerics(raw["metrics"], model)
    else:
        raise NotThisFormat("it has none of `precisions`, `models` and `metrics`")


def _yaml(text: str) -> Any:
    try:
        import yaml
    except ImportError:
        raise ExecutorUnavailable("YAML needs PyYAML, which is not installed", hints=("pip install 'edge-recommender[team]'",)) from None
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # the same, in C: a clone holds megabytes
    try:
        return yaml.load(text, Loader=loader)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise NotThisFormat(f"it is not whole YAML ({' '.join(str(error).split())[:120]})") from None


def _entries(raw: Any) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Name and object of what is an object."""
    for name, value in raw.items() if isinstance(raw, dict) else ():
        if isinstance(value, dict):
            yield str(name), value


def _performance(precisions: Mapping[str, Any], model: str) -> Rows:
    jobs: set[tuple[str, str]] = set()
    for precision, details in _entries(precisions):
        components = dict(_entries(details.get("components")))
        for component, found in components.items():
            told = text_of(found.get("precision")) or precision
            named = component if len(components) > 1 else ""
            for device, runtimes in _entries(found.get("performance_metrics")):
                for runtime, result in _entries(runtimes):
                    row = f"{model} {component} {precision} {device} {runtime}".strip()
                    yield from _results(row, result, model=model, component=named, precision=told, devices=(device,), runtime=runtime, date="", jobs=jobs, scale=("ms", "MiB"))


def _older(models: list[Any], model: str) -> Rows:
    jobs: set[tuple[str, str]] = set()
    rows = [row for row in models if isinstance(row, dict)]
    for found in rows:
        component = text_of(found.get("name"))
        for result in found.get("performance_metrics") or ():
            if not isinstance(result, dict):
                continue
            device = part(result, "reference_device_info")
            devices = tuple(filter(None, (text_of(device.get("name")), text_of(device.get("chipset")))))
            for name, numbers in _entries(result):
                runtime = next((name.removeprefix(prefix) for prefix in _OLD if name.startswith(prefix)), name)
                if name == "reference_device_info" or not {"inference_time", "tokens_per_second", "job_status"} & set(numbers):
                    continue
                row = f"{model} {component} {devices[0] if devices else '?'} {runtime}".strip()
                yield from _results(
                    row, numbers, model=model, component=component if len(rows) > 1 else "", precision=text_of(numbers.get("precision")), devices=devices, runtime=runtime,
                    date=text_of(result.get("timestamp")), jobs=jobs, scale=("us", "bytes"),
                )


def _results(row: str, raw: Mapping[str, Any], *, jobs: set[tuple[str, str]], **names: Any) -> Rows:
    """One row, or one for each context length of a language model."""
    lengths = raw.get("llm_metrics")
    for context in lengths if isinstance(lengths, list) else (None,):
        yield attempt(row, _told, {**raw, **context} if isinstance(context, dict) else raw, jobs, names)


def _told(row: str, raw: Mapping[str, Any], jobs: set[tuple[str, str]], names: Mapping[str, Any]) -> Told:
    status, job = text_of(raw.get("job_status")), text_of(raw.get("job_id"))
    if status and status != "Passed":
        raise ValueError(f"the job is {status}")
    unit = text_of(raw.get("primary_compute_unit") or raw.get("desired_compute_unit")).lower()
    flags = []
    if job and job != "null" and (job, names["component"]) in jobs:
        flags.append("copied")
    jobs.add((job, names["component"]))
    layers = part(raw, "layer_counts") or {name.removeprefix("layers_on_"): value for name, value in part(raw, "layer_info").items()}
    away = sum(count(value, name) for name, value in layers.items() if name in ("npu", "gpu", "cpu") and name != unit)
    if away:
        flags.append("split" if unit == "npu" else "fallback")
    tokens = "tokens_per_second" in raw
    return Told(
        row=row, metrics=_rates(raw) if tokens else _times(raw, *names["scale"]), devices=names["devices"], unit=unit or ("npu" if tokens else ""),
        models=(names["model"],) if names["model"] else (), back_end=f"{names['runtime']} {unit}".strip(), scheme=f"{names['runtime']} {names['precision']}".strip(), component=names["component"], date=names["date"],
        version=" ".join(f"{name} {version}" for name, version in sorted(part(raw, "tool_versions").items())), flags=tuple(flags),
        workload={"batch": 1, **({"depth": count(raw["context_length"], "context_length")} if raw.get("context_length") else {})},
    )


def _times(raw: Mapping[str, Any], time: str, memory: str) -> dict[str, Summary]:
    found = {"latency": figure("latency", raw["inference_time_milliseconds"] if time == "ms" else raw["inference_time"], time)}
    peak = part(raw, "estimated_peak_memory_range_mb" if memory == "MiB" else "estimated_peak_memory_range")
    if peak and number(peak["max"], "peak memory") > 0:
        low = {"low": peak["min"]} if number(peak["min"], "peak memory") > 0 else {}
        found["peak_memory"] = figure("peak_memory", peak["max"], memory if memory == "bytes" else "MiB", **low)
    return found


def _rates(raw: Mapping[str, Any]) -> dict[str, Summary]:
    """The shortest time to the first token is that of one prompt of 128 tokens; the longest that of a full context, by computation."""
    found = {"decode_rate": figure("decode_rate", raw["tokens_per_second"], "tok/s")}
    if raw.get("prefill_tokens_per_second"):
        found["prefill_rate"] = figure("prefill_rate", raw["prefill_tokens_per_second"], "tok/s")
    return found


def _numerics(metrics: list[Any], model: str) -> Rows:
    for metric in metrics:
        if not isinstance(metric, dict):
            continue
        for device, precisions in _entries(metric.get("device_metric")):
            for precision, runtimes in _entries(precisions):
                for runtime, result in _entries(runtimes):
                    row = f"{model} {text_of(metric.get('metric_name'))} {precision} {device} {runtime}".strip()
                    yield attempt(row, _drop, metric, result, model, device, precision, runtime)


def _drop(row: str, metric: Mapping[str, Any], result: Mapping[str, Any], model: str, device: str, precision: str, runtime: str) -> Told:
    """The relative loss of the task's metric; a gain is negative. What has no zero on its scale to be relative to is told by its name only."""
    reference, value = number(metric["partial_torch_metric"], "partial_torch_metric"), number(result["partial_metric"], "partial_metric")
    if reference <= 0:
        raise ValueError(f"partial_torch_metric: a loss relative to `{reference:g}` means nothing")
    name = text_of(metric.get("metric_name"))
    sign = -1.0 if any(word in name.lower() for word in _LOWER_IS_BETTER) else 1.0
    return Told(
        row=row, metrics={"quality_drop": figure("quality_drop", sign * (reference - value) / reference, "fraction")}, devices=(device,),
        models=(model,) if model else (), back_end=runtime, scheme=f"{runtime} {precision}", workload={"batch": 1},
        quality={"metric": name, "dataset": text_of(metric.get("dataset_name")), "reference": reference, "value": value, "n": metric.get("num_partial_samples")},
    )
