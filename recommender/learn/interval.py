"""Mean of a figure over contests, each device weighing the same, with the interval of a bootstrap over chips."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence

from recommender.learn.contests import Contest

RESAMPLES, TAIL = 400, 0.05  # a 90 % interval, as the audit of rules


def device_mean(found: Sequence[Contest], values: Sequence[float]) -> tuple[float, float, float]:
    """Mean over devices of each device's mean, and the ends of its interval.

    Chips are drawn with replacement, with all their devices (the cluster bootstrap: Field, Welsh, "Bootstrapping clustered data", Journal of the Royal
    Statistical Society B 2007), since contests of one chip go the same way. The draws are the same at every call.
    """
    devices: dict[tuple[str, str], list[float]] = {}
    for contest, value in zip(found, values, strict=True):
        devices.setdefault((contest.chip, contest.device), []).append(value)
    chips: dict[str, tuple[float, int]] = {}
    for (chip, _), own in sorted(devices.items()):
        total, count = chips.get(chip, (0.0, 0))
        chips[chip] = (total + math.fsum(own) / len(own), count + 1)
    rows = list(chips.values())
    draw = random.Random(0)
    means = sorted(_ratio(draw.choices(rows, k=len(rows))) for _ in range(RESAMPLES))
    return _ratio(rows), means[round(TAIL * (RESAMPLES - 1))], means[round((1 - TAIL) * (RESAMPLES - 1))]


def _ratio(rows: Sequence[tuple[float, int]]) -> float:
    return sum(total for total, _ in rows) / sum(count for _, count in rows)
