"""PURE: whether a step that failed before would fail again, so that it is not tried in vain."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from recommender.domain.measurement import Failure

MORE_MEMORY = 1.10  # a step that ran out of memory is tried again where more than a tenth more is free
TRIES = 2  # of a step that crashed, for one version of its framework
_OF_THE_VERSION = ("unsupported", "wrong-output", "fallback")  # the same version does the same again
_BY_CHANCE = ("crash", "tool-bug")


@dataclass(frozen=True, kw_only=True, slots=True)
class Now:
    """The next try. version: of the framework. free_memory in bytes, wall (the limit it gets) in seconds; None: not known."""

    version: str = ""
    free_memory: float | None = None
    wall: float | None = None


def held(failures: Iterable[Failure], now: Now) -> Failure | None:
    """The newest failure that still holds, or None: try. `failures` are those of one machine, model, candidate and step.

    An unsupported step (also a wrong output, a fallback) holds for its version; out-of-memory while no more than a tenth more memory is free;
    a timeout for its limit and every smaller one; a crash holds for its version once it happened twice; a lost device never does.
    A condition that is not known never holds.
    """
    newest_first = sorted(failures, key=lambda failure: failure.created, reverse=True)
    return next((failure for failure in newest_first if _holds(failure, newest_first, now)), None)


def _holds(failure: Failure, all_of_them: list[Failure], now: Now) -> bool:
    is_this_version = bool(now.version) and failure.version == now.version
    if failure.kind in _OF_THE_VERSION:
        return is_this_version
    if failure.kind in _BY_CHANCE:
        return is_this_version and sum(other.kind in _BY_CHANCE and other.version == now.version for other in all_of_them) >= TRIES
    if failure.kind == "out-of-memory":
        then = failure.condition.get("free_memory")
        return then is not None and now.free_memory is not None and now.free_memory <= then * MORE_MEMORY
    if failure.kind == "timeout":
        limit = failure.condition.get("wall")
        return limit is not None and now.wall is not None and now.wall <= limit
    return False
