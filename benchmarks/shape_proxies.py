"""What shape proxies tell of a whole model, against the whole model: random weights at full depth, by the same writer and the same protocol.

    python -m benchmarks.shape_proxies [--framework llama-cpp] [--shapes qwen2.5-0.5b,...] [--schemes Q4_0,...] [--again]

A row is measured once: rows that are in SHAPE_PROXIES.json are kept, so that a run that was cut off goes on. Proxies are measured first, then the
whole model in quick mode; the cost of either is writing, loading and running it. A whole file needs up to 4 GB and is deleted after its row.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from random import Random
from statistics import median
from typing import Any

from recommender.apply.artifacts import Artifacts
from recommender.apply.proxies import make_proxy, refusal
from recommender.compose import load_catalog
from recommender.domain.catalog import Catalog
from recommender.domain.errors import StepFailed
from recommender.domain.measurement import Summary
from recommender.domain.model import ModelSpec
from recommender.executors import registry
from recommender.intake.microbenchmark import usable_threads
from recommender.measure import preflight
from recommender.measure.metrics import summarise
from recommender.measure.proxy import Proxied, measure_proxy
from recommender.measure.take import Run, options_of, take

HERE = Path(__file__).parent
TABLE, ROWS = HERE / "SHAPE_PROXIES.md", HERE / "SHAPE_PROXIES.json"
METRICS = ("decode_rate", "prefill_rate", "peak_memory")
WORKLOAD = {"prompt_tokens": 256, "output_tokens": 64, "context": 1024, "batch": 1, "concurrency": 1, "streams": 1}
_SMALL = ("qwen2.5-0.5b", "llama-3.2-1b", "qwen2.5-1.5b")
CASES = {  # framework -> shapes, schemes
    "llama-cpp": (("qwen2.5-0.5b", "qwen3-0.6b", "gemma-3-1b", "llama-3.2-1b", "qwen2.5-1.5b", "llama-3.2-3b"), ("Q4_0", "Q4_K_M", "Q8_0")),
    "openvino-genai": (_SMALL, ("int4-weights-g128", "int8-weights")),
    "onnxruntime-genai": (_SMALL, ("int4-weights-g32",)),
    "mlx": (_SMALL[:1], ("int4-mlx-g64",)),
}

Row = dict[str, Any]


def main() -> None:
    """Measure what is lacking, row by row, and write the table."""
    asked, catalog = _arguments(), load_catalog()
    spin = preflight.spin_policy(preflight.record()["foreign_load"] or 0.0)
    rows: list[Row] = [] if asked.again or not ROWS.exists() else json.loads(ROWS.read_text("utf-8"))
    for case in _cases(asked):
        if any(tuple(row[name] for name in ("framework", "shape", "scheme")) == case for row in rows):
            continue
        _say(" ".join(case))
        rows.append(measured(*case, catalog, rounds=asked.rounds, spin=spin))
        _say(f"  {_line(rows[-1])}")
        ROWS.write_text(json.dumps(rows, indent=1, sort_keys=True) + "\n", "utf-8")
        TABLE.write_text(page(rows), "utf-8")


def measured(framework: str, shape: str, scheme: str, catalog: Catalog, *, rounds: int, spin: str) -> Row:
    """One row: predicted and measured metrics, the cost of both in seconds by part, bytes; or `why` there are none."""
    model = catalog.models[shape]
    row: Row = {"framework": framework, "shape": shape, "scheme": scheme}
    if why := refusal(framework, model, catalog.schemes[scheme]):
        return {**row, "why": why}
    choice = {
        "id": f"{framework}/cpu/{scheme}", "framework": framework, "execution_provider": "cpu", "scheme": scheme, "format": registry.runner(framework).formats[0],
        "options": {"n_threads": usable_threads(), "context": WORKLOAD["context"]},
    }
    with tempfile.TemporaryDirectory() as name:
        try:
            proxied = measure_proxy(choice, model, WORKLOAD, catalog, Path(name) / "proxies", _say, rounds=rounds, spin=spin)
            for made in proxied.made:
                _drop(made.key)
            whole = _whole(choice, model, catalog, Path(name) / "whole", spin)
        except StepFailed as error:
            return {**row, "why": error.message}
    return {**row, **_compared(proxied, whole)}


def _whole(choice: Mapping[str, Any], model: ModelSpec, catalog: Catalog, folder: Path, spin: str) -> dict[str, Any]:
    """The whole model, written and measured once in quick mode."""
    assert model.n_layers
    began = time.monotonic()
    made, _ = make_proxy(choice["framework"], model, catalog.schemes[choice["scheme"]], n_layers=model.n_layers, context=WORKLOAD["context"])
    written = time.monotonic() - began
    try:
        plan = {name: WORKLOAD[name] for name in ("prompt_tokens", "output_tokens")}
        run = Run(
            candidate=choice["id"], runner=choice["framework"], artifact=made.path, folder=folder, options=options_of(choice), plan=plan, mode="quick", spin=spin,
        )
        found = take(run, 1)
    finally:
        _drop(made.key)
    if not found.ok:
        raise StepFailed(f"the whole model: {found.message}", kind=found.kind)
    metrics = {**summarise([found], Random(0)), "peak_memory": Summary(unit="bytes", value=found.raw["peak_memory"])}
    return {"metrics": metrics, "cost": {"write": written, "run": time.monotonic() - began - written}, "size": made.size}


def _compared(proxied: Proxied, whole: Mapping[str, Any]) -> Row:
    found: Row = {"layers": list(proxied.depths), "cost": {"proxy": dict(proxied.cost), "whole": whole["cost"]}, "bytes": {"proxy": sum(made.size for made in proxied.made), "whole": whole["size"]}}
    for metric in METRICS:
        told, truth = proxied.metrics[metric], whole["metrics"][metric]
        if told.value is None:
            continue
        found[metric] = {"predicted": [told.low, told.value, told.high], "measured": truth.value, "error": told.value / truth.value - 1}
    return found


def _drop(key: str) -> None:
    shutil.rmtree(Artifacts().root / key)


def page(rows: Sequence[Row]) -> str:
    """The table, and for each framework the errors and the share of the cost."""
    lines = [
        "# Shape proxies against whole models", "",
        f"Random weights at full depth against what two proxies of a few layers told of them; {WORKLOAD['prompt_tokens']} tokens in, {WORKLOAD['output_tokens']} out. Cost: write, load and",
        "run in quick mode. Size: of the whole file, which is the download that a proxy saves. `python -m benchmarks.shape_proxies` writes this page.", "",
        "| framework | model | scheme | layers | decode tok/s | predicted | error | prefill tok/s | predicted | error | memory error | cost s | whole s | share | size GB |",
        "|---|---|---|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|",
    ]
    lines += [f"| {row['framework']} | {row['shape']} | {row['scheme']} | {_cells(row)} |" for row in rows]
    lines += ["", *(_summary(framework, [row for row in rows if row["framework"] == framework and "why" not in row]) for framework in dict.fromkeys(row["framework"] for row in rows))]
    return "\n".join(lines) + "\n"


def _cells(row: Row) -> str:
    if "why" in row:
        return f"{row['why']}" + " |" * 11
    rates = [f"{row[metric]['measured']:.3g} | {row[metric]['predicted'][1]:.3g} | {row[metric]['error']:+.1%}" for metric in METRICS[:2]]
    memory = f"{row['peak_memory']['error']:+.1%}" if "peak_memory" in row else ""
    proxy, whole = _costs(row)
    return " | ".join([" and ".join(map(str, row["layers"])), *rates, memory, f"{proxy:.1f}", f"{whole:.1f}", f"{proxy / whole:.0%}", f"{row['bytes']['whole'] / 1e9:.2f}"])


def _summary(framework: str, rows: Sequence[Row]) -> str:
    if not rows:
        return f"- {framework}: nothing was measured."
    parts = []
    for metric in METRICS[:2]:
        errors = [abs(row[metric]["error"]) for row in rows]
        inside = sum(row[metric]["predicted"][0] <= row[metric]["measured"] <= row[metric]["predicted"][2] for row in rows)
        parts.append(f"{metric.replace('_', ' ')} median error {median(errors):.1%}, worst {max(errors):.1%}, {inside} of {len(rows)} within the interval")
    shares = [proxy / whole for proxy, whole in map(_costs, rows)]
    return f"- {framework}: {'; '.join(parts)}; cost {median(shares):.0%} of the whole model's in the median, {max(shares):.0%} at most."


def _costs(row: Row) -> tuple[float, float]:
    return sum(row["cost"]["proxy"].values()), sum(row["cost"]["whole"].values())


def _line(row: Row) -> str:
    return _cells(row).replace(" | ", "  ")


def _cases(asked: argparse.Namespace) -> Iterator[tuple[str, str, str]]:
    for framework in asked.framework.split(",") if asked.framework else CASES:
        shapes, schemes = CASES[framework]
        for shape in asked.shapes.split(",") if asked.shapes else shapes:
            for scheme in asked.schemes.split(",") if asked.schemes else schemes:
                yield framework, shape, scheme


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--framework", help=f"of {', '.join(CASES)}; several with commas")
    parser.add_argument("--shapes", help="models of the catalogue")
    parser.add_argument("--schemes")
    parser.add_argument("--rounds", type=int, default=1, help="of both depths")
    parser.add_argument("--again", action="store_true", help="measure all rows anew")
    return parser.parse_args()


if __name__ == "__main__":
    main()
