"""Base units as a person reads them."""

from __future__ import annotations

from typing import Any

_SCALES: dict[str, tuple[tuple[float, str], ...]] = {
    "bytes": ((2.0**40, "TiB"), (2.0**30, "GiB"), (2.0**20, "MiB"), (2.0**10, "KiB"), (1.0, "bytes")),
    "bytes/s": ((1e12, "TB/s"), (1e9, "GB/s"), (1e6, "MB/s"), (1.0, "B/s")),
    "ops/s": ((1e12, "TOPS"), (1e9, "GOPS"), (1.0, "OPS")),
    "Hz": ((1e9, "GHz"), (1e6, "MHz"), (1.0, "Hz")),
    "s": ((1.0, "s"), (1e-3, "ms"), (1e-6, "us")),
    "fraction": ((1e-2, "%"),),
}


def readable(value: Any, unit: str) -> str:
    """8589934592, bytes -> `8 GiB`; four significant digits; text and other units as they are."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return str(value)
    scales = _SCALES.get(unit)
    if not scales:
        number = f"{value:.0f}" if float(value).is_integer() and abs(value) < 1e15 else f"{value:g}"
        return f"{number} {unit}".strip()
    factor, name = next((scale for scale in scales if abs(value) >= scale[0]), scales[-1])
    return f"{value / factor:.4g} {name}"


def count(value: float | None) -> str:
    """3212749888 -> `3.21 B`; empty when not known."""
    if value is None:
        return ""
    for factor, name in ((1e12, "T"), (1e9, "B"), (1e6, "M"), (1e3, "k")):
        if value >= factor:
            return f"{value / factor:.3g} {name}"
    return f"{value:g}"
