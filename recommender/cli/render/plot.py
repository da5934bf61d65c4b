"""The Pareto plot as inline SVG: objective against quality drop, whiskers for intervals, a mark for each basis."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from recommender.cli.render import wording
from recommender.cli.render.axis import Axis, axis
from recommender.cli.render.markup import text
from recommender.cli.render.wording import Document
from recommender.domain.quantity import BASES
from recommender.domain.workload import METRICS

WIDTH, HEIGHT = 760, 460
_LEFT, _RIGHT, _TOP, _BOTTOM = 84, 24, 64, 60
_FALLBACK = "peak_memory"  # the second axis where the loss of too few choices is known
_LABELS = ((11, -9), (11, 19), (-17, -9), (-17, 19))  # where the rank stands beside its mark, in turn

# basis -> outline around (0, 0), 6 pixels to each side
_MARKS = {
    "measured-here": '<rect x="-6" y="-6" width="12" height="12"/>',
    "measured-elsewhere": '<path d="M0 -7 L7 6 L-7 6 Z"/>',
    "calibrated": '<path d="M0 -8 L8 0 L0 8 L-8 0 Z"/>',
    "analytic": '<circle r="5.5"/>',
    "claim": '<path d="M-6 -6 L6 6 M-6 6 L6 -6" class="stroke"/>',
}

Choice = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class Scale:
    """One metric along one axis, in the unit that suits its largest value."""

    metric: str
    unit: str
    factor: float
    axis: Axis

    def of(self, choice: Choice) -> Mapping[str, Any]:
        """The estimate that is drawn on this axis."""
        found: Mapping[str, Any] = choice["estimates"][self.metric]
        return found

    def at(self, value: float) -> float:
        return self.axis.at(value * self.factor)

    def central(self, choice: Choice) -> float:
        return self.at(self.of(choice)["central"])


def pareto(document: Document, limit: int, name: str) -> str:
    """SVG, or an empty text where fewer than two choices have both numbers. `name` keeps ids apart on one page."""
    objective, second = _metrics(document)
    drawn = _known(document, objective, second)
    if len(drawn) < 2:
        return ""
    marked = [choice for choice in drawn if choice["rank"] <= limit]
    across = _scale(objective, drawn, marked, _LEFT, WIDTH - _RIGHT)
    up = _scale(second, drawn, marked, HEIGHT - _BOTTOM, _TOP)
    parts = [
        *_grid(across, up),
        _front(drawn, across, up),
        *(_whiskers(choice, across, up) for choice in marked),
        *(_mark(choice, across, up, choice in marked) for choice in reversed(drawn)),
        *_legend({choice["estimates"][objective]["basis"] for choice in drawn}),
    ]
    return (
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-labelledby="{name}-t {name}-d"><title id="{name}-t">{heading(document)}</title>'
        f'<desc id="{name}-d">{text(described(document, limit))}</desc>{"".join(parts)}</svg>'
    )


def heading(document: Document) -> str:
    """`Decode rate against quality drop`."""
    return " against ".join(wording.name_of(metric) for metric in _metrics(document)).capitalize()


def described(document: Document, limit: int) -> str:
    """The plot in words, and what it leaves out."""
    objective, second = _metrics(document)
    drawn = _known(document, objective, second)
    first = [choice["id"] for choice in drawn if choice["rank"] <= limit]
    told = f"{len(drawn)} eligible choices; numbered: {', '.join(first)}. Whiskers are intervals, the line joins what no drawn choice beats in both. The mark tells the basis of the {wording.name_of(objective)}."
    if second != "quality_drop":
        told += " The loss of quality is not known for enough choices, so peak memory stands in its place."
    missing = len(document["choices"]) - len(drawn)
    return told + (f" {missing} are not drawn: a number is not known." if missing else "")


def _metrics(document: Document) -> tuple[str, str]:
    """The objective, and the loss of quality where two choices at least can be compared by it."""
    objective = document["workload"]["objective"]
    return objective, "quality_drop" if len(_known(document, objective, "quality_drop")) > 1 else _FALLBACK


def _known(document: Document, *metrics: str) -> list[Choice]:
    return [choice for choice in document["choices"] if all((choice["estimates"].get(metric) or {}).get("central") is not None for metric in metrics)]


def _scale(metric: str, drawn: list[Choice], marked: list[Choice], start: float, end: float) -> Scale:
    values = [choice["estimates"][metric]["central"] for choice in drawn]
    values += [choice["estimates"][metric][edge] for choice in marked for edge in ("low", "high")]
    unit, factor = wording.scaled_unit(drawn[0]["estimates"][metric]["unit"], max(values))
    return Scale(metric=metric, unit=unit, factor=factor, axis=axis([value * factor for value in values], start, end))


def _grid(across: Scale, up: Scale) -> list[str]:
    bottom, right = HEIGHT - _BOTTOM, WIDTH - _RIGHT
    lines = [f'<path class="frame" d="M{_LEFT} {_TOP} V{bottom} H{right}"/>']
    for tick in across.axis.ticks():
        x = across.axis.at(tick)
        lines.append(f'<path class="grid" d="M{x:.1f} {_TOP} V{bottom}"/><text x="{x:.1f}" y="{bottom + 18}" text-anchor="middle">{wording.number(tick)}</text>')
    for tick in up.axis.ticks():
        y = up.axis.at(tick)
        lines.append(f'<path class="grid" d="M{_LEFT} {y:.1f} H{right}"/><text x="{_LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{wording.number(tick)}</text>')
    better = "more is better, to the right" if METRICS[across.metric][1] == "up" else "less is better, to the left"
    lines.append(f'<text class="axis" x="{(_LEFT + right) / 2:.0f}" y="{HEIGHT - 16}" text-anchor="middle">{_title(across)}: {better}</text>')
    lines.append(f'<text class="axis" transform="translate(20 {(bottom + _TOP) / 2:.0f}) rotate(-90)" text-anchor="middle">{_title(up)}: lower is better</text>')
    return lines


def _title(scale: Scale) -> str:
    return text(f"{wording.name_of(scale.metric)} ({scale.unit}{', logarithmic' if scale.axis.is_log else ''})")


def _front(drawn: list[Choice], across: Scale, up: Scale) -> str:
    """The line, in steps, of what no drawn choice beats in both quantities."""
    sign = -1.0 if METRICS[across.metric][1] == "up" else 1.0
    kept: list[Choice] = []
    for choice in sorted(drawn, key=lambda one: (sign * across.of(one)["central"], up.of(one)["central"])):
        if not kept or up.of(choice)["central"] < up.of(kept[-1])["central"]:
            kept.append(choice)
    path = f"M{across.central(kept[0]):.1f} {up.central(kept[0]):.1f}" + "".join(f" H{across.central(one):.1f} V{up.central(one):.1f}" for one in kept[1:])
    return f'<path class="front" d="{path}"/>'


def _whiskers(choice: Choice, across: Scale, up: Scale) -> str:
    x, y = across.central(choice), up.central(choice)
    left, right = (across.at(across.of(choice)[edge]) for edge in ("low", "high"))
    bottom, top = (up.at(up.of(choice)[edge]) for edge in ("low", "high"))
    return f'<path class="whisker" d="M{left:.1f} {y:.1f} H{right:.1f} M{x:.1f} {bottom:.1f} V{top:.1f}"/>'


def _mark(choice: Choice, across: Scale, up: Scale, is_marked: bool) -> str:
    numbers = ", ".join(f"{wording.name_of(scale.metric)} {wording.amount(scale.of(choice))}" for scale in (across, up))
    told = f"{choice['rank']}: {choice['id']}, {numbers}" + (", on the Pareto front of objective, quality and memory" if choice["pareto"] else "")
    dx, dy = _LABELS[(choice["rank"] - 1) % len(_LABELS)]
    label = f'<text class="rank" x="{dx}" y="{dy}">{choice["rank"]}</text>' if is_marked else ""
    mark = _MARKS.get(across.of(choice)["basis"], _MARKS["claim"])
    return f'<g class="mark{" shown" if is_marked else ""}" transform="translate({across.central(choice):.1f} {up.central(choice):.1f})"><title>{text(told)}</title>{mark}{label}</g>'


def _legend(bases: set[str]) -> list[str]:
    """Two lines: the marks in use, then the lines."""
    x, parts = _LEFT, []
    for basis in (name for name in BASES if name in bases and name in _MARKS):
        parts.append(f'<g class="mark" transform="translate({x + 8} 16)">{_MARKS[basis]}<text x="14" y="4">{basis}</text></g>')
        x += 40 + 7 * len(basis)
    parts.append(f'<g transform="translate({_LEFT} 40)"><path class="front" d="M0 0 H26"/><text x="34" y="4">front</text></g>')
    parts.append(f'<g transform="translate({_LEFT + 90} 40)"><path class="whisker" d="M0 0 H26"/><text x="34" y="4">interval</text></g>')
    return [*parts, f'<g class="mark shown" transform="translate({_LEFT + 200} 40)">{_MARKS["analytic"]}<text x="14" y="4">numbered: shown in the table</text></g>']
