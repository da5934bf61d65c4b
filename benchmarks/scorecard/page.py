"""The card as a page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks.scorecard.card import ALL, LEAST
from benchmarks.scorecard.parts import PARTS

_LEFT_OUT = {"device": "a device left out", "group": "a silicon group left out", "model": "a model left out"}
_NAMES = {"decode_rate": "decode rate", "prefill_rate": "prefill rate", "ttft": "time to first token", "latency": "latency", "peak_memory": "peak memory", "throughput": "throughput"}


def page(card: Mapping[str, Any], plots: Sequence[str]) -> str:
    """Markdown. Every figure is of cases whose device, silicon or model the fit had not seen."""
    lines = [
        "# Score card", "",
        "How far the predictions are off on hardware and models that they were not fitted to. Made by `make scorecard` from the evidence in `knowledge/`.",
        "Error: |predicted / measured - 1|; every device (or model) that was left out weighs the same, however many rows it has. Coverage: share of cases",
        "within the 80 % interval, with the range that drawing whole groups again gives. Width: upper over lower end, the median. A class has a line of its",
        f"own from {LEAST} cases on. Beside each error: what simpler ways say of the same cases.", "",
    ]
    lines += _noise(card.get("noise", {}))
    for part in PARTS:
        if part.name in card["parts"]:
            lines += [f"## {part.title}", "", *_part(card["parts"][part.name])]
    lines += _further(card.get("further", {}))
    lines += [line for plot in plots for line in (f"![{plot}](plots/{plot})", "")]
    return "\n".join(lines).rstrip() + "\n"


def _part(told: Mapping[str, Any]) -> list[str]:
    lines: list[str] = []
    for split, found in told.items():
        for metric, classes in found["metrics"].items():
            if classes:
                lines += [f"### {_NAMES[metric].capitalize()}, {_LEFT_OUT[split]}", "", *_table(classes), ""]
        if found["picks"]:
            lines += [f"### Picking by predicted speed, {_LEFT_OUT[split]}", "", *_picks(found["picks"]), ""]
    return lines


def _table(classes: Mapping[str, Any]) -> list[str]:
    simple = sorted({name for entry in classes.values() for name in entry["baselines"]})
    head = ["class", "cases", "groups", "answered", "median error", "90 %", "coverage", "width", "rank correlation", *simple]
    return [_row(head), _row(["---"] * len(head)), *(_row(_cells(name, entry, simple)) for name, entry in classes.items())]


def _cells(name: str, entry: Mapping[str, Any], simple: Sequence[str]) -> list[str]:
    coverage = f"{percent(entry['coverage'])} ({percent(entry['coverage_low'])} to {percent(entry['coverage_high'])})"
    ranks = f"{entry['rank_correlation']:.2f} ({entry['rank_devices']})" if entry["rank_correlation"] is not None else ""
    others = [_baseline(entry["baselines"].get(other)) for other in simple]
    width = f"{entry['width']:.2f}" if entry["width"] is not None else ""
    shown = f"**{name}**" if name == ALL else name
    return [shown, str(entry["n"]), str(entry["n_groups"]), percent(entry["share_told"]), percent(entry["median"]), percent(entry["p90"]), coverage, width, ranks, *others]


def _baseline(found: Sequence[Any] | None) -> str:
    return f"{percent(found[0])}, 90 %: {percent(found[1])} (n = {found[2]})" if found and found[2] else "no answer"


def _picks(found: Mapping[str, Any]) -> list[str]:
    head = ["way", "contests", "regret (geometric mean)", "within 5 % of the best", "best"]
    rows = [[name, str(entry["n"]), _number(entry["regret"]), percent(entry["close"]), percent(entry["best"])] for name, entry in found.items()]
    return [_row(head), _row(["---"] * len(head)), *map(_row, rows)]


def _noise(found: Mapping[str, Any]) -> list[str]:
    if not found:
        return []
    return ["## The noise floor", "", "The same thing measured again moves by this much (median). No error below it means anything.", "",
            *(f"* {name}: {percent(entry['median'])} (n = {entry['n']})" for name, entry in found.items()), ""]  # fmt: skip


def _further(found: Mapping[str, Any]) -> list[str]:
    lines: list[str] = []
    for title, rows in found.items():
        names = list(dict.fromkeys(name for row in rows for name in row))
        lines += [f"## {title}", "", _row(names), _row(["---"] * len(names)), *(_row([_shown(row.get(name)) for name in names]) for row in rows), ""]
    return lines


def percent(value: float | None) -> str:
    return "" if value is None else f"{100 * value:.1f} %"


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"


def _shown(value: Any) -> str:
    return "" if value is None else f"{value:.4g}" if isinstance(value, float) else str(value)


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"
