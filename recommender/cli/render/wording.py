"""How numbers and paths are worded, once for text, Markdown and HTML. All read the document, nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Document = Mapping[str, Any]


def amount(estimate: Mapping[str, Any] | None) -> str:
    """`38 tok/s (25-52, analytic)`: the central value, its interval and its basis; the reason where it is not known."""
    if not estimate or estimate["central"] is None:
        return f"unknown ({(estimate or {}).get('why') or 'not estimated'})"
    unit, scale = scaled_unit(estimate["unit"], estimate["central"])
    central, low, high = (number(estimate[name] * scale) for name in ("central", "low", "high"))
    span = "" if low == high else f"{low}-{high}, "
    return f"{central} {unit} ({span}{basis(estimate)})"


def basis(estimate: Mapping[str, Any]) -> str:
    """The basis in words: what a shape proxy told is not what the model itself would."""
    return "measured here (shape proxy)" if estimate.get("proxy") else str(estimate["basis"])


def short(estimate: Mapping[str, Any] | None) -> str:
    """The central value alone."""
    if not estimate or estimate["central"] is None:
        return "unknown"
    unit, scale = scaled_unit(estimate["unit"], estimate["central"])
    return f"{number(estimate['central'] * scale)} {unit}"


def number(value: float) -> str:
    """Three significant digits, no exponent for what people read."""
    if value == 0:
        return "0"
    text = f"{value:.3g}"
    return f"{value:,.0f}".replace(",", " ") if "e" in text and abs(value) < 1e9 else text


def scaled_unit(unit: str, value: float) -> tuple[str, float]:
    """The unit in which a number of this size is read, and the factor to it: 0.02, s -> ms, 1000."""
    if unit == "bytes":
        return ("GiB", 2.0**-30) if value >= 2**30 else ("MiB", 2.0**-20)
    if unit == "s":
        return ("s", 1.0) if value >= 1 else (("ms", 1e3) if value >= 1e-3 else ("us", 1e6))
    if unit == "fraction":
        return "%", 100.0
    return unit, 1.0


def size(value: float | None) -> str:
    if value is None:
        return "unknown"
    return f"{number(value * 2.0**-30)} GiB" if value >= 2**30 else f"{number(value * 2.0**-20)} MiB"


def path(row: Mapping[str, Any]) -> str:
    """`llama.cpp · cuda · Q4_K_M`, with the file as it is marked."""
    return f"{row['framework']} · {row['execution_provider']} · {row['scheme']}" + (" (your file as it is)" if row.get("is_as_is") else "")


def target_line(document: Document) -> str:
    target = document["target"]
    devices = ", ".join(f"{device['kind']} {device['name'] or 'unnamed'}" for device in target["devices"]) or "no device observed"
    memory = target["memory"]["limit"] or target["memory"]["total"]
    limit = " (container limit)" if target["memory"]["limit"] else ""
    name = target["machine_name"] if target["kind"] == "catalogue" else target["name"]
    return f"{name}: {target['os'] or 'system unknown'}, {devices}, {size(memory)} memory{limit}"


def workload_line(document: Document) -> str:
    work = document["workload"]
    parts = [work["scenario"]]
    if work["prompt_tokens"]:
        parts.append(f"{work['prompt_tokens']} tokens in, {work['output_tokens']} out" + (f", context {work['context']}" if work["context"] else ""))
    if work["fps"]:
        parts.append(f"{work['fps']:g} frames/s")
    if work["window"]:
        parts.append(f"windows of {work['window']:g} s")
    needs = "; ".join(row["text"] for row in work["needs"])
    return f"{work['key']}: {', '.join(parts)}; objective {work['objective'].replace('_', ' ')}" + (f"; needs {needs}" if needs else "")


def headline_metrics(document: Document) -> tuple[str, ...]:
    """The metrics worth a line for this task."""
    if document["workload"]["prompt_tokens"] and document["model"]["task"] in ("text-generation", "image-text-to-text"):
        return ("decode_rate", "ttft", "peak_memory", "file_size", "quality_drop")
    return (document["workload"]["objective"], "peak_memory", "file_size", "quality_drop") if document["workload"]["objective"] != "latency" else ("latency", "peak_memory", "file_size", "quality_drop")


def name_of(metric: str) -> str:
    return metric.replace("_", " ")


def separation(first: Mapping[str, Any], second: Mapping[str, Any]) -> str:
    """The first criterion where two choices differ, with both readings."""
    for mine, other in zip(first["criteria"], second["criteria"], strict=True):
        if mine["key"] != other["key"]:
            bases = f" ({mine['basis'] or 'rule'} against {other['basis'] or 'rule'})" if mine["basis"] or other["basis"] else ""
            return f"{mine['id']} {mine['label']}: {mine['shown']} against {other['shown']}{bases}"
    return "equal by every criterion; listed by name"


def other_framework(document: Document, limit: int) -> Mapping[str, Any] | None:
    """The best choice of a framework that none of the shown ones is of."""
    shown = {row["framework"] for row in document["choices"][:limit]}
    other: Mapping[str, Any] | None = next((row for row in document["choices"][limit:] if row["framework"] not in shown), None)
    return other


def grouped_reasons(rows: list[Mapping[str, Any]]) -> list[tuple[str, list[str]]]:
    """(reason, candidate ids), most frequent first."""
    groups: dict[str, list[str]] = {}
    for row in rows:
        reason = "; ".join(f"{step['because']} [{step['rule']}]" for step in row["because"])
        groups.setdefault(reason, []).append(row["id"])
    return sorted(groups.items(), key=lambda item: (-len(item[1]), item[0]))


def open_attributes(row: Mapping[str, Any]) -> list[str]:
    """What was not observed, for an undetermined candidate."""
    return sorted({r["attribute"] for step in row["because"] for r in step["readings"] if r["outcome"] == "unknown"})
