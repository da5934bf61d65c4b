"""Published figures of language models -> knowledge/evidence/language-models.csv: python -m benchmarks.evidence.language FOLDER [OUT]

FOLDER holds the tables `llm_speed.csv`, `openvino_llm.csv` and `aihub_llm.csv`. One row comes out per unit, model, scheme, framework, execution
provider and test (threads, prompt, answer, depth): the median of its repeats. Of each path, the row whose test is nearest to what a decision asks names
`device` and `model` by their catalogue keys; all others (`use` = fit) leave both empty and serve the fits, by `silicon`, `device_name`, `base_model` and
`model_name`.
"""

from __future__ import annotations

import csv
import math
import re
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from statistics import median

from recommender.compose import load_catalog
from recommender.domain.catalog import Catalog
from recommender.estimate.learned.case import LanguageCase
from recommender.predict.language_rows import language_case
from recommender.predict.spelling import Names, names_of, read_aliases

KNOWLEDGE = Path(__file__).parents[2] / "knowledge"
COLUMNS = (
    "metric", "value", "model", "framework", "scheme", "source", "device", "digest", "execution_provider", "version", "conditions", "date", "low", "high",
    "use", "device_name", "vendor", "kind", "silicon", "device_group", "memory_bandwidth_gb_s", "model_name", "base_model", "params_b", "active_b", "file_size_gib", "threads",
    "prompt_tokens", "output_tokens", "depth", "context", "n",
)  # fmt: skip
# table -> metric -> (column, factor to base units)
TABLES: Mapping[str, Mapping[str, tuple[str, float]]] = {
    "llm_speed.csv": {
        "decode_rate": ("decode_tok_s", 1.0), "prefill_rate": ("prefill_tok_s", 1.0), "ttft": ("ttft_ms", 1e-3), "peak_memory": ("peak_mem_gib", 2.0**30),
    },
    "openvino_llm.csv": {"decode_rate": ("second_token_per_s", 1.0), "ttft": ("first_token_latency_ms", 1e-3), "peak_memory": ("max_rss_mb", 1e6)},
    "aihub_llm.csv": {"decode_rate": ("tokens_per_second", 1.0), "ttft": ("ttft_ms_min", 1e-3)},
}  # fmt: skip
_SOURCE = re.compile(r"[\w.-]+/[\w.-]+")
_UNIT_UNKNOWN = "unit as submitted"  # of memory: what a table could not make sure of
_CHUNK = "128"  # prompt tokens of the shortest time to first token that a chunked NPU runtime publishes: one chunk
_USUAL_PROMPT, _USUAL_DEPTH = 512.0, 512.0  # what a decision asks for is nearest to these tests

Figure = dict[str, str]


def main(arguments: list[str]) -> None:
    folder, out = Path(arguments[0]), Path(arguments[1]) if len(arguments) > 1 else KNOWLEDGE / "evidence"
    catalog = load_catalog()
    names = names_of(catalog, read_aliases(KNOWLEDGE / "aliases"))
    found: list[Figure] = []
    for table, metrics in TABLES.items():
        with open(folder / table, newline="", encoding="utf-8") as stream:
            rows = list(csv.DictReader(stream))
        found += _told_matched(table, rows, [figure for row in rows for figure in figures(row, metrics, names)], names)
    merged = list(repeats_merged(found))
    decided(merged, catalog)
    with open(out / "language-models.csv", "w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, COLUMNS, lineterminator="\n", restval="", extrasaction="ignore")
        writer.writeheader()
        writer.writerows(sorted(merged, key=lambda row: tuple(row[name] for name in _SORT)))
    print(f"{len(merged)} rows, {sum(bool(row['device']) for row in merged)} for decisions", file=sys.stderr)


def figures(row: Mapping[str, str], metrics: Mapping[str, tuple[str, float]], names: Names) -> Iterator[Figure]:
    """The figures of one row in our columns, base units. A row that cannot be read as a case has none, nor one of weights that its unit cannot hold."""
    if row.get("in_latest") == "0":  # superseded by a later release
        return
    case = language_case(row, names)
    if isinstance(case, str) or case.silicon.name.endswith("of the layers)"):
        return
    size = row.get("file_size_gib") or ""
    shared = {
        "framework": case.framework, "scheme": case.scheme, "source": source_of(row["source"]), "execution_provider": case.execution_provider,
        "version": row.get("framework_version") or row.get("release") or "", "conditions": (row.get("context_or_test") or _input(row)).strip(),
        "device_name": "" if case.silicon.key else case.silicon.name, "vendor": "" if case.silicon.key else case.silicon.vendor, "kind": case.silicon.kind,
        "silicon": case.silicon.key, "device_group": case.silicon.group, "memory_bandwidth_gb_s": "" if case.silicon.key else row.get("memory_bandwidth_gb_s") or "",
        "base_model": case.model if case.model in names.models else "", "model_name": "" if case.model in names.models else case.model,
        "params_b": "" if case.model in names.models else _plain(case.n_params and case.n_params / 1e9), "file_size_gib": size,
        "active_b": _active(case) if case.model not in names.models else "",
        "threads": _plain(case.threads), "output_tokens": _plain(case.output_tokens), "context": _plain(case.context),
    }  # fmt: skip
    for metric, (column, factor) in metrics.items():
        value = _number(row.get(column))
        if value and not (metric == "peak_memory" and _UNIT_UNKNOWN in (row.get("notes") or "")):
            yield {**shared, "metric": metric, "value": repr(value * factor), **_test(metric, case, row)}


def _test(metric: str, case: LanguageCase, row: Mapping[str, str]) -> dict[str, str]:
    """Prompt and depth that the metric hangs on. The start of a chunked prefill is its first chunk."""
    prompt = case.prompt_tokens
    if metric == "ttft" and case.framework == "qnn" and not prompt:
        prompt = float(_CHUNK)
    return {"prompt_tokens": _plain(prompt), "depth": _plain(case.depth)}


def repeats_merged(found: Iterable[Figure]) -> Iterator[Figure]:
    """One row for equal figures but for source and version: the median; the source with most of them, the newest version as written."""
    groups: dict[tuple[str, ...], list[Figure]] = {}
    for figure in found:
        groups.setdefault(tuple(figure[name] for name in _REPEATS), []).append(figure)
    for group in groups.values():
        source = Counter(figure["source"] for figure in group).most_common(1)[0][0]
        size = next((figure["file_size_gib"] for figure in group if figure["file_size_gib"]), "")
        value = median(float(figure["value"]) for figure in group)
        yield {**group[-1], "value": f"{value:.6g}", "n": str(len(group)), "source": source, "file_size_gib": size, "model": "", "device": "", "use": "fit"}


_REPEATS = (
    "metric", "silicon", "device_name", "kind", "base_model", "model_name", "scheme", "framework", "execution_provider", "threads", "prompt_tokens",
    "output_tokens", "depth", "context",
)  # fmt: skip
_PATH = ("metric", "silicon", "base_model", "scheme", "framework", "execution_provider")
_SORT = ("silicon", "device_name", "base_model", "model_name", "framework", "execution_provider", "scheme", "metric", "threads", "prompt_tokens", "depth", "output_tokens", "context")


def decided(rows: list[Figure], catalog: Catalog) -> None:
    """Name device and model in the row of each path whose test is nearest to the usual one: of several thread counts the fastest."""
    paths: dict[tuple[str, ...], list[Figure]] = {}
    for row in rows:
        is_known = row["silicon"] and row["base_model"] and row["scheme"] in catalog.schemes and row["framework"] in catalog.frameworks and row["execution_provider"]
        if is_known and row["metric"] != "peak_memory":
            paths.setdefault(tuple(row[name] for name in _PATH), []).append(row)
    for path in paths.values():
        chosen = min(path, key=lambda row: (_distance(row), -float(row["value"])))
        chosen["device"], chosen["model"], chosen["use"] = chosen["silicon"], chosen["base_model"], ""


def _distance(row: Figure) -> float:
    """How far the test is from the usual one, in octaves."""
    asked, usual = (row["depth"], _USUAL_DEPTH) if row["metric"] == "decode_rate" else (row["prompt_tokens"], _USUAL_PROMPT)
    return round(abs(math.log2(float(asked or 1) / usual)), 1)


def source_of(text: str) -> str:
    """Id of a source: that of the repository it names, else of its first words."""
    found = _SOURCE.search(text)
    return "ev-" + (found[0].replace("/", "-") if found else "-".join(re.findall(r"[A-Za-z0-9.]+", text)[:3]))


def _input(row: Mapping[str, str]) -> str:
    return f"input {row['input_tokens']}" if row.get("input_tokens") else f"ctx{row['context_length']}" if row.get("context_length") else ""


def _active(case: LanguageCase) -> str:
    """What a mixture of experts uses per token, in words that rows are read by."""
    return "" if not case.is_mixture else f"{case.n_active_params / 1e9:.4g}B active" if case.n_active_params else "MoE"


def _number(text: str | None) -> float | None:
    try:
        value = float(text or "")
    except ValueError:
        return None
    return value if value > 0 else None


def _plain(value: float | None) -> str:
    return f"{value:.6g}" if value else ""


def _told_matched(table: str, rows: list[dict[str, str]], found: list[Figure], names: Names) -> list[Figure]:
    """Say how many of a table's rows and units the catalogue knows."""
    units = {(row.get("device") or row.get("platform") or "", row.get("soc_or_cpu_or_gpu") or row.get("chipset") or "", row.get("compute_unit") or "") for row in rows}
    known = {unit for unit in units if names.device((unit[2] or ("npu" if table.startswith("aihub") else "gpu")), unit[0], unit[1])}
    matched = sum(1 for figure in found if figure["silicon"])
    print(f"{table}: {len(rows)} rows, {len(known)} of {len(units)} units known, {matched} of {len(found)} figures on a known unit", file=sys.stderr)
    return found


if __name__ == "__main__":
    main(sys.argv[1:])
