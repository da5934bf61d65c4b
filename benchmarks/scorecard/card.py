"""The score card as a value: figures by class and metric, and what picking by the predictions costs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from benchmarks.scorecard.figures import figures, rank_correlation
from benchmarks.scorecard.held import Held
from benchmarks.scorecard.parts import Part
from benchmarks.scorecard.picks import by_prediction, picks, usual_winner

ALL = "all"
LEAST = 100  # held-out cases from which on a class has its own line and its coverage must hold
_DIGITS = 4


def card_of(part: Part, cases: Sequence[Held]) -> dict[str, Any]:
    """Figures by metric and class, and picks, of one split; JSON-ready."""
    return {"metrics": {metric: _by_class([case for case in cases if case.metric == metric]) for metric in part.metrics}, "picks": _picks(part, cases)}


def _by_class(cases: Sequence[Held]) -> dict[str, Any]:
    classes = sorted({case.row.class_ for case in cases})
    found = {ALL: cases, **{name: [case for case in cases if case.row.class_ == name] for name in classes}}
    return {name: _entry(own) for name, own in found.items() if own and (name == ALL or len(own) >= LEAST)}


def _entry(cases: Sequence[Held]) -> dict[str, Any]:
    found = figures(cases)
    pairs = [(case.row.device, case.truth, case.predicted.central) for case in cases if case.predicted]
    correlation, n_devices = rank_correlation(pairs)
    return _rounded({**asdict(found), "share_told": found.share_told, "rank_correlation": correlation, "rank_devices": n_devices})


def _picks(part: Part, cases: Sequence[Held]) -> dict[str, Any]:
    if not part.contest or not part.way:
        return {}
    own = [case for case in cases if case.metric == part.speed]
    usual = usual_winner(own, part.way, part.contest)
    return {"by prediction": _rounded(asdict(picks(own, part.contest, by_prediction))), "usual winner": _rounded(asdict(picks(own, part.contest, usual)))}


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        return round(value, _DIGITS) if value == value else None
    if isinstance(value, dict):
        return {name: _rounded(item) for name, item in value.items()}
    return [_rounded(item) for item in value] if isinstance(value, (list, tuple)) else value
