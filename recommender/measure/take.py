"""One repetition, from the parent: the runner's child process with its own environment, limits and temporary folder, watched meanwhile."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from recommender.domain.errors import ExecutorUnavailable
from recommender.executors import environment, registry
from recommender.measure import isolate
from recommender.measure.repetition import Repetition
from recommender.measure.surroundings import Surroundings

_HARNESS, _QUALITY = "recommender.measure.harness", "recommender.measure.quality"
_FUNCTIONS = {
    "speed": f"{_HARNESS}:speed", "steady": f"{_HARNESS}:steady", "smoke": f"{_HARNESS}:smoke",
    "reference": f"{_QUALITY}:reference", "compare": f"{_QUALITY}:compare",
}
_WALL = 900.0  # seconds, where the plan has no allowance: loading, warm-up, samples and extras at their caps, and as much again
_GRACE = 60.0  # seconds beyond twice the allowance: loading is not part of what can be cut short
_MEMORY_SHARE = 0.9  # of what is free now: the machine must stay usable


@dataclass(frozen=True, kw_only=True, slots=True)
class Run:
    """A candidate as it is run.

    Attributes:
        candidate: id. runner: entry point name. artifact: file or folder. options: of the runner.
        plan: workload and limits, as `harness` reads them. mode: one of measurement.MODES.
        folder: made when needed; each process gets its own in it. spin: `shipped` or `passive`, equal over a comparison; settings that a sweep found may say otherwise.
        wall [s], memory [bytes]: limits; None: derived from the allowance and from what is free.
    """

    candidate: str
    runner: str
    artifact: Path
    folder: Path
    options: Mapping[str, Any] = field(default_factory=dict)
    plan: Mapping[str, Any] = field(default_factory=dict)
    mode: str = "normal"
    spin: str = "shipped"
    wall: float | None = None
    memory: int | None = None


def job(run: Run, step: str, name: str, **arguments: Any) -> isolate.Job:
    """The child of a run: `step` is speed, steady, smoke, reference or compare; `name` its folder; `arguments` go to the function.

    Raises:
        ExecutorUnavailable: no such runner, it is not installed, or its environment is not made; with the line that unlocks it.
    """
    runner = registry.runner(run.runner)
    found = registry.ready(runner)
    if not found.ok:
        raise ExecutorUnavailable(f"{run.runner}: {found.reason}", hints=(found.hint,) if found.hint else ())
    python = environment.interpreter(runner.environment)
    if python is None:
        raise ExecutorUnavailable(f"{run.runner} needs the environment `{runner.environment}`, which is not made", hints=("recommend apply --yes ...",))
    options = {"spin": run.spin, **run.options}
    folder = run.folder / name
    temporary = folder / "temporary"
    temporary.mkdir(parents=True, exist_ok=True)
    own = dict.fromkeys(("TMPDIR", "TEMP", "TMP"), str(temporary))
    return isolate.Job(
        function=_FUNCTIONS[step], folder=folder, interpreter=python, environ={**own, **runner.environ(options)},
        packages=dict([registry.package_folder(registry.RUNNERS, run.runner)]), wall=run.wall or _wall(run.plan), memory=run.memory or _memory(),
        arguments={
            "runner": registry.where(registry.RUNNERS, run.runner), "artifact": str(run.artifact.absolute()), "options": options,
            "plan": _with_text(run.plan), **arguments,
        },
    )


def take(run: Run, round: int) -> Repetition:
    """One repetition of the speed pass. Never raises for what the candidate does: a failure is a Repetition of its kind."""
    try:
        child = job(run, "speed", f"round-{round}", mode=run.mode)
    except ExecutorUnavailable as error:
        return Repetition(candidate=run.candidate, round=round, kind="unsupported", message=_with_hints(error.message, error.hints))
    around = Surroundings()
    outcome = isolate.run(child, watch=around.note)
    foreign = around.load.share()
    told: dict[str, Any] = {
        "candidate": run.candidate, "round": round, "elapsed": outcome.elapsed, "reproducer": outcome.reproducer, "foreign_load": foreign,
        "start_temperature": around.start_temperature,
    }
    flags = around.flags(foreign)
    if not outcome.ok:
        return Repetition(kind=outcome.kind, message=_with_hints(outcome.message, outcome.hints), flags=flags, raw={"peak_memory": outcome.peak_memory}, **told)
    return _sampled({**outcome.value, "peak_memory": outcome.peak_memory}, flags, told)


def _sampled(raw: Mapping[str, Any], flags: tuple[str, ...], told: Mapping[str, Any]) -> Repetition:
    """Metrics of what the child timed; none of a session that emulates its device."""
    from recommender.measure.metrics import samples_by_metric

    is_emulated = raw["facts"].get("speed_is_meaningful") is False
    samples, single = ({}, frozenset[str]()) if is_emulated else samples_by_metric(raw)
    flags = (*raw["flags"], *flags, *(("emulated",) if is_emulated else ()))
    return Repetition(samples=samples, single_calls=single, cold=raw["cold"], facts=raw["facts"], flags=tuple(dict.fromkeys(flags)), raw=raw, **told)


def smoke(artifact: Path, choice: Mapping[str, Any], *, folder: Path | None = None, plan: Mapping[str, Any] | None = None) -> isolate.Outcome:
    """One short run of an artifact as a choice of an answer would run it. Its log stays in `folder` (a new one in the cache) when it fails."""
    import shutil
    import uuid

    from recommender.intake.cache_folder import cache_dir

    own = folder or Path(cache_dir()) / "work" / f"smoke-{uuid.uuid4().hex[:8]}"
    run = Run(candidate=choice["id"], runner=choice["framework"], artifact=artifact, folder=own, options=options_of(choice), plan=plan or {})
    try:
        outcome = isolate.run(job(run, "smoke", "smoke"))
    except ExecutorUnavailable as error:
        return isolate.Outcome(kind="unsupported", message=error.message, hints=error.hints)
    if outcome.ok and folder is None:
        shutil.rmtree(own, ignore_errors=True)
    return outcome


def options_of(choice: Mapping[str, Any]) -> dict[str, Any]:
    """Runner options of a choice of an answer."""
    return {**choice["options"], "execution_provider": choice["execution_provider"], "scheme": choice["scheme"]}


def _with_text(plan: Mapping[str, Any]) -> dict[str, Any]:
    """Prompts of all candidates come from one text, whatever Python their environment has."""
    from recommender.measure.texts import default_texts

    with contextlib.suppress(OSError):
        if "text" not in plan and "test" not in plan:
            return {**plan, "text": str(default_texts()[1])}
    return dict(plan)


def _wall(plan: Mapping[str, Any]) -> float:
    return 2 * float(plan["seconds"]) + _GRACE if "seconds" in plan else _WALL


def _memory() -> int:
    import psutil

    return int(_MEMORY_SHARE * psutil.virtual_memory().available)


def _with_hints(message: str, hints: tuple[str, ...]) -> str:
    return f"{message} (hint: {'; '.join(hints)})" if hints else message
