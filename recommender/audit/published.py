"""Published figures as rules are held against them: every table of evidence and of losses, those of models that the catalogue does not have too.

A model that only a table names is made from that table's columns, as far as they tell what rules read.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from recommender.audit.cases import LOSS, Case, published
from recommender.domain.catalog import Catalog
from recommender.domain.evidence import Evidence
from recommender.domain.model import ModelSpec
from recommender.loader.files import Layer, evidence_rows, layers

_OBJECTIVES = ("decode_rate", "latency", "throughput", "energy")
_TEST = ("setting", "component", "input", "batch", "threads", "prompt_tokens", "output_tokens", "depth")  # columns that say what was asked of a model


def all_cases(catalog: Catalog) -> list[Case]:
    """Cases in the speeds and energies, and in the losses, that ship."""
    known, rows = figures(catalog, layers())
    return published(known, rows)


def figures(catalog: Catalog, read: Iterable[Layer]) -> tuple[Catalog, list[Evidence]]:
    """The catalogue with the models that only tables name, and every figure of a unit, a framework and a scheme that it has.

    Raises:
        CatalogError: a row without a column that it needs, or with a value that is no number.
    """
    models = dict(catalog.models)
    read = tuple(read)
    rows = [row for layer in read for row in _figures(layer, models, catalog)]
    frameworks = {name.lower(): framework.key for framework in catalog.frameworks.values() for name in (framework.key, framework.name)}
    rows += [row for layer in read for row in _losses(layer, models, frameworks)]
    return replace(catalog, models=models), rows


def _figures(layer: Layer, models: dict[str, ModelSpec], catalog: Catalog) -> Iterator[Evidence]:
    """Rows of frameworks, schemes and units that the catalogue has; a framework that it does not offer is no rival."""
    for row, _ in evidence_rows(layer):
        device, name = row.get("silicon") or row["device"], row["model"] or row.get("base_model", "")
        is_known = device in catalog.devices and row["framework"] in catalog.frameworks and row["scheme"] in catalog.schemes
        if not name or not is_known or row["metric"] not in _OBJECTIVES:
            continue
        if name not in models:
            models[name] = _model(row, name)
        test = " ".join(f"{column} {row[column]}" for column in _TEST if row.get(column))
        way = row.get("runtime", "").replace("precompiled_", "")  # which of a framework's ways it was
        yield Evidence(
            metric=row["metric"], value=float(row["value"]), model=name, framework=row["framework"], scheme=row["scheme"], source=row["source"],
            device=device, execution_provider=row["execution_provider"], version=row["version"], conditions=f"{way} {test}" if "base_model" in row else row["conditions"],
        )


def _losses(layer: Layer, models: dict[str, ModelSpec], frameworks: Mapping[str, str]) -> Iterator[Evidence]:
    """Relative losses of a task metric, and relative rises of perplexity; what was measured in another way says nothing of the share that is kept."""
    table = layer.root / "quality" / "published.csv"
    if not table.is_file():
        return
    with open(table, encoding="utf-8", newline="") as stream:
        for row in csv.DictReader(stream):
            if row["measure"] != "relative" or not row["drop"] or not row["scheme"]:
                continue
            name = row["model"] or row["base_model"]
            if name not in models:
                models[name] = _model(row, name)
            yield Evidence(
                metric=LOSS, value=float(row["drop"]), model=name, framework=frameworks.get(row["framework"].lower(), row["framework"]), scheme=row["scheme"],
                source=row["source"], conditions=f"{row['metric']} {row['dataset']} {row['method']}",
            )


def _model(row: Mapping[str, str], name: str) -> ModelSpec:
    """A model as far as its row tells: its task, by the nearest of ours, and its size."""
    told = (row.get("task") or ("text generation" if row["metric"] == "decode_rate" else "")).lower().replace("-", " ").replace("_", " ")
    task = next((ours for word, ours in _TASKS.items() if word in told), "image-classification")
    sizes = (float(row[column]) * factor for column, factor in (("n_params", 1.0), ("n_params_m", 1e6), ("params_m", 1e6), ("params_b", 1e9)) if row.get(column))
    modality = _DOMAINS.get(row.get("domain", "")) or _MODALITIES.get(task, "vision")
    return ModelSpec(key=name, name=name, task=task, structure=row.get("structure", ""), modality=modality, n_params=round(next(sizes, 0)) or None)


# a word of a published task -> the task of ours that rules treat alike; the first that fits
_TASKS = {
    "text generation": "text-generation", "image text to text": "image-text-to-text", "text classification": "text-classification", "speech": "speech-recognition",
    "audio": "audio-classification", "image generation": "image-generation", "image text": "image-text-embedding", "embedding": "embedding",
    "detection": "object-detection", "segmentation": "segmentation", "pose": "pose-estimation", "super resolution": "super-resolution", "depth": "depth-estimation",
}  # fmt: skip
_DOMAINS = {"Computer Vision": "vision", "Audio": "audio", "Multimodal": "multimodal"}
_MODALITIES = {
    "text-generation": "text", "embedding": "text", "text-classification": "text", "image-text-to-text": "multimodal", "image-text-embedding": "multimodal",
    "speech-recognition": "audio", "audio-classification": "audio", "tabular": "tabular",
}  # fmt: skip
