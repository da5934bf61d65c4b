"""What Markdown and HTML show beyond the terminal's text: the parts of a document, chosen once. All read the document, nothing else."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from recommender.cli.render import wording
from recommender.cli.render.wording import Document

_CITED = re.compile(r"^[a-z]+ \(([^()]+)\)$")  # an origin that names its source: `fact (dev-nvidia-ada)`


def model_line(document: Document) -> str:
    """Name, size, file, licence."""
    model = document["model"]
    parts = [model["name"], model["task"]]
    if model["n_params"]:
        parts.append(f"{wording.number(model['n_params'] / 1e6)} M parameters" if model["n_params"] < 1e8 else f"{wording.number(model['n_params'] / 1e9)} B parameters")
    if artifact := model.get("artifact"):
        parts.append(f"file {artifact['path']} ({artifact['format']}, {artifact['scheme'] or 'scheme unknown'}, {wording.size(artifact['size'])})")
    parts.append((f"licence {model['license']}" if model["license"] else "licence unknown") + (" (gated)" if model["gated"] else ""))
    return ", ".join(parts)


def given(document: Document) -> list[tuple[str, str]]:
    """(what, words): target, model, workload, what-ifs, the day and the versions."""
    overrides = document["target"]["overrides"]
    rows = [("Target", wording.target_line(document)), ("Model", model_line(document)), ("Workload", wording.workload_line(document))]
    rows += [("What if", f"{name} = {value}") for name, value in overrides.items()]
    return [*rows, ("Decided", f"as on {document['today']}, catalogue {document['catalog_version']}, engine {document['engine_version']}, answer {document['id']}")]


def table_metrics(document: Document) -> tuple[str, ...]:
    """The columns of the table of choices: the headline metrics, or throughput's latency beside it."""
    shown = wording.headline_metrics(document)
    return shown if {"ttft", "latency"} & set(shown) else (shown[0], "latency", *shown[1:])


def settings(choice: Mapping[str, Any]) -> str:
    return ", ".join(f"{name}={value}" for name, value in choice["options"].items()) or "the framework's own defaults"


def step_words(step: Mapping[str, Any]) -> str:
    """`quantize by llama-quantize, here: a -> b (763 MiB)`."""
    made = f" by {step['preparer']}" if step["preparer"] else ""
    flow = " + ".join(step["inputs"]) + (f" -> {' + '.join(step['outputs'])}" if step["outputs"] else "")
    return f"{step['action']}{made} ({step['where']}): {flow}" + (f", {wording.size(step['size'])}" if step["size"] else "")


def commands(choice: Mapping[str, Any]) -> list[str]:
    """The lines of the recipe that can be run, and the launch."""
    lines = [step["parameters"]["command"] for step in choice["recipe"]["steps"] if step["parameters"].get("command")]
    return [*lines, choice["recipe"]["launch"]] if choice["recipe"]["launch"] else lines


def reasons_between(document: Document, limit: int) -> list[tuple[int, int, str]]:
    """(rank, next rank, the criterion that separates them)."""
    shown = document["choices"][: max(2, limit)]
    return [(a["rank"], b["rank"], wording.separation(a, b)) for a, b in zip(shown, shown[1:], strict=False)]


def reasons_of(choice: Mapping[str, Any]) -> list[str]:
    """The sentences of the rows that placed its unit, framework and scheme."""
    return [f"{because} [{rule}]".strip() for rule, because in choice["reasons"].items()]


def dismissed(document: Document, name: str) -> list[tuple[str, list[str]]]:
    """(reason, ids) of `rejected`, or (what was not observed, ids) of `undetermined`."""
    if name == "rejected":
        return wording.grouped_reasons(document["rejected"])
    groups: dict[str, list[str]] = {}
    for row in document["undetermined"]:
        groups.setdefault(", ".join(wording.open_attributes(row)) or "a condition that is open", []).append(row["id"])
    return sorted(groups.items(), key=lambda item: (-len(item[1]), item[0]))


def before_shipping(document: Document) -> list[tuple[str, str]]:
    """(rule, sentence) of every note that a fired row gives."""
    steps = [step for step in document["trace"]["steps"] if step["outcome"] == "fired" and not step.get("overridden_by")]
    return list(dict.fromkeys((step["rule"], step["effect"]["note"]) for step in steps if "note" in step["effect"]))


def sources(document: Document, limit: int) -> list[str]:
    """Ids of what stands behind the numbers and readings of the shown choices."""
    found: list[str] = []
    for choice in document["choices"][:limit]:
        for estimate in choice["estimates"].values():
            found += estimate["sources"]
            found += _cited(value for name, value in estimate["inputs"].items() if name.endswith("_origin"))
    for step in document["trace"]["steps"]:
        found += _cited(reading["origin"] for reading in step["readings"])
    return sorted(set(found))


def _cited(origins: Iterable[Any]) -> list[str]:
    return [match[1] for origin in origins if isinstance(origin, str) and (match := _CITED.match(origin))]


def largest_line(name: str, found: Mapping[str, Any] | None) -> str:
    """`Largest usable language model: Qwen2.5 7B with llama-cpp/cpu/Q4_K_M, 6 tok/s (4-8, analytic)`."""
    if found is None:
        return f"Largest usable {name} model: none in the catalogue is usable here"
    rate = next((value for value in found.values() if isinstance(value, Mapping)), None)
    return f"Largest usable {name} model: {found['name']} with {found['choice']} ({found['workload']}), {wording.amount(rate)}"
