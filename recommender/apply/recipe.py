"""The recipe of a choice, run: every step in a child process, its result kept by content, finished steps skipped."""

from __future__ import annotations

import os
import shutil
import uuid
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from recommender.apply.artifacts import Artifacts, Made, content_hash, files_of, free_disk, step_key
from recommender.domain.catalog import Catalog
from recommender.domain.errors import ActionFailed, DeviceLost, ExecutorUnavailable, StepFailed, UsageError
from recommender.domain.quantization import QuantScheme
from recommender.executors import environment, registry
from recommender.intake.cache_folder import cache_dir
from recommender.measure import isolate

Say = Callable[[str], None]
WALL = 6 * 3600.0  # seconds a step may take; quantizing a large model on few cores takes hours
_MARGIN = 1.05  # of the bytes a step is expected to write
_REFUSED = ("unsupported", "wrong-output", "out-of-memory", "fallback")


@dataclass(frozen=True, kw_only=True, slots=True)
class Order:
    """What is to be made.

    Attributes:
        choice: one entry of a recommendation's `choices`.
        source: the weights; its hash names what is made of it.
        source_scheme: how the source's weights are stored; what an intermediate step keeps, so that it serves every scheme.
        calibration: data for the preparers that need it. parameters: preparer -> its knobs.
        may_download: side environments may be made.
    """

    choice: Mapping[str, Any]
    source: Path
    source_scheme: str = "F32"
    calibration: Path | None = None
    parameters: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    may_download: bool = False


def steps_of(choice: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The steps of the recipe that make something: fetching is the user's, verifying comes at the end."""
    return [step for step in choice["recipe"]["steps"] if step["preparer"]]


def check(order: Order, catalog: Catalog) -> None:
    """Whether the recipe can be run here, before anything is started.

    Raises:
        UsageError, ExecutorUnavailable: a step that no preparer of ours does, calibration data that are missing, no room on the disk.
    """
    scheme = catalog.schemes[order.choice["scheme"]]
    steps = steps_of(order.choice)
    if not steps and not order.choice["is_as_is"]:
        raise ExecutorUnavailable(f"no step of ours makes {order.choice['scheme']} from {order.source}", hints=("recommend apply --choice ID ...",))
    for step in steps:
        _check_step(step, order)
    needs_data = order.choice["format"] != "gguf" and scheme.needs_calibration == "required"
    if steps and needs_data and order.calibration is None:
        raise UsageError(
            f"{scheme.key} takes the ranges of activations from samples of real inputs, and none were given",
            hints=("recommend apply --data samples.npz ...   (numpy.savez('samples.npz', INPUT_NAME=array); first axis: samples)",),
        )
    size = sum(path.stat().st_size for path in files_of(order.source))
    wanted = int(sum(step["size"] or size for step in steps) * _MARGIN)
    free = free_disk(Artifacts().root)
    if wanted > free:
        raise ActionFailed(f"{wanted / 2**20:.0f} MiB are needed in {Artifacts().root}, {free / 2**20:.0f} MiB are free", hints=("recommend cache prune --artifacts", "RECOMMEND_CACHE_DIR=/another/disk"))


def _check_step(step: Mapping[str, Any], order: Order) -> None:
    name = step["preparer"]
    if name not in registry.names(registry.PREPARERS):
        command = step["parameters"].get("command")
        raise ExecutorUnavailable(f"{step['action']} by {name}: this program cannot do that step", hints=(command or "recommend catalog list frameworks",))
    preparer = registry.preparer(name)
    if preparer.environment and environment.interpreter(preparer.environment) is None:
        row = environment.environments()[preparer.environment]
        if not order.may_download:
            raise UsageError(f"{name} needs the environment `{row.key}`, which is not made yet (a download of about {row.size})", hints=("recommend apply --yes ...",))
    elif not (found := registry.ready(preparer)).ok:
        raise ExecutorUnavailable(f"{name}: {found.reason}", hints=(found.hint,) if found.hint else ())


def make(order: Order, catalog: Catalog, say: Say, *, wall: float = WALL) -> Made:
    """Run the steps; what is finished already is taken as it is.

    Raises:
        StepFailed: with the class of the failure. ExecutorUnavailable, UsageError: as `check`. DeviceLost: a service vanished.
    """
    check(order, catalog)
    artifacts = Artifacts()
    current, current_hash, made = order.source, content_hash(order.source), None
    steps = steps_of(order.choice)
    for number, step in enumerate(steps, 1):
        scheme = catalog.schemes[order.choice["scheme"] if number == len(steps) else order.source_scheme]
        made = _make_step(step, scheme, current, current_hash, order, artifacts, say, f"{number}/{len(steps)}", wall)
        current, current_hash = made.path, made.hash
    if made is None:
        return Made(key="", path=current, size=sum(path.stat().st_size for path in files_of(current)), hash=current_hash, facts={})
    return made


def _make_step(
    step: Mapping[str, Any], wanted: QuantScheme, source: Path, source_hash: str, order: Order, artifacts: Artifacts, say: Say, number: str, wall: float
) -> Made:
    name = step["preparer"]
    preparer = registry.preparer(name)
    parameters = dict(order.parameters.get(name, {}))
    scheme = asdict(wanted)
    execution_provider = order.choice["execution_provider"]
    calibration = content_hash(order.calibration) if order.calibration else ""
    python = environment.make(preparer.environment, say)
    version = registry.ready(preparer).version
    made_by = {"preparer": name, "version": version, "scheme": scheme["key"], "parameters": parameters, "execution_provider": execution_provider, "source": source_hash, "calibration": calibration}
    key = step_key(**made_by, environment=environment.folder_of(environment.environments()[preparer.environment]).name if preparer.environment else "")
    if (found := artifacts.finished(key)) is not None:
        say(f"[{number}] {step['action']} by {name}: already made, {found.size / 2**20:.1f} MiB")
        return found
    say(f"[{number}] {step['action']} by {name} to {scheme['key']} ...")
    made, elapsed = run_step(artifacts, key, made_by, f"{step['action']} by {name}", lambda out, work: isolate.Job(
        function="recommender.apply.step:prepare", folder=work, interpreter=python, wall=wall, packages=dict([registry.package_folder(registry.PREPARERS, name)]),
        arguments={
            "preparer": registry.where(registry.PREPARERS, name), "source": str(source.absolute()), "out": str(out), "scheme": scheme, "parameters": parameters,
            "execution_provider": execution_provider, "calibration": str(order.calibration.absolute()) if order.calibration else None, "threads": usable_processors(),
        },
    ))
    say(f"[{number}] {made.size / 2**20:.1f} MiB in {elapsed:.1f} s")
    return made


def run_step(artifacts: Artifacts, key: str, made_by: Mapping[str, Any], what: str, job: Callable[[Path, Path], isolate.Job]) -> tuple[Made, float]:
    """One step in a child process: what it made, under its key, and the seconds it took. `job` gets the folder for the artifact and one for the process.

    Raises:
        StepFailed, DeviceLost: nothing is left of it but its log and its reproducer.
    """
    folder = artifacts.begin(key)
    work = Path(cache_dir()) / "work" / f"{key}-{os.getpid()}-{uuid.uuid4().hex[:8]}"
    try:
        outcome = isolate.run(job(folder / "files", work))
        _raise_unless_ok(outcome, what)
        made = artifacts.finish(key, folder, outcome.value["artifact"], outcome.value["facts"], made_by)
        shutil.rmtree(work, ignore_errors=True)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    return made, outcome.elapsed


def _raise_unless_ok(outcome: isolate.Outcome, what: str) -> None:
    if outcome.ok:
        return
    hints = outcome.hints or ((f"{(outcome.log.parent / 'reproduce.sh')}",) if outcome.log and outcome.kind not in _REFUSED else ())
    if outcome.kind == "lost":
        raise DeviceLost(f"{what}: {outcome.message}", hints=hints)
    raise StepFailed(f"{what}: {outcome.message} ({outcome.kind})", kind=outcome.kind, hints=hints)


def usable_processors() -> int:
    """Processors this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
