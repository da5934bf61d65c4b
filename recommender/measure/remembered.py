"""Failures of one model on one machine: asked before a step is tried, added to when it fails. A store that cannot be written is a warning."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from recommender.domain.errors import ActionFailed
from recommender.domain.measurement import Failure
from recommender.executors import registry
from recommender.store.evidence import EvidenceStore
from recommender.store.failures import Now, held


@dataclass(frozen=True, kw_only=True, slots=True)
class Memory:
    """`is_ignored`: try everything again, and remember what fails then."""

    store: EvidenceStore
    digest: str
    model_hash: str
    say: Callable[[str], None]
    is_ignored: bool = False

    def held(self, candidate: str, step: str, wall: float | None = None) -> Failure | None:
        """A failure that would happen again, as far as can be told."""
        if self.is_ignored or not self.model_hash:
            return None
        try:
            failures = self.store.failures(digest=self.digest, model_hash=self.model_hash, candidate=candidate, step=step)
        except ActionFailed:
            return None
        return held(failures, Now(version=_version(candidate), free_memory=_free_memory(), wall=wall)) if failures else None

    def add(self, candidate: str, step: str, kind: str, message: str, reproducer: Mapping[str, Any] | None = None, wall: float | None = None) -> None:
        """`wall`: the limit [s] that the step had."""
        failure = Failure(
            created=now(), digest=self.digest, model_hash=self.model_hash, candidate=candidate, step=step, kind=kind, message=message[:1000], version=_version(candidate),
            condition={"free_memory": _free_memory(), "wall": wall}, reproducer=reproducer or {},
        )
        try:
            self.store.add_failure(failure)
        except ActionFailed as error:
            self.say(f"warning: {error.message}")


def now() -> str:
    """ISO 8601, UTC, to the millisecond."""
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="milliseconds")


def _version(candidate: str) -> str:
    name = candidate.partition("/")[0]
    return registry.ready(registry.runner(name)).version if name in registry.names(registry.RUNNERS) else ""


def _free_memory() -> int:
    import psutil

    return int(psutil.virtual_memory().available)
