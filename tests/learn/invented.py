"""Invented contests, whose truth is known."""

from __future__ import annotations

import math
from typing import Any

from recommender.learn.contests import Contest, Question, Way

QUESTION = Question(effect="frameworks", device_kind="cpu")


def contest(speeds: dict[str, float], *, chip: int = 0, model: str = "m", question: Question = QUESTION, source: str = "s", **attributes: Any) -> Contest:
    """Names with their speeds on one device; attributes by their last word (`family`, `n_params`)."""
    best = max(speeds.values())
    read: dict[str, tuple[Any, str]] = {"device.kind": ("cpu", "fact"), "wish.way_of_working": ("", "declared"), "wish.is_cross_platform": (False, "declared")}
    read |= {f"{'model' if name in ('n_params', 'task') else 'device'}.{name}": (value, "fact") for name, value in attributes.items()}
    ways = tuple(Way(name=name, framework=name if question.effect == "frameworks" else question.framework, execution_provider="cpu", regret=math.log(best / speed)) for name, speed in speeds.items())
    return Contest(question=question, source=source, model=model, device=f"c{chip}.cpu", chip=f"c{chip}", attributes=read, ways=ways)


def by_family(chips: int = 12, models: int = 6) -> list[Contest]:
    """Alpha is twice as fast on one family of processors, beta on the other; nothing else matters."""
    found = []
    for chip in range(chips):
        family = "one" if chip % 2 else "two"
        for number in range(models):
            fast, slow = (20.0, 10.0) if family == "one" else (10.0, 20.0)
            found.append(contest({"alpha": fast, "beta": slow}, chip=chip, model=f"m{number}", family=family, vendor="acme", n_params=10 ** (6 + number % 3)))
    return found


def by_chance(chips: int = 12, models: int = 6) -> list[Contest]:
    """Which of two wins hangs on nothing that can be asked."""
    return [
        contest({"alpha": 10.0 + (chip * 7 + number * 5) % 3, "beta": 11.0}, chip=chip, model=f"m{number}", family=("one", "two")[chip % 2], n_params=10 ** (6 + number % 3))
        for chip in range(chips) for number in range(models)
    ]
