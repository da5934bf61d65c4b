"""Drawings of a sweep as inline SVG: two objectives with the front, the best over time, estimates against measurements, shares as bars.

`name` keeps ids apart on one page. Each gives an empty text where there is too little to draw.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from recommender.cli.render import tuned_parts as parts
from recommender.cli.render import wording
from recommender.cli.render.axis import Axis, axis
from recommender.cli.render.markup import text
from recommender.cli.render.wording import Document

WIDTH, HEIGHT = 760, 420
_LEFT, _RIGHT, _TOP, _BOTTOM = 84, 24, 24, 60
_ROW, _BAR, _NAMES, _END = 26, 16, 260, 70  # of the bars: height of a row and of a bar, room for names and for figures

Row = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class Scale:
    """One quantity along one axis, in the unit that suits its largest value."""

    label: str
    factor: float
    axis: Axis

    def at(self, value: float) -> float:
        return self.axis.at(value * self.factor)


def scale(label: str, unit: str, values: Iterable[float], start: float, end: float) -> Scale:
    """The scale that holds all values."""
    found = list(values)
    name, factor = wording.scaled_unit(unit, max(map(abs, found)))
    made = axis([value * factor for value in found], start, end)
    return Scale(label=f"{label} ({name}{', logarithmic' if made.is_log else ''})", factor=factor, axis=made)


def front(document: Document, name: str) -> str:
    """The first two objectives of every feasible point, intervals and the line of the front."""
    metrics = parts.objectives(document)[:2]
    drawn = [(point, row) for point, row in parts.ranked(document) if row["is_feasible"] and all(metric in row["metrics"] for metric in metrics)]
    if len(metrics) < 2 or len(drawn) < 2:
        return ""
    across, up = (_of_metric(document, metric, [row for _, row in drawn], *ends) for metric, ends in zip(metrics, ((_LEFT, WIDTH - _RIGHT), (HEIGHT - _BOTTOM, _TOP)), strict=True))
    best = [row for point, row in drawn if point in {other for other, _ in parts.front(document)}]
    line = [(across.at(row["metrics"][metrics[0]]["value"]), up.at(row["metrics"][metrics[1]]["value"])) for row in best]
    body = [
        *_frame(across, up),
        _steps(line) if len(line) > 1 and len(parts.objectives(document)) == 2 else "",  # of three objectives the front is no line
        *(_cross(across, up, row["metrics"][metrics[0]], row["metrics"][metrics[1]]) for _, row in drawn),
        *(_dot(across.at(row["metrics"][metrics[0]]["value"]), up.at(row["metrics"][metrics[1]]["value"]), _told(point, row, metrics), any(row is one for one in best)) for point, row in drawn),
    ]
    return _svg(name, f"{_words(metrics)}: {len(drawn)} points that meet the needs", "Filled: on the front. Whiskers are intervals over fresh processes.", body)


def history(document: Document, name: str) -> str:
    """The best value of the first objective over the clock of the sweep."""
    found = document["history"]
    if not found:
        return ""
    metric = parts.objectives(document)[0]
    end = max(document["spent_s"], found[-1]["spent_s"])
    across = scale("clock of the sweep", "s", [0.0, end], _LEFT, WIDTH - _RIGHT)
    up = scale(wording.name_of(metric), parts.unit_of(document, metric), [row["value"] for row in found], HEIGHT - _BOTTOM, _TOP)
    points = [(across.at(row["spent_s"]), up.at(row["value"])) for row in found]
    path = f"M{points[0][0]:.1f} {points[0][1]:.1f}" + "".join(f" H{x:.1f} V{y:.1f}" for x, y in points[1:]) + f" H{across.at(end):.1f}"
    told = parts.best_so_far(document)
    body = [*_frame(across, up), f'<path class="front" d="{path}"/>', *(_dot(x, y, f"{point}: {value} after {clock}", True) for (x, y), (clock, value, point) in zip(points, told, strict=True))]
    return _svg(name, f"Best {wording.name_of(metric)} so far", f"{len(found)} times a trial was better than all before it.", body)


def agreement(document: Document, metric: str, name: str) -> str:
    """Estimates (across) against what was measured (up), with both intervals and the diagonal."""
    found = parts.told_and_measured(document, metric)
    if not found:
        return ""
    values = [value for _, estimate, figure in found for value in (*_ends(estimate, "central"), *_ends(figure, "value"))]
    unit, label = found[0][2]["unit"], wording.name_of(metric)
    across, up = scale(f"{label}, estimated", unit, values, _LEFT, WIDTH - _RIGHT), scale(f"{label}, measured", unit, values, HEIGHT - _BOTTOM, _TOP)
    low, high = across.axis.low, across.axis.high
    body = [
        *_frame(across, up), f'<path class="limit" d="M{across.axis.at(low):.1f} {up.axis.at(low):.1f} L{across.axis.at(high):.1f} {up.axis.at(high):.1f}"/>',
        *(_cross(across, up, {**estimate, "value": estimate["central"]}, figure) for _, estimate, figure in found),
        *(_dot(across.at(estimate["central"]), up.at(figure["value"]), f"{point}: {parts.amount(estimate['central'], unit)} estimated, {parts.figure(figure)} measured", True) for point, estimate, figure in found),
    ]
    return _svg(name, f"Estimated against measured {label}", "On the dashed diagonal both are equal. An estimate speaks of the answer's own settings, a point of those it was run with.", body)


def bars(rows: Sequence[tuple[str, float]], label: str, name: str) -> str:
    """Shares of one, a bar each."""
    if not rows:
        return ""
    height = _ROW * len(rows) + 8
    across = Axis(low=0.0, high=1.0, start=_NAMES, end=WIDTH - _END, is_log=False)
    body = []
    for number, (parameter, share) in enumerate(rows):
        y, width = 4 + number * _ROW, across.at(share) - _NAMES
        body.append(
            f'<text x="{_NAMES - 10}" y="{y + 13}" text-anchor="end">{text(_short(parameter))}<title>{text(parameter)}</title></text>'
            f'<rect class="part c0" x="{_NAMES}" y="{y}" width="{max(width, 0.5):.1f}" height="{_BAR}"/><text x="{_NAMES + width + 6:.1f}" y="{y + 13}">{share:.0%}</text>'
        )
    return _svg(name, label, "; ".join(f"{parameter} {share:.0%}" for parameter, share in rows), body, height)


def _short(words: str) -> str:
    return words if len(words) <= 36 else f"{words[:35]}…"


def _of_metric(document: Document, metric: str, rows: Sequence[Row], start: float, end: float) -> Scale:
    return scale(wording.name_of(metric), parts.unit_of(document, metric), (value for row in rows for value in _ends(row["metrics"][metric], "value")), start, end)


def _ends(found: Row, centre: str) -> tuple[float, ...]:
    return tuple(found[name] for name in (centre, "low", "high") if found.get(name) is not None)


def _words(metrics: Sequence[str]) -> str:
    return " against ".join(wording.name_of(metric) for metric in metrics).capitalize()


def _told(point: str, row: Row, metrics: Sequence[str]) -> str:
    return f"{point}: " + ", ".join(f"{wording.name_of(metric)} {told}" for metric, told in zip(metrics, parts.figures(row, metrics), strict=True))


def _svg(name: str, label: str, described: str, body: Iterable[str], height: int = HEIGHT) -> str:
    return (
        f'<svg viewBox="0 0 {WIDTH} {height}" role="img" aria-labelledby="{name}-t {name}-d"><title id="{name}-t">{text(label)}</title>'
        f'<desc id="{name}-d">{text(described)}</desc>{"".join(body)}</svg>'
    )


def _frame(across: Scale, up: Scale) -> list[str]:
    bottom, right = HEIGHT - _BOTTOM, WIDTH - _RIGHT
    lines = [f'<path class="frame" d="M{_LEFT} {_TOP} V{bottom} H{right}"/>']
    for tick in across.axis.ticks():
        x = across.axis.at(tick)
        lines.append(f'<path class="grid" d="M{x:.1f} {_TOP} V{bottom}"/><text x="{x:.1f}" y="{bottom + 18}" text-anchor="middle">{wording.number(tick)}</text>')
    for tick in up.axis.ticks():
        y = up.axis.at(tick)
        lines.append(f'<path class="grid" d="M{_LEFT} {y:.1f} H{right}"/><text x="{_LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{wording.number(tick)}</text>')
    lines.append(f'<text class="axis" x="{(_LEFT + right) / 2:.0f}" y="{HEIGHT - 16}" text-anchor="middle">{text(across.label)}</text>')
    lines.append(f'<text class="axis" transform="translate(20 {(bottom + _TOP) / 2:.0f}) rotate(-90)" text-anchor="middle">{text(up.label)}</text>')
    return lines


def _steps(points: Sequence[tuple[float, float]]) -> str:
    """From the best across to the best up: what lies beyond the line was reached by none."""
    return f'<path class="front" d="M{points[0][0]:.1f} {points[0][1]:.1f}' + "".join(f" H{x:.1f} V{y:.1f}" for x, y in points[1:]) + '"/>'


def _cross(across: Scale, up: Scale, x: Row, y: Row) -> str:
    """Whiskers of both intervals; one that is not known has none."""
    at = across.at(x["value"]), up.at(y["value"])
    left, right = (across.at(x[end]) if x.get(end) is not None else at[0] for end in ("low", "high"))
    bottom, top = (up.at(y[end]) if y.get(end) is not None else at[1] for end in ("low", "high"))
    return f'<path class="whisker" d="M{left:.1f} {at[1]:.1f} H{right:.1f} M{at[0]:.1f} {bottom:.1f} V{top:.1f}"/>'


def _dot(x: float, y: float, told: str, is_marked: bool) -> str:
    return f'<g class="mark{" shown" if is_marked else ""}" transform="translate({x:.1f} {y:.1f})"><title>{text(told)}</title><circle r="5"/></g>'
