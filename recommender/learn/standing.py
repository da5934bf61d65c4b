"""PURE: how each name did in some contests, and what it costs to pick by such an order."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from recommender.audit.rules import MIN_CHIPS, MIN_MODELS
from recommender.learn.contests import Contest


@dataclass(frozen=True, kw_only=True, slots=True)
class Standing:
    """One name in the contests that it took part in. wins: where it was the best. regret: mean, each device weighs the same. sources: of the contests."""

    name: str
    cases: int
    wins: int
    devices: int
    chips: int
    models: int
    regret: float
    sources: tuple[str, ...]

    @property
    def is_supported(self) -> bool:
        """Seen on enough chips and models to be proposed: as many as the audit of rules asks for."""
        return self.chips >= MIN_CHIPS and self.models >= MIN_MODELS


def standings(found: Sequence[Contest]) -> tuple[Standing, ...]:
    """Every name, those with enough support first, then by regret."""
    rows = [_standing(name, [contest for contest in found if name in contest.regrets]) for name in sorted({name for contest in found for name in contest.regrets})]
    return tuple(sorted(rows, key=lambda row: (not row.is_supported, row.regret, row.name)))


def _standing(name: str, where: Sequence[Contest]) -> Standing:
    by_device: dict[str, list[float]] = {}
    for contest in where:
        by_device.setdefault(contest.device, []).append(contest.regrets[name])
    return Standing(
        name=name, cases=len(where), wins=sum(contest.regrets[name] == 0.0 for contest in where), devices=len(by_device),
        chips=len({contest.chip for contest in where}), models=len({contest.model for contest in where}),
        regret=math.fsum(math.fsum(found) / len(found) for found in by_device.values()) / len(by_device),
        sources=tuple(sorted({contest.source for contest in where})),
    )


def cost(order: Sequence[Standing], contest: Contest) -> float:
    """Regret of the first name of the order that took part; of a blind choice where none did."""
    return next((contest.regrets[row.name] for row in order if row.name in contest.regrets), contest.stake)
