"""llama-bench (llama.cpp, tools/llama-bench): JSON, JSON Lines, CSV, SQL with the same fields, and the Markdown table people paste.

Rates are tokens per second over the tokens of the test; `n_depth` tokens are in the cache before it begins. A Markdown table names no hardware.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Mapping
from typing import Any

from recommender.evidence.figures import counts, figure, number, sampled
from recommender.evidence.json_text import objects
from recommender.evidence.told import Document, Fault, NotThisFormat, Rows, Told, attempt, stem, text_of

_WORKLOAD = {"n_prompt": "prompt_tokens", "n_gen": "output_tokens", "n_depth": "depth", "n_threads": "threads"}
_WHOLE = 99  # `-ngl` that people write for all layers; negative means it too
_TYPE = re.compile(r"^(?P<model>.+?)\s+(?:mostly\s+|all\s+)?(?P<scheme>(?:F32|F16|BF16|I?Q\d|TQ\d|MXFP4|NVFP4)\S*(?:\s.*)?)$")
_SIZES = {"Small": "S", "Medium": "M", "Large": "L"}
_TEST = re.compile(r"^(?P<kind>pp|tg) ?(?P<tokens>\d+)(?: ?@ ?d(?P<depth>\d+))?$")
_INSERT = re.compile(r"INSERT INTO \w+ \((?P<names>[^)]*)\) VALUES \((?P<values>.*)\);?\s*$", re.IGNORECASE)
_BUILD = re.compile(r"^build: (\w+)", re.MULTILINE)


def read(document: Document) -> Rows:
    """Rows of any of the five forms."""
    text = document.text.lstrip()
    if text.startswith(("[", "{")):
        for row, value in objects(text):
            yield value if isinstance(value, Fault) else attempt(row, _told, value)
    elif re.search(r"^INSERT INTO ", text, re.MULTILINE | re.IGNORECASE):
        yield from _sql(text)
    elif re.search(r"^\s*\| *model *\|", text, re.MULTILINE):
        yield from _markdown(text)
    else:
        yield from _csv(text)


def _csv(text: str) -> Rows:
    rows = csv.DictReader(io.StringIO(text), restkey="", restval=None)
    if not {"n_prompt", "n_gen", "avg_ts"} <= set(rows.fieldnames or ()):
        raise NotThisFormat("its first line does not name n_prompt, n_gen and avg_ts")
    for number_, raw in enumerate(rows, 1):
        row = f"row {number_}"
        is_whole = "" not in raw and None not in raw.values()
        yield attempt(row, _told, raw) if is_whole else Fault(row=row, reason="it has another number of fields than the first line")


def _sql(text: str) -> Rows:
    """The statements are read, never run."""
    for number_, line in enumerate((line for line in text.splitlines() if line.upper().startswith("INSERT INTO ")), 1):
        row, match = f"row {number_}", _INSERT.match(line)
        names = [name.strip() for name in match["names"].split(",")] if match else []
        values = next(csv.reader([match["values"]], quotechar="'", skipinitialspace=True), []) if match else []
        yield attempt(row, _told, dict(zip(names, values, strict=True))) if names and len(names) == len(values) else Fault(row=row, reason="the statement is not whole")


def _markdown(text: str) -> Rows:
    names: list[str] = []
    build = _BUILD.findall(text)
    rows = 0
    for line in text.splitlines():
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if not line.strip().startswith("|") or not set("".join(cells)) - set("-: "):
            continue
        if cells[0] == "model":
            names = cells
            continue
        rows += 1
        row = f"row {rows}"
        if not names or len(names) != len(cells):
            yield Fault(row=row, reason="it has another number of columns than the table's head")
        else:
            yield attempt(row, _table_row, dict(zip(names, cells, strict=True)), build[-1] if len(set(build)) == 1 else "")


def _table_row(row: str, raw: Mapping[str, str], build: str) -> Told:
    test = _TEST.match(raw["test"])
    if not test:
        raise ValueError(f"the test `{raw['test']}` is neither of prompt nor of generation alone")
    fields: dict[str, Any] = {
        "n_prompt": test["tokens"] if test["kind"] == "pp" else 0, "n_gen": test["tokens"] if test["kind"] == "tg" else 0, "n_depth": test["depth"] or 0,
        "n_threads": raw.get("threads"), "n_gpu_layers": raw.get("ngl"), "model_type": raw["model"], "backends": raw["backend"], "build_commit": build,
        "avg_ts": raw["t/s"].partition("±")[0].strip(),
    }  # fmt: skip
    return _told(row, fields)


def _told(row: str, raw: Mapping[str, Any]) -> Told:
    workload = counts(raw, _WORKLOAD)
    n_prompt, n_gen = workload["prompt_tokens"], workload["output_tokens"]
    if bool(n_prompt) == bool(n_gen):
        raise ValueError(f"a test of {n_prompt} prompt and {n_gen} generated tokens together is neither a prefill nor a decode rate")
    metric, samples = "prefill_rate" if n_prompt else "decode_rate", raw.get("samples_ts")
    summary = sampled(metric, samples, "tok/s") if isinstance(samples, list) and samples else figure(metric, raw["avg_ts"], "tok/s")
    parts = _TYPE.match(text_of(raw.get("model_type")))
    layers = int(number(raw["n_gpu_layers"], "n_gpu_layers")) if raw.get("n_gpu_layers") not in (None, "") else None
    back_end = _back_end(text_of(raw.get("backends")), layers)
    cards = text_of(raw.get("gpu_info"))
    is_processor = back_end == "CPU"
    return Told(
        row=row, metrics={metric: summary}, workload=workload, back_end=back_end, version=text_of(raw.get("build_commit")), date=text_of(raw.get("test_time")),
        devices=tuple(filter(None, (text_of(raw.get("cpu_info")) if is_processor else cards,))),
        models=tuple(dict.fromkeys(filter(None, (stem(raw.get("model_filename")), parts["model"] if parts else text_of(raw.get("model_type")))))),
        scheme=_scheme(parts["scheme"]) if parts else "", options={} if layers is None or is_processor else {"n_gpu_layers": layers},
        flags=_flags(layers, is_processor, cards),
    )


def _back_end(backends: str, layers: int | None) -> str:
    """What the layers ran on: with none of them offloaded, the processor."""
    others = [name.strip() for name in backends.split(",") if name.strip() not in ("", "CPU", "BLAS", "ZenDNN")]
    return "CPU" if layers == 0 or (backends and not others) else others[0] if others else ""


def _flags(layers: int | None, is_processor: bool, cards: str) -> tuple[str, ...]:
    if is_processor:
        return ("helped-by-the-card",) if cards and layers == 0 else ()  # long prompts may be sent to a card even so
    found = ("several-devices",) if "," in cards else ()
    return (*found, "partial-offload") if layers is not None and 0 < layers < _WHOLE else found


def _scheme(words: str) -> str:
    """`Q4_K - Medium` -> `Q4_K_M`, `IQ2_XS - 2.3125 bpw` -> `IQ2_XS`; what is not of this form stays."""
    name, dash, rest = words.removesuffix("(guessed)").strip().partition(" - ")
    if dash and rest in _SIZES:
        return f"{name}_{_SIZES[rest]}"
    return name if dash and rest.endswith("bpw") and " " not in name else words.removesuffix("(guessed)").strip()
