"""The live machine's fingerprint, fast: what does not change is kept, what moves is read at every run.

Kept: the list of probes, and what the static ones said (installed frameworks and their execution providers among it).
It is dropped when the stamp of `staleness` changes. A damaged cache is the same as none.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from recommender.domain.errors import RecordingError
from recommender.domain.fingerprint import Fingerprint, ProbeOutcome
from recommender.intake.assemble import assemble
from recommender.intake.cache_folder import cache_dir, read_cached, write_cached
from recommender.intake.document import (
    observation_from_document,
    observation_to_document,
    outcome_from_document,
    outcome_to_document,
)
from recommender.intake.host import LiveHost
from recommender.intake.run import Result, import_probes, probe_entries, run_probes
from recommender.intake.staleness import boot_time, file_states, is_same, stamp
from recommender.ports import HostAccess, Probe

__all__ = ["cache_dir", "live_host", "observe_live"]

CACHE_NAME = "static.json"
CACHE_SCHEMA = 1
RETRY_FAILED_AFTER = 600.0  # seconds; a static probe that failed once is not asked again at every run
# The keys of questions.QUESTIONS, so that the module is imported only where a probe asks.
OUR_QUESTIONS = (
    "frameworks", "execution_providers", "archspec", "cpuinfo", "mlx_device_info", "openvino_devices", "onnxruntime_ep_devices",
)  # fmt: skip

Progress = Callable[[ProbeOutcome], None]
Kept = tuple[dict[str, str], list[Result]]  # volatile probes to run (name -> module), and the static results


def observe_live(
    on_progress: Progress | None = None, refresh: bool = False, *, entries: Mapping[str, str] | None = None
) -> tuple[Fingerprint, list[str]]:
    """Fingerprint of this machine, and warnings for the user.

    Args:
        on_progress: called with the outcome of each probe that really runs.
        refresh: do not read the cache, but write it.
        entries: probes by name and module path instead of the installed ones; then nothing is kept.
    """
    warnings: list[str] = []
    kept = None if refresh or entries is not None else _load()
    if kept is None:
        found = probe_entries() if entries is None else dict(entries)
        probes = import_probes(found)
        host = live_host(probes)
        static_results = run_probes([probe for probe in probes if not probe.volatile], host, on_progress=on_progress)
        moving: Sequence[Probe] = [probe for probe in probes if probe.volatile]
        if entries is None:
            warnings += _save(found, probes, static_results)
    else:
        names, static_results = kept
        moving = import_probes(names)
        host = live_host(moving)
    results = [*static_results, *run_probes(moving, host, on_progress=on_progress)]
    return _with_microbenchmark(assemble(results, host.platform())), warnings


def live_host(probes: Sequence[Probe] = ()) -> HostAccess:
    """This machine; answers our questions and those that the probes bring along in an attribute `questions`."""
    brought: dict[str, Callable[[], Any]] = {}
    for probe in probes:
        brought.update(getattr(probe, "questions", {}))
    return LiveHost({**{name: _ours(name) for name in OUR_QUESTIONS}, **brought})


def _ours(name: str) -> Callable[[], Any]:
    def ask() -> Any:
        from recommender.intake.questions import QUESTIONS

        return QUESTIONS[name]()

    return ask


def _load() -> Kept | None:
    found = read_cached(CACHE_NAME)
    try:
        if found.get("schema") != CACHE_SCHEMA or not is_same(found.get("stamp"), found.get("boot_time"), stamp()):
            return None
        if found["files"] != file_states(found["files"]):
            return None
        results = [_result_from_document(item) for item in found["results"]]
        if any(outcome.status == "failed" for _, outcome in results) and time.time() - found["written"] > RETRY_FAILED_AFTER:
            return None
        return {str(name): str(module) for name, module in found["volatile"].items()}, results
    except (KeyError, TypeError, ValueError, AttributeError, RecordingError):
        return None


def _save(entries: Mapping[str, str], probes: Sequence[Probe], results: Sequence[Result]) -> list[str]:
    by_name = dict(zip(sorted(entries), probes, strict=True))
    files = [path for probe in probes if (path := _source_file(probe))]
    warning = write_cached(
        CACHE_NAME,
        {
            "schema": CACHE_SCHEMA,
            "stamp": stamp(),
            "boot_time": boot_time(),
            "written": time.time(),
            "files": file_states(files),
            "volatile": {name: entries[name] for name, probe in by_name.items() if probe.volatile},
            "results": [_result_to_document(result) for result in results],
        },
    )
    return [warning] if warning else []


def _source_file(probe: Any) -> str | None:
    import sys

    name = getattr(probe, "__module__", None) or getattr(probe, "__name__", None)
    module = sys.modules.get(str(name))
    return getattr(module, "__file__", None)


def _result_to_document(result: Result) -> dict[str, Any]:
    observation, outcome = result
    return {
        "observation": None if observation is None else observation_to_document(observation),
        "outcome": outcome_to_document(outcome),
    }


def _result_from_document(item: Mapping[str, Any]) -> Result:
    observation = item["observation"]
    return None if observation is None else observation_from_document(observation), outcome_from_document(item["outcome"])


def _with_microbenchmark(fingerprint: Fingerprint) -> Fingerprint:
    """Add what an earlier microbenchmark of this very machine measured; it is not part of the digest."""
    from recommender.intake.microbenchmark import microbenchmark

    measured = microbenchmark(fingerprint.digest, allow_run=False)
    numbers = {key: value for key, value in measured.items() if isinstance(value, (int, float))}
    return replace(fingerprint, microbenchmark=numbers) if numbers and not fingerprint.microbenchmark else fingerprint
