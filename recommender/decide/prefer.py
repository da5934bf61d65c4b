"""An explicit wish (`--prefer speed=2,quality=1`): a weighted choice among the points of the Pareto front only (chapter S6.pareto)."""

from __future__ import annotations

from collections.abc import Mapping

from recommender.decide.rank import Contender
from recommender.domain.workload import METRICS, Workload

# what people write -> metric; speed is the workload's own objective
WISHES = {"speed": "", "quality": "quality_drop", "memory": "peak_memory", "size": "file_size", "energy": "energy", "latency": "ttft"}


def preferred(contenders: list[Contender], front: frozenset[str], weights: Mapping[str, float], workload: Workload) -> tuple[str, Mapping[str, float]]:
    """Id of the best weighted point and every point's score: 0 (worst of the front) to 1 (best) per wish, weighted mean.

    A wish whose metric is not known for a point scores 0 there. Empty id when the front is empty.
    """
    points = [c for c in contenders if c.candidate.id in front]
    scores: dict[str, float] = {}
    total = sum(weights.values()) or 1.0
    for contender in points:
        scores[contender.candidate.id] = sum(weight * _score(contender, points, wish, workload) for wish, weight in weights.items()) / total
    best = min(scores, key=lambda name: (-scores[name], name)) if scores else ""
    return best, scores


def _score(contender: Contender, points: list[Contender], wish: str, workload: Workload) -> float:
    metric = WISHES[wish] or workload.objective
    value = contender.value(metric)
    known = [found for c in points if (found := c.value(metric)) is not None]
    if value is None or max(known) == min(known):
        return 0.0 if value is None else 1.0
    share = (value - min(known)) / (max(known) - min(known))
    return share if METRICS[metric][1] == "up" else 1.0 - share
