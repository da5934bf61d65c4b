"""How often each rule was right in what was published -> knowledge/calibration/audit.json: python -m benchmarks.fit.audit

Read by the ranking, which demotes rows that are contradicted, and by `recommend rules audit`. Every figure of `knowledge/evidence/` on a unit of
the catalogue takes part, those of models that the catalogue does not have too, as far as their columns tell what rules read.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from recommender.audit.cases import LOSS, Case, published
from recommender.audit.rules import audit
from recommender.compose import load_catalog
from recommender.domain.catalog import Audit, Catalog
from recommender.domain.evidence import Evidence
from recommender.domain.model import ModelSpec
from recommender.loader.plain import to_plain

KNOWLEDGE = Path(__file__).parents[2] / "knowledge"
OUT = KNOWLEDGE / "calibration" / "audit.json"


def main() -> None:
    catalog = load_catalog()
    found = audit(catalog.tables.values(), all_cases(catalog))
    OUT.write_text(text(found), "utf-8")
    print(f"{len(found)} rows with a record, {sum(contradicted(row) for row in found.values())} contradicted, {OUT.stat().st_size / 1e3:.0f} kB")


def text(found: Mapping[str, tuple[Audit, ...]]) -> str:
    """One line a row, so that a change is seen."""
    rows = [f"{json.dumps(rule)}: {json.dumps(to_plain(claims), separators=(',', ':'))}" for rule, claims in sorted(found.items())]
    return "{\n" + ",\n".join(rows) + "\n}\n"


def contradicted(claims: Iterable[Audit]) -> bool:
    return any(row.is_claimed and row.overall.verdict == "contradicted" for row in claims)


def all_cases(catalog: Catalog) -> list[Case]:
    """Speeds and energies of knowledge/evidence, losses of knowledge/quality."""
    models = dict(catalog.models)
    rows = [row for table in sorted((KNOWLEDGE / "evidence").glob("*.csv")) for row in _figures(table, models, catalog)]
    frameworks = {name.lower(): framework.key for framework in catalog.frameworks.values() for name in (framework.key, framework.name)}
    rows += _losses(KNOWLEDGE / "quality" / "published.csv", models, frameworks)
    return published(replace(catalog, models=models), rows)


_TEST = ("setting", "component", "input", "batch", "threads", "prompt_tokens", "output_tokens", "depth")  # columns that say what was asked of a model


def _figures(table: Path, models: dict[str, ModelSpec], catalog: Catalog) -> Iterator[Evidence]:
    """Rows of frameworks, schemes and units that the catalogue has; a framework that it does not offer is no rival."""
    for row in _read(table):
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


_OBJECTIVES = ("decode_rate", "latency", "throughput", "energy")


def _losses(table: Path, models: dict[str, ModelSpec], frameworks: Mapping[str, str]) -> Iterator[Evidence]:
    """Relative losses of a task metric, and relative rises of perplexity; what was measured in another way says nothing of the share that is kept."""
    for row in _read(table) if table.is_file() else ():
        if row["measure"] != "relative" or not row["drop"] or not row["scheme"]:
            continue
        name = row["model"] or row["base_model"]
        if name not in models:
            models[name] = _model(row, name)
        yield Evidence(
            metric=LOSS, value=float(row["drop"]), model=name, framework=frameworks.get(row["framework"].lower(), row["framework"]), scheme=row["scheme"], source=row["source"],
            conditions=f"{row['metric']} {row['dataset']} {row['method']}",
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


def _read(table: Path) -> Iterator[dict[str, str]]:
    with open(table, encoding="utf-8", newline="") as stream:
        yield from csv.DictReader(stream)


if __name__ == "__main__":
    main()
