"""Executors by name, from entry points; nothing of a framework is imported, and an executor's module only when it is asked for."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Mapping
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import TYPE_CHECKING

from recommender.domain.errors import ExecutorUnavailable
from recommender.executors import environment
from recommender.ports import EXECUTOR_API, Availability

if TYPE_CHECKING:
    from recommender.ports import Preparer, Runner, ShapeProxy

PREPARERS = "recommender.preparers"
RUNNERS = "recommender.runners"
PROXIES = "recommender.proxies"


@cache
def _entries(group: str) -> Mapping[str, EntryPoint]:
    return {entry.name: entry for entry in entry_points(group=group)}


def names(group: str) -> tuple[str, ...]:
    """Names of a group, sorted; nothing is imported."""
    return tuple(sorted(_entries(group)))


def runner(name: str) -> Runner:
    """Raises ExecutorUnavailable when there is none of that name, or one for another version of the interface."""
    found: Runner = _load(RUNNERS, name)
    return found


def preparer(name: str) -> Preparer:
    """Raises as `runner` does."""
    found: Preparer = _load(PREPARERS, name)
    return found


def proxy(name: str) -> ShapeProxy:
    """Of the framework of that name; raises as `runner` does."""
    found: ShapeProxy = _load(PROXIES, name)
    return found


def ready(executor: Preparer | Runner) -> Availability:
    """Whether it can work now: by its own word, or because the side environment it wants is made."""
    side = environment.interpreter(executor.environment) if executor.environment else None
    if side is not None and str(side) != sys.executable:
        return Availability(ok=True, version=side.parent.parent.name)
    return executor.availability()


def where(group: str, name: str) -> str:
    """`module:attribute` of an executor, for a child process."""
    return _entries(group)[name].value


def package_folder(group: str, name: str) -> tuple[str, str]:
    """Top-level package of an executor and its folder, for a child process in another environment."""
    top = _entries(group)[name].value.partition(":")[0].partition(".")[0]
    spec = importlib.util.find_spec(top)
    assert spec and spec.submodule_search_locations
    return top, list(spec.submodule_search_locations)[0]


def _load(group: str, name: str):  # type: ignore[no-untyped-def]
    kind = group.rpartition(".")[2].replace("ies", "y").rstrip("s")
    entry = _entries(group).get(name)
    if entry is None:
        raise ExecutorUnavailable(f"no {kind} `{name}` is installed (there are {', '.join(names(group)) or 'none'})", hints=("recommend frameworks",))
    found = entry.load()
    if found.api != EXECUTOR_API:
        raise ExecutorUnavailable(f"{kind} `{name}` speaks version {found.api} of the interface, this program {EXECUTOR_API}", hints=("pip install --upgrade " + (entry.dist.name if entry.dist else name),))
    return found
