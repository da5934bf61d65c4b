"""Measure the runnable choices of one answer: make the artifacts, gate them, time them against each other, and say what was found.

What is finished is kept as it comes (artifacts by content, gate results and repetitions in the journal), so that a killed run goes on where it
was. The budget is wall-clock time over all of it; only the first two artifacts may exceed their share.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from math import inf
from pathlib import Path
from random import Random
from typing import Any

from recommender.apply import recipe
from recommender.apply.artifacts import Made
from recommender.domain.catalog import Catalog
from recommender.domain.errors import ActionFailed, ExecutorUnavailable, RecommenderError, StepFailed
from recommender.domain.model import ModelSpec
from recommender.domain.target import Target
from recommender.domain.workload import METRICS
from recommender.executors import registry
from recommender.measure import gate, preflight
from recommender.measure.compare import Comparison, compare
from recommender.measure.contenders import Choice, Left, baseline_of, contenders
from recommender.measure.data import Data
from recommender.measure.journal import Journal
from recommender.measure.memory_energy import passes
from recommender.measure.remembered import Memory
from recommender.measure.repetition import Repetition
from recommender.measure.surroundings import cool_down
from recommender.measure.take import Run, options_of, take

Say = Callable[[str], None]
BUDGETS = {"quick": 60.0, "normal": 600.0, "strict": 3600.0}  # seconds, where none is given
_PREPARING = 0.5  # of the budget, beyond the first two artifacts
_RESERVE = {"quick": 2.5, "normal": 5.0, "strict": 5.0}  # seconds for the memory pass of one candidate, start included
_LEAST, _MOST = 3.0, {"quick": 8.0, "normal": 25.0, "strict": 80.0}  # seconds a repetition is allowed
_ROUNDS = 3  # that the allowance is cut for
_COST = {"quick": 20.0, "normal": 60.0, "strict": 240.0}  # seconds that a candidate needs at least: artifact, gate, three rounds, memory
_SEED = 20261124


@dataclass(frozen=True, kw_only=True, slots=True)
class Settings:
    """How to measure. `only`: ids of the choices that are wanted, () for all. budget in seconds."""

    mode: str = "normal"
    budget: float = 600.0
    only: tuple[str, ...] = ()
    tie_band: float = 0.02
    may_download: bool = False
    is_supplied: bool = False  # another machine may make the artifacts: what cannot be made here can be measured all the same


@dataclass(frozen=True, kw_only=True, slots=True)
class Subject:
    """What is measured: an answer, the model behind it, and where everything lies. `parameters`: preparer -> its knobs."""

    document: Mapping[str, Any]
    model: ModelSpec
    model_hash: str
    source: Path
    target: Target
    catalog: Catalog
    data: Data
    parameters: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class Found:
    """All that a campaign found; `report` makes measurements of it. gates: id -> the gate's result; levels: id -> memory and energy passes."""

    choices: Mapping[str, Choice]
    made: Mapping[str, Made]
    gates: Mapping[str, Mapping[str, Any]]
    levels: Mapping[str, Mapping[str, Any]]
    left: tuple[Left, ...]
    preflight: Mapping[str, Any]
    plan: Mapping[str, Any]
    settings: Settings
    started: float
    spent: float = 0.0
    comparison: Comparison | None = None


@dataclass(kw_only=True)
class Campaign:
    """One run of `measure`. `journal` and `memory` are where it keeps what is done and what failed."""

    subject: Subject
    settings: Settings
    say: Say
    journals: Path
    work: Path
    memory: Memory
    clock: Callable[[], float] = time.monotonic
    left: list[Left] = field(default_factory=list)
    _began: float = 0.0
    _started: float = 0.0

    def __post_init__(self) -> None:
        self._began, self._started = self.clock(), time.time()

    def run(self) -> Found:
        """Raises ActionFailed when `strict` refuses the machine's state or nothing could be measured; DeviceLost when a device vanished."""
        self._began, self._started = self.clock(), time.time()
        seen = self.preflight()
        choices, self.left = contenders(self.subject.document["choices"], self.refusal)
        choices = self._affordable(choices)
        made = self._artifacts(choices)
        kept = [choice for choice in choices if choice["id"] in made]
        gates = {} if not kept else gate.judge(self, kept, made)
        passed = [choice for choice in kept if gates.get(choice["id"], {}).get("verdict") not in ("fail", "lost")]
        self.left += [Left(id=choice["id"], reason=f"gate: {gates[choice['id']]['reason']}") for choice in kept if choice not in passed]
        if not passed:
            raise self._nothing()
        plan = self.plan(len(passed))
        self._kept = journal = self._journal(passed, made)
        runs = {choice["id"]: self.run_of(choice, made[choice["id"]], plan, seen["spin"]) for choice in passed}
        anomalous = {name for name, row in gates.items() if row["verdict"] == "anomalous"}
        comparison = self._compare(passed, runs, journal, anomalous)
        measured = [choice for choice in passed if choice["id"] in comparison.summaries]
        levels = passes(self, {choice["id"]: runs[choice["id"]] for choice in measured}, journal)
        self._remember(comparison)
        return Found(
            choices={choice["id"]: choice for choice in passed}, made=made, gates=gates, levels=levels, left=tuple(self.left), preflight=seen, plan=plan,
            settings=self.settings, comparison=comparison, started=self._started, spent=self.clock() - self._began,
        )

    # --- before --------------------------------------------------------------------------------------------------------

    def preflight(self) -> dict[str, Any]:
        """The machine's state, and the spin policy that follows. Raises ActionFailed when `strict` refuses it."""
        seen = preflight.record(digest=self.subject.target.fingerprint.digest)
        serious, warned = preflight.refused(seen, self.settings.mode)
        if serious:
            raise ActionFailed("strict: " + "; ".join(each.what for each in serious), hints=(*(each.fix for each in serious), "recommend doctor"))
        for each in warned:
            self.say(f"warning: {each.what}")
        return {**seen, "spin": preflight.spin_policy(seen["foreign_load"] or 0.0)}

    def refusal(self, choice: Choice) -> Left | None:
        """Why a choice cannot be measured here."""
        name = choice["id"]
        if self.settings.only and name not in self.settings.only:
            return Left(id=name, reason="not asked for")
        if choice["framework"] not in registry.names(registry.RUNNERS):
            return Left(id=name, reason=f"no executor for {choice['framework']} here", hint="recommend measure --runner 'ssh DEVICE COMMAND {artifact}' --parse TOOL")
        if choice["runnable_here"] is False:
            return Left(id=name, reason=f"{choice['framework']} is not installed with {choice['execution_provider']}", hint=self.subject.catalog.frameworks[choice["framework"]].install)
        try:
            if not self.settings.is_supplied:
                recipe.check(self._order(choice), self.subject.catalog)
        except RecommenderError as error:
            return Left(id=name, reason=error.message, hint=next(iter(error.hints), ""))
        if held := self.memory.held(name, "prepare", recipe.WALL) or self.memory.held(name, "measure", self.settings.budget):
            return Left(id=name, reason=f"it failed before and nothing has changed since: {held.kind}: {held.message}", hint="recommend measure --retry ...")
        return None

    def _affordable(self, choices: list[Choice]) -> list[Choice]:
        """The first ones, as many as the budget can measure; at least one, whatever it is."""
        n = max(1, int(self.settings.budget // _COST[self.settings.mode]))
        self.left += [Left(id=choice["id"], reason="not reached within the budget", hint="a larger --budget") for choice in choices[n:]]
        return choices[:n]

    def _order(self, choice: Choice) -> recipe.Order:
        scheme = self.subject.model.artifact.scheme if self.subject.model.artifact else None
        return recipe.Order(choice=choice, source=self.subject.source, source_scheme=scheme or "F32", parameters=self.subject.parameters, calibration=self.subject.data.calibration, may_download=self.settings.may_download)

    def _artifacts(self, choices: list[Choice]) -> dict[str, Made]:
        """Artifacts by choice; those that the budget does not reach or that cannot be made are left."""
        made: dict[str, Made] = {}
        for choice in choices:
            name = choice["id"]
            if len(made) >= 2 and self._spent() > _PREPARING * self.settings.budget:
                self.left.append(Left(id=name, reason="not reached: half of the budget had gone into artifacts", hint="a larger --budget"))
                continue
            try:
                made[name] = self.make(choice)
            except (StepFailed, ExecutorUnavailable) as error:
                self.say(f"{name}: {error.message}")
                self.left.append(Left(id=name, reason=error.message, hint=next(iter(error.hints), "")))
                if isinstance(error, StepFailed):
                    self.memory.add(name, "prepare", error.kind, error.message, wall=recipe.WALL)
        return made

    def make(self, choice: Choice) -> Made:
        """The artifact of a choice by its recipe; what was made before is taken as it is. Raises as `recipe.make` does."""
        return recipe.make(self._order(choice), self.subject.catalog, self.say)

    def _nothing(self) -> ActionFailed:
        shown = [f"{row.id}: {row.reason}" for row in self.left if row.reason != "not asked for"]
        hints = tuple(dict.fromkeys(row.hint for row in self.left if row.hint))[:3]
        return ActionFailed("nothing could be measured; " + "; ".join(shown[:3] or ["the answer has no choices"]), hints=hints)

    # --- measuring -----------------------------------------------------------------------------------------------------

    def plan(self, n: int) -> dict[str, Any]:
        """The workload of one repetition, and the seconds it gets when n candidates share the rest of the budget."""
        workload = self.subject.document["workload"]
        rest = self.settings.budget - self._spent() - n * _RESERVE[self.settings.mode]
        plan: dict[str, Any] = {"seconds": min(_MOST[self.settings.mode], max(_LEAST, rest / (n * _ROUNDS + 1)))}
        evaluation = self.subject.data.evaluation
        if self.subject.model.is_language_model:
            return {**plan, "prompt_tokens": workload["prompt_tokens"], "output_tokens": workload["output_tokens"], "text": str(evaluation)}
        return {**plan, "batch": workload["batch"], "throughput": True, **({"test": str(evaluation)} if evaluation else {})}

    def run_of(self, choice: Choice, made: Made, plan: Mapping[str, Any], spin: str) -> Run:
        return Run(
            candidate=choice["id"], runner=choice["framework"], artifact=made.path, folder=self.work / choice["id"].replace("/", "-"), options=options_of(choice),
            plan=plan, mode=self.settings.mode, spin=spin,
        )

    def done(self) -> None:
        """What was found is in the store: the journal goes."""
        self._kept.done()

    def _journal(self, passed: list[Choice], made: Mapping[str, Made]) -> Journal:
        """Of this run and no other: the same artifacts and options under the same workload, mode and versions."""
        versions = {choice["framework"]: registry.ready(registry.runner(choice["framework"])).version for choice in passed}
        return Journal(self.journals, {
            "digest": self.subject.target.fingerprint.digest, "artifacts": {choice["id"]: made[choice["id"]].hash for choice in passed}, "versions": versions,
            "options": {choice["id"]: choice["options"] for choice in passed}, "workload": self.subject.document["workload"], "mode": self.settings.mode,
        })

    def _compare(self, passed: list[Choice], runs: Mapping[str, Run], journal: Journal, anomalous: set[str]) -> Comparison:
        metric = self.subject.document["workload"]["objective"]
        sizes = {choice["id"]: choice["estimates"].get("file_size", {}).get("central") or inf for choice in passed}

        earlier = journal.repetitions()
        temperature = next((each.start_temperature for each in earlier), None)

        def taken(name: str, number: int) -> Repetition:
            nonlocal temperature
            if temperature is not None and self.settings.mode != "quick":
                cool_down(temperature)
            found = take(runs[name], number)
            temperature = found.start_temperature if temperature is None else temperature
            return replace(found, flags=(*found.flags, "anomalous")) if name in anomalous else found

        if earlier:
            self.say(f"going on with {len(earlier)} repetitions of a run that was cut off")
        return compare(
            [choice["id"] for choice in passed], baseline_of(passed)["id"], taken, metric=metric, rng=Random(_SEED), mode=self.settings.mode,
            better=METRICS[metric][1], tie_band=self.settings.tie_band, budget=max(0.0, self.settings.budget - self._spent() - len(passed) * _RESERVE[self.settings.mode]),
            secondary=lambda name: sizes[name], earlier=earlier, keep=journal.keep_repetition, say=self.say, clock=self.clock,
        )

    def _remember(self, comparison: Comparison) -> None:
        for name, failed in comparison.failures.items():
            self.memory.add(name, "measure", failed.kind, failed.message, failed.reproducer, wall=self.settings.budget)

    def _spent(self) -> float:
        return self.clock() - self._began
