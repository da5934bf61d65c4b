"""Every runnable scheme of every framework on this machine: size, quality, speed with its interval, memory; several runs, and whether their order agrees.

    python -m benchmarks.matrix MODEL [--data FILE] [--runs 3] [--seconds 2] [--json FILE]

The schemes come from the support statements of the catalogue, those that the rules refuse included (a CPU that stands for a device in development,
an emulator): what is measured here checks the rules, it does not follow them. Kendall's tau compares the order of each pair of runs.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Mapping
from itertools import combinations, pairwise
from pathlib import Path
from typing import Any

from recommender import compose
from recommender.decide import tables
from recommender.decide.advise import device_attributes
from recommender.domain.catalog import Catalog
from recommender.domain.facts import SupportStatement
from recommender.domain.model import ModelSpec
from recommender.domain.recommendation import Request
from recommender.domain.target import Target
from recommender.executors import registry
from recommender.intake.model_identity import content_identity
from recommender.measure import campaign as campaigns
from recommender.measure import report
from recommender.measure.campaign import Campaign, Settings, Subject
from recommender.measure.data import data_for
from recommender.measure.remembered import Memory
from recommender.store.database import SQLite
from recommender.store.evidence import EvidenceStore

_WORKLOAD = {"prompt_tokens": 64, "output_tokens": 32, "context": 256}
_PROVIDERS = ("cpu", "qnn-htp")  # the emulator of the latter runs here


def main() -> None:
    """Measure, print the table, say whether the order is the same."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("model", type=Path)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=2.0, help="of one repetition")
    parser.add_argument("--skip", default="", help="schemes that are left out, separated by commas")
    parser.add_argument("--json", type=Path, help="everything, as JSON")
    asked = parser.parse_args()
    catalog = compose.load_catalog()
    [model] = compose.resolve_models(str(asked.model), catalog, offline=True)
    target = compose.resolve_target("this-machine", catalog, _say)
    campaigns._LEAST = asked.seconds
    campaigns._MOST = {"quick": asked.seconds}
    runs = [_run(model, target, catalog, asked.data, frozenset(asked.skip.split(","))) for _ in range(asked.runs)]
    print(table(runs))
    print(agreement(runs))
    if asked.json:
        asked.json.write_text(json.dumps(runs, default=str))


def _run(model: ModelSpec, target: Target, catalog: Catalog, data: Path | None, skipped: frozenset[str]) -> dict[str, Any]:
    """One campaign over all choices, with a store of its own."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        subject = Subject(
            document=_document(model, target, catalog, skipped), model=model, model_hash=content_identity(Path(model.artifact.path)) if model.artifact else "",
            source=Path(model.artifact.path).absolute() if model.artifact else Path(), target=target, catalog=catalog,
            data=data_for(data, is_language_model=model.is_language_model),
        )
        memory = Memory(store=EvidenceStore(SQLite(folder / "evidence.sqlite")), digest=target.fingerprint.digest, model_hash="", say=_say)
        found = Campaign(
            subject=subject, settings=Settings(mode="quick", budget=1e5, may_download=True), say=_say, journals=folder / "runs", work=folder / "work", memory=memory,
        ).run()
        return report.document(found, subject, report.measurements(found, subject), None)


def _document(model: ModelSpec, target: Target, catalog: Catalog, skipped: frozenset[str]) -> dict[str, Any]:
    workload = compose.resolve_workload(None, model, catalog, _WORKLOAD if model.is_language_model else {}, ())
    request = Request(model=model, workload=workload)
    attributes = next(iter(device_attributes(request, target, catalog).values()))
    cpu = {name: reading for name, reading in attributes.items() if name.startswith(("model.", "host."))}
    threads = attributes["device.cores_usable"][0]
    choices = [
        _choice(rank, statement, scheme, threads, model, catalog)
        for rank, (statement, scheme) in enumerate(_statements(cpu, catalog), 1) if scheme not in skipped
    ]
    told = {name: getattr(workload, name) for name in ("key", "objective", "prompt_tokens", "output_tokens", "context", "batch", "concurrency", "streams")}
    return {"id": "matrix", "choices": choices, "workload": {**told, "needs": []}}


def _statements(attributes: Mapping[str, Any], catalog: Catalog) -> list[tuple[SupportStatement, str]]:
    """(statement, scheme) of frameworks with a runner whose conditions on the model hold."""
    found: dict[tuple[str, str, str], tuple[SupportStatement, str]] = {}
    for framework in catalog.frameworks.values():
        if framework.key not in registry.names(registry.RUNNERS):
            continue
        for statement in framework.support:
            about_model = {name: row for name, row in statement.when.items() if name.startswith("model.")}
            if statement.status == "no" or statement.execution_provider not in _PROVIDERS or tables.evaluate(about_model, attributes) is False:
                continue
            for scheme in statement.schemes:
                found.setdefault((framework.key, statement.execution_provider, scheme), (statement, scheme))
    return list(found.values())


def _choice(rank: int, statement: SupportStatement, scheme: str, threads: Any, model: ModelSpec, catalog: Catalog) -> dict[str, Any]:
    held = model.artifact.format if model.artifact else ""
    form, preparers = statement.format, list(statement.preparers)
    if statement.execution_provider == "qnn-htp":  # what the emulator loads: QDQ graphs
        form, preparers = "onnx", ["onnx-export", "qnn-qdq"]
    needed = [name for name in preparers if catalog.preparers[name].produces != held]
    is_as_is = bool(model.artifact and held == form and model.artifact.scheme in (scheme, None) and not [name for name in needed if name != "onnx-export"])
    steps = [{"action": catalog.preparers[name].action, "preparer": name, "where": "here", "size": None, "parameters": {}} for name in ([] if is_as_is else needed)]
    options = {"n_threads": threads, "context": _WORKLOAD["context"]} if model.is_language_model else {"n_threads": threads}
    return {
        "rank": rank, "id": f"{statement.framework}/{statement.execution_provider}/{scheme}", "framework": statement.framework, "execution_provider": statement.execution_provider,
        "device": "cpu0", "device_kind": "cpu", "format": form, "scheme": scheme, "options": options, "runnable_here": True, "is_as_is": is_as_is,
        "recipe": {"steps": steps, "launch": None}, "estimates": {},
    }


def table(runs: list[dict[str, Any]]) -> str:
    """One line a candidate, the fastest of the first run first."""
    head = f"{'candidate':<44}{'size':>10}{'memory':>10}  {'objective of each run':<66} quality"
    return "\n".join([head, *(_line(name, runs) for name in order(runs[0])), *_left(runs[0])])


def _line(name: str, runs: list[dict[str, Any]]) -> str:
    rows = [next((row for row in run["measured"] if row["choice"] == name), None) for run in runs]
    metric = runs[0]["workload"]["objective"]
    first = next(row for row in rows if row)
    size, memory = (first["metrics"].get(key, {}).get("value") for key in ("file_size", "peak_memory"))
    speeds = "  ".join(_speed(row["metrics"][metric]) if row and metric in row["metrics"] else "-" for row in rows)
    quality = first["quality"]
    kept = ", ".join(f"{key} {quality[key]['value']:.4g}" for key in ("kl", "top1_agreement", "accuracy", "cosine") if quality.get(key))
    return f"{name:<44}{_mib(size):>10}{_mib(memory):>10}  {speeds:<66} {kept}{' (emulated: no speed)' if first['facts'].get('emulated') else ''}"


def _speed(told: Mapping[str, Any]) -> str:
    scale, unit = (1e3, "ms") if told["unit"] == "s" else (1.0, told["unit"])
    return f"{told['value'] * scale:.4g} ({told['low'] * scale:.4g}-{told['high'] * scale:.4g}) {unit}"


def _mib(value: float | None) -> str:
    return "-" if value is None else f"{value / 2**20:.2f}"


def _left(run: dict[str, Any]) -> list[str]:
    return [f"not measured {row['id']}: {row['reason']}" for row in run["not_measured"]]


def order(run: dict[str, Any]) -> list[str]:
    """Candidates that have the objective, best first; those without (an emulator) last."""
    metric = run["workload"]["objective"]
    sign = -1 if metric.endswith("rate") or metric == "throughput" else 1
    rows = [(row["choice"], row["metrics"].get(metric, {}).get("value")) for row in run["measured"]]
    return [name for name, _ in sorted(rows, key=lambda row: (row[1] is None, sign * (row[1] or 0.0)))]


def agreement(runs: list[dict[str, Any]]) -> str:
    """Winners, Kendall's tau of each pair of runs, and the pairs whose order is the same in all."""
    orders = [order(run) for run in runs]
    names = [name for name in orders[0] if all(name in other for other in orders)]
    taus = [_tau([o.index(name) for name in names], [p.index(name) for name in names]) for o, p in combinations(orders, 2)]
    same = sum(all(o.index(a) < o.index(b) for o in orders) for a, b in combinations(names, 2))
    return (
        f"first: {', '.join(o[0] for o in orders)}; order {'the same' if all(a == b for a, b in pairwise(orders)) else 'not the same'} in all runs; "
        f"tau {', '.join(f'{tau:.2f}' for tau in taus)}; {same} of {len(names) * (len(names) - 1) // 2} pairs in the same order in all runs"
    )


def _tau(one: list[int], other: list[int]) -> float:
    pairs = list(combinations(range(len(one)), 2))
    return sum(1 if (one[a] - one[b]) * (other[a] - other[b]) > 0 else -1 for a, b in pairs) / max(1, len(pairs))


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
