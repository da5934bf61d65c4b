"""What a tool printed: figures by its parser in `executors/remote/parsers/`, names by the expressions in `formats.toml`."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from statistics import median
from typing import Any

from recommender.domain.errors import WrongOutput
from recommender.domain.measurement import Summary
from recommender.domain.workload import METRICS
from recommender.evidence.figures import count, figure
from recommender.evidence.told import Document, NotThisFormat, Rows, Told, attempt, stem
from recommender.executors.remote.parser import Reading
from recommender.executors.remote.parser import parser as parser_of
from recommender.executors.remote.parser import read as read_printed

_COUNTS = ("threads", "batch", "streams")


def read(document: Document, parsers: Sequence[str], begins: str, says: Mapping[str, str]) -> Rows:
    """One row a run.

    Args:
        parsers: the first that finds something is used. begins: expression for the first line of a run, where a file may hold several.
        says: part of Told -> expression; its first group that took part is the value. `flag.NAME` sets that flag where it matches.
    """
    runs = _runs(document.text.replace("\r\n", "\n"), begins)
    rows = [attempt(f"run {number}", _told, text, parsers, says) for number, text in enumerate(runs, 1)]
    if not any(isinstance(row, Told) for row in rows):
        raise NotThisFormat("it holds none of the lines with the tool's results")
    yield from rows


def _runs(text: str, begins: str) -> list[str]:
    starts = [match.start() for match in re.finditer(begins, text, re.MULTILINE)] if begins else []
    if len(starts) < 2:
        return [text]
    return [text[start:end] for start, end in zip(starts, [*starts[1:], len(text)], strict=True)]


def _told(row: str, text: str, parsers: Sequence[str], says: Mapping[str, str]) -> Told:
    reading = _reading(text, parsers)
    found = {name: value for name, expression in says.items() if (value := _said(text, expression))}
    workload = {name: count(found[name], name) for name in _COUNTS if name in found}
    told = Told(
        row=row, metrics=_metrics(reading), workload=workload, version=reading.version, models=tuple(filter(None, (stem(found.get("model")),))),
        devices=tuple(filter(None, (found.get("device", ""),))), flags=tuple(name.removeprefix("flag.") for name in found if name.startswith("flag.")),
    )
    plain: dict[str, Any] = {name: found[name] for name in ("back_end", "scheme", "version", "date") if name in found}
    return replace(told, **plain)


def _said(text: str, expression: str) -> str:
    match = re.search(expression, text, re.MULTILINE)
    return next((group.strip() for group in match.groups() if group), match[0]) if match else ""


def _reading(text: str, parsers: Sequence[str]) -> Reading:
    for name in parsers:
        try:
            return read_printed(parser_of(name), text)
        except WrongOutput as error:
            fault = error.message
    raise ValueError(fault)


def _metrics(reading: Reading) -> dict[str, Summary]:
    """Every figure is checked again: a tool prints `nan` and `-1` where it measured nothing."""
    found = {}
    for metric, values in reading.samples.items():
        if metric in METRICS and values:
            base = METRICS[metric][0]
            found[metric] = figure(metric, median(values), base, n_samples=len(values) if len(values) > 1 else 0, **reading.printed.get(metric, {}))
    return {**found, **{metric: figure(metric, value, METRICS[metric][0]) for metric, value in reading.cold.items() if value > 0}}
