"""hailortcli's `--csv FILE` of `run` and `benchmark`: one row a network, latencies in milliseconds. The rate is that of a filled pipeline."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping

from recommender.evidence.figures import figure
from recommender.evidence.told import Document, NotThisFormat, Rows, Told, attempt

_LATENCY = ("overall_latency", "hw_latency")


def read(document: Document) -> Rows:
    """The rows of the table; the fields that nothing was measured for are empty."""
    rows = csv.DictReader(io.StringIO(document.text), restkey="more", restval="")
    if not {"net_name", "fps"} <= set(rows.fieldnames or ()):
        raise NotThisFormat("its first line does not name net_name and fps")
    for number, raw in enumerate(rows, 1):
        yield attempt(f"row {number}", _told, raw)


def _told(row: str, raw: Mapping[str, str]) -> Told:
    if raw.get("status", "0").strip() not in ("", "0"):
        raise ValueError(f"the run failed: {raw.get('status_description', '').strip() or raw['status']}")
    metrics = {"throughput": figure("throughput", raw["fps"], "FPS")} if raw["fps"] else {}
    latency = next((raw[name] for name in _LATENCY if raw.get(name)), "")
    if latency:
        metrics["latency"] = figure("latency", latency, "ms")
    return Told(row=row, metrics=metrics, models=(raw["net_name"].rpartition("/")[2],))
