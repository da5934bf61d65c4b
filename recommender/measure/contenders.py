"""PURE: which choices of an answer can be measured here, in which order, and why the others cannot."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

Choice = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class Left:
    """A choice that is not measured, with the reason and, where there is one, the line that would change it."""

    id: str
    reason: str
    hint: str = ""


def contenders(choices: Iterable[Choice], refuse: Callable[[Choice], Left | None]) -> tuple[list[Choice], list[Left]]:
    """Runnable choices, different frameworks first (the best of each, then the second of each, ...), and those left out."""
    runnable: list[Choice] = []
    left: list[Left] = []
    for choice in choices:
        reason = refuse(choice)
        if reason is None:
            runnable.append(choice)
        else:
            left.append(reason)
    return round_robin(runnable), left


def round_robin(choices: Iterable[Choice]) -> list[Choice]:
    """In turns of one choice a framework; within a turn and within a framework the order stays."""
    seen: dict[tuple[str, str], int] = {}
    turns: list[tuple[int, int, Choice]] = []
    for place, choice in enumerate(choices):
        path = (choice["framework"], choice["execution_provider"])
        seen[path] = seen.get(path, -1) + 1
        turns.append((seen[path], place, choice))
    return [choice for _, _, choice in sorted(turns, key=lambda row: row[:2])]


def baseline_of(chosen: list[Choice]) -> Choice:
    """What the others must beat: the user's own artifact as it is, else the answer's best."""
    return next((choice for choice in chosen if choice["is_as_is"]), min(chosen, key=lambda choice: int(choice["rank"])))
