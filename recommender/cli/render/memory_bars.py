"""Peak memory by component as stacked bars (inline SVG), with the memory there is where that is known."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from recommender.cli.render import wording
from recommender.cli.render.axis import Axis
from recommender.cli.render.markup import text
from recommender.cli.render.wording import Document

_WIDTH, _LEFT, _RIGHT, _ROW, _BAR, _TOP = 760, 36, 96, 34, 20, 8
_FIRST = ("weights", "kv_cache", "activations")  # the order in a bar; others follow by name
_PATTERNS = 6  # textures that the style sheet colours
_OFF_SCALE = 3.0  # a limit beyond this many times the longest bar is told, not drawn

Choice = Mapping[str, Any]


def components(choices: list[Choice]) -> list[str]:
    """Every component of the given choices, in the order of the bars."""
    names = {name for choice in choices for name in choice["memory_by_component"]}
    return [*(name for name in _FIRST if name in names), *sorted(names - set(_FIRST))]


def room(document: Document, choice: Choice) -> tuple[float, str] | None:
    """(bytes, what they are): what an app may use where that is known, else what the device has."""
    device = next((row for row in document["target"]["devices"] if row["id"] == choice["device"]), None)
    if device and device.get("memory_usable"):
        return float(device["memory_usable"]), "usable memory"
    if device and device["memory_total"]:
        return float(device["memory_total"]), f"memory of {device['id']}"
    memory = document["target"]["memory"]
    total = memory["limit"] or memory["total"]
    return (float(total), "container limit" if memory["limit"] else "installed memory") if total else None


def bars(document: Document, limit: int, name: str) -> str:
    """SVG, or an empty text where no component is known. The pessimistic end is drawn: it decides what fits."""
    shown = [choice for choice in document["choices"][:limit] if sum(choice["memory_by_component"].values()) > 0]
    if not shown:
        return ""
    names, longest, found = components(shown), max(sum(choice["memory_by_component"].values()) for choice in shown), room(document, shown[0])
    is_drawn = found is not None and found[0] <= _OFF_SCALE * longest
    scale = Axis(low=0.0, high=max(longest, found[0] if found and is_drawn else 0.0), start=_LEFT, end=_WIDTH - _RIGHT, is_log=False)
    height = _TOP + _ROW * len(shown) + 26
    parts = [_patterns(name), *(_bar(choice, number, names, scale, name) for number, choice in enumerate(shown))]
    if found and is_drawn:
        x = scale.at(found[0])
        parts.append(f'<path class="limit" d="M{x:.1f} {_TOP - 4} V{height - 22}"/><text x="{x:.1f}" y="{height - 8}" text-anchor="end">{text(found[1])} {wording.size(found[0])}</text>')
    return (
        f'<svg viewBox="0 0 {_WIDTH} {height}" role="img" aria-labelledby="{name}-t {name}-d"><title id="{name}-t">Peak memory by component</title>'
        f'<desc id="{name}-d">{text(_described(shown, found))}</desc>{"".join(parts)}</svg>'
    )


def swatch(number: int, name: str) -> str:
    """A small square with the texture of the component of that place, for the table beside the bars."""
    return f'<svg class="swatch" viewBox="0 0 14 14" aria-hidden="true"><rect width="14" height="14" fill="url(#{name}-p{number % _PATTERNS})"/></svg>'


def _described(shown: list[Choice], found: tuple[float, str] | None) -> str:
    lines = [f"{choice['rank']}: {wording.size(sum(choice['memory_by_component'].values()))}" for choice in shown]
    return "Pessimistic end of each choice: " + ", ".join(lines) + (f"; {found[1]} {wording.size(found[0])}." if found else "; the memory there is, is not known.")


def _bar(choice: Choice, number: int, names: list[str], scale: Axis, name: str) -> str:
    y, start, parts = _TOP + number * _ROW, 0.0, []
    for place, component in enumerate(names):
        value = choice["memory_by_component"].get(component, 0.0)
        if value <= 0:
            continue
        x, width = scale.at(start), max(scale.at(start + value) - scale.at(start), 0.5)
        told = f"{wording.name_of(component)} {wording.size(value)}"
        parts.append(f'<rect class="part" x="{x:.1f}" y="{y}" width="{width:.1f}" height="{_BAR}" fill="url(#{name}-p{place % _PATTERNS})"><title>{text(told)}</title></rect>')
        start += value
    return f'<text class="rank" x="{_LEFT - 14}" y="{y + 15}" text-anchor="end">{choice["rank"]}</text>{"".join(parts)}<text x="{scale.at(start) + 6:.1f}" y="{y + 15}">{wording.size(start)}</text>'


def _patterns(name: str) -> str:
    """Colour and texture, so that the parts can be told apart without colour."""
    lines = ("", "M0 8 L8 0", "M0 4 H8", "M4 0 V8", "M0 0 L8 8", "M0 4 H8 M4 0 V8")
    return "<defs>" + "".join(
        f'<pattern id="{name}-p{number}" width="8" height="8" patternUnits="userSpaceOnUse"><rect width="8" height="8" class="c{number}"/><path class="texture" d="{line}"/></pattern>'
        for number, line in enumerate(lines)
    ) + "</defs>"
