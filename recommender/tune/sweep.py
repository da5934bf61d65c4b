"""The loop of a sweep: ask, measure, tell. Cheap before dear: estimate, one short repetition, repetitions of those that are near the best, confirmation.

All that is known lies in the record: a sweep that was killed goes on from there, and others may work on the same one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from math import inf
from random import Random
from statistics import median
from typing import Any

from recommender.domain.errors import DeviceLost
from recommender.domain.workload import METRICS, TIE_BAND, Constraint
from recommender.measure.compare import Comparison, compare
from recommender.measure.repetition import Repetition
from recommender.tune.bench import Bench
from recommender.tune.outlook import Outlook
from recommender.tune.posterior import single_threaded
from recommender.tune.racing import ROUNDS, finalists
from recommender.tune.sampler import Proposals
from recommender.tune.space import Point, Space
from recommender.tune.storage import LAPSED, Claim, Record, Row

SCREENING = 1  # the round of the first repetition of a point
_FIRST = 2  # points that the answer itself proposes: its best of each path, in turns; more would spend a short budget on artifacts
_SAMPLED_EVERY = 3  # of the trials one is proposed by the sampler, so that a wrong estimate does not decide alone what is looked at
_ATTEMPTS = 12  # proposals of the sampler that may be points already measured or never to be run
_RESERVE = 0.3  # of the budget for the final, where it is that long
_KEPT_SAMPLES = 64  # of a metric in the record
_OK = "COMPLETE"
_ATTEMPT = 100  # added to the round of a claim for each further attempt


@dataclass(frozen=True, kw_only=True, slots=True)
class Limits:
    """budget [seconds of the bench's clock], trials: at most so many points are begun, by all workers; mode: of the final; tie_band: relative.

    Both are those of the sweep: one that was cut off has what is left of them, one that came to its end has them anew.
    """

    budget: float = inf
    trials: int = 10**9
    mode: str = "quick"
    tie_band: float = TIE_BAND


@dataclass(frozen=True, kw_only=True, slots=True)
class Ended:
    """ended: `budget`, `trials`, `settled` (nothing left can win), `stopped`. comparison: the final, None where there was none to run."""

    ended: str
    comparison: Comparison | None
    spent: float


@dataclass(kw_only=True)
class Sweep:
    """`baseline`: the point that the answer itself would ship. `proposals`: None leaves all to the estimates."""

    space: Space
    outlook: Outlook
    record: Record
    bench: Bench
    proposals: Proposals | None
    objectives: Sequence[str]
    needs: Sequence[Constraint]
    limits: Limits
    seed: int
    baseline: str
    say: Callable[[str], None] = lambda line: None
    stop: Callable[[], bool] = lambda: False
    _seconds: dict[str, list[float]] = field(default_factory=dict)  # framework -> what its trials took
    _known: set[int] = field(default_factory=set)
    _rows: list[Row] = field(default_factory=list)  # as last read
    _taken: set[str] = field(default_factory=set)  # points that somebody is at
    _before: float = 0.0  # seconds that the sweep had spent when this worker came
    _making_took: dict[str, float] = field(default_factory=dict)  # choice -> seconds of making and judging
    _seen: set[tuple[str, int]] = field(default_factory=set)

    def run(self) -> Ended:
        """Raises DeviceLost when the device vanished; what was measured is in the record."""
        self._began, self._at, self._scatter = self.bench.clock(), self.space.by_id(), Random(self.record.worker)
        self._before = max((float(row.outcome.get("spent_s", 0.0)) for row in self._recent(self.record.rows())), default=0.0)
        final = self._begun_final()
        ended = str(final.get("ended", ""))
        with single_threaded():
            while not ended:
                self._learn()
                ended = self._over() or self._try_next()
        if ended == "stopped":
            return Ended(ended=ended, comparison=None, spent=self.spent())
        comparison = self._final(ended, final)
        self.record.end()
        return Ended(ended=ended, comparison=comparison, spent=self.spent())

    def spent(self) -> float:
        return self._before + self.bench.clock() - self._began

    def _recent(self, rows: Sequence[Row]) -> list[Row]:
        """Trials since the sweep last came to its end; what came to nothing is left out."""
        return [row for row in rows if row.number >= self.record.first and row.state != "PRUNED" and row.why != LAPSED]

    # --- what the record says ------------------------------------------------------------------------------------------

    def _learn(self) -> list[Row]:
        """Trials that ended since, of this worker and of others, and claims that lapsed."""
        for point in self.record.give_back_lapsed():
            self.say(f"{point}: given back: its worker died or hangs")
        rows = self._rows = self.record.rows()
        self._taken = {row.point for row in rows if row.state == "RUNNING"}
        for row in rows:
            if row.number in self._known or row.point not in self._at or row.state not in (_OK, "FAIL"):
                continue
            self._known.add(row.number)
            if row.state == _OK:
                self.outlook.observe(row.point, row.outcome["metrics"])
                self._seconds.setdefault(self._at[row.point].framework, []).append(float(row.outcome["cost_s"]) - float(row.outcome["made_s"]))
                if row.outcome["made_s"]:
                    self._making_took.setdefault(self._at[row.point].choice, float(row.outcome["made_s"]))
            elif row.outcome:
                self.outlook.close(self._at[row.point].choice if row.outcome.get("step") == "judge" else row.point, row.why)
        if self.proposals:
            self.proposals.learn(rows)
        return rows

    def _cost(self, point: str) -> float:
        """Seconds that a repetition is expected to take: the median of the framework's, else of all."""
        known = self._seconds.get(self._at[point].framework) or [each for row in self._seconds.values() for each in row]
        return median(known) if known else 1.0

    # --- screening -----------------------------------------------------------------------------------------------------

    def _over(self) -> str:
        if self.stop():
            return "stopped"
        done = len(self.outlook.measured)
        if sum(row.round == SCREENING for row in self._recent(self._rows)) >= self.limits.trials:
            return "trials"
        enough = done >= min(_FIRST, len(self.space.points))
        return "settled" if enough and not self.outlook.can_be_beaten(self.limits.tie_band) else ""

    def _left(self) -> float:
        """Seconds for screening: what the final needs of two finalists is held back."""
        costs = [each for row in self._seconds.values() for each in row]
        reserve = min(_RESERVE * self.limits.budget, (2 * ROUNDS - 1) * median(costs)) if costs and self.limits.budget < inf else 0.0
        return self.limits.budget - self.spent() - reserve

    def _try_next(self) -> str:
        """One trial; a word when none is left, or none that the budget reaches."""
        tried: set[str] = set()
        left, ended, skip, has_skipped = self._left(), "settled", 0, False
        for point in self._wanted():
            if point.id in tried:
                continue
            tried.add(point.id)
            if skip:
                skip, has_skipped = skip - 1, True
                continue
            if self.outlook.measured and self._cost(point.id) + self._making(point) > left:
                ended = "budget"
                continue
            claim = self.record.claim(point.id, SCREENING, point.parameters, self.space.domains)
            if claim is None:  # workers that ask at the same moment want the same: they scatter, or they would meet again and again
                self._learn()
                skip = self._scatter.randrange(len(self._taken) + 1)
                continue
            self._measure(claim, point)
            return ""
        if has_skipped:
            return ""
        if ended == "settled" and left > 0 and any(row.state == "RUNNING" and row.round == SCREENING for row in self._rows):
            self.bench.idle()  # what others are at may tell more, or come back
            return ""
        return ended

    def _wanted(self) -> Iterator[Point]:
        """Points to try, the most wanted first."""
        closed = self.outlook.hopeless()

        def is_open(name: str) -> bool:
            return name not in self.outlook.measured and name not in self.outlook.closed and name not in closed and name not in self._taken

        for point in self._starts():
            if is_open(point.id):
                yield point
        if self.proposals and len(self.outlook.measured) % _SAMPLED_EVERY == _SAMPLED_EVERY - 1:
            for attempt in range(_ATTEMPTS):
                proposed = self.proposals.propose(attempt)
                if proposed and is_open(proposed.id):
                    yield proposed
                    break
        firsts = {point.framework: name for name, point in self._at.items()}
        running = {framework: self._cost(name) for framework, name in firsts.items()}
        making = {framework: self._making_of(framework) for framework in firsts}
        costs = {name: running[point.framework] + (0.0 if point.choice in self._making_took else making[point.framework]) for name, point in self._at.items()}
        for name in self.outlook.promising(costs, Random(self.seed * 7919 + len(self.outlook.measured))):
            if is_open(name):
                yield self._at[name]

    def _starts(self) -> list[Point]:
        """The answer's first choices with their start settings, different paths first."""
        firsts: dict[str, Point] = {}
        for point in self.space.points:
            firsts.setdefault(point.choice, point)
        turns: dict[Any, int] = {}
        order = []
        for place, point in enumerate(firsts.values()):
            turns[point.path] = turns.get(point.path, -1) + 1
            order.append((turns[point.path], place, point))
        return [point for _, _, point in sorted(order, key=lambda row: row[:2])][:_FIRST]

    def _making(self, point: Point) -> float:
        """Seconds that an artifact which is not there yet may cost."""
        return 0.0 if point.choice in self._making_took else self._making_of(point.framework)

    def _making_of(self, framework: str) -> float:
        """As those of the framework made so far, else as all."""
        took = self._making_took
        mine = [seconds for choice, seconds in took.items() if choice.startswith(f"{framework}/")] or list(took.values())
        return median(mine) if mine else 0.0

    # --- one trial -----------------------------------------------------------------------------------------------------

    def _measure(self, claim: Claim, point: Point) -> Repetition | None:
        """Make, judge, run, tell. None where it did not come to running."""
        began = self.bench.clock()
        with self.record.leased(claim):
            judged = self.bench.judge(point)
            made = self.bench.clock() - began
            self._making_took.setdefault(point.choice, made)
            if judged.refusal:
                self._tell_failure(claim, point, judged.kind, judged.refusal, "judge", began)
                return None
            if claim.round == SCREENING:  # of the others the comparison tells
                self.say(point.id)
            found = self.bench.take(point, claim.round)
        metrics = {**process_metrics(found), **judged.metrics} if found.ok else {}
        if any(metrics.get(metric) is None for metric in self.objectives):
            why = f"{found.kind}: {found.message}" if not found.ok else f"it gave no {next(m for m in self.objectives if metrics.get(m) is None)}"
            if found.kind == "lost":  # which says nothing of the point
                self.record.tell(claim, None, state="PRUNED", why=why)
                raise DeviceLost(found.message or f"the device was lost while {point.id} was measured")
            self._tell_failure(claim, point, found.kind, why, "measure", began, found)
            return found
        outcome = {**self._common(began, found), "made_s": made, "metrics": metrics, "violations": self._violations(metrics), "artifact": judged.artifact, "quality": dict(judged.quality)}
        self.record.tell(claim, [metrics[metric] for metric in self.objectives], outcome=outcome)
        return found

    def _tell_failure(self, claim: Claim, point: Point, kind: str, why: str, step: str, began: float, found: Repetition | None = None) -> None:
        self.say(f"{point.id}: {why}")
        self.record.tell(claim, None, state="FAIL", why=why, outcome={**self._common(began, found), "kind": kind, "step": step})

    def _common(self, began: float, found: Repetition | None) -> dict[str, Any]:
        told: dict[str, Any] = {"cost_s": self.bench.clock() - began, "spent_s": self.spent(), "class": self.record.meta.get("class", "")}
        if found is None:
            return told
        return {
            **told, "flags": list(found.flags), "elapsed": found.elapsed, "foreign_load": found.foreign_load, "reproducer": dict(found.reproducer), "cold": dict(found.cold),
            "facts": dict(found.facts), "samples": {name: _thinned(values) for name, values in found.samples.items()}, "single_calls": sorted(found.single_calls),
        }

    def _violations(self, metrics: Mapping[str, float]) -> list[float]:
        """By how much each need is missed, relative: above nought it is, as Optuna's samplers read it."""
        found = []
        for need in self.needs:
            if (value := metrics.get(need.metric)) is not None:
                gap = (need.bound - value) if need.relation.startswith(">") else (value - need.bound)
                found.append(gap / abs(need.bound) if need.bound else gap)
        return found

    # --- the final -----------------------------------------------------------------------------------------------------

    def _begun_final(self) -> dict[str, Any]:
        """What the final was begun with, when the sweep was cut off in it or others are at it."""
        found = self.record.kept("final") or {}
        return dict(found) if found.get("first") == self.record.first else {}

    def _final(self, ended: str, begun: Mapping[str, Any]) -> Comparison | None:
        """Repetitions for those near the best, interleaved in fresh processes by the protocol, then the winner once more. One objective: several have a front, no winner."""
        self._learn()
        best = self.outlook.best()
        if best is None or len(self.objectives) > 1:
            return None
        objective = self.objectives[0]
        rows = {point: row for point, row in self.outlook.ranges(objective).items() if point in self.outlook.done() and self.outlook.is_feasible(point)}
        seconds = {point: self._cost(point) for point in rows}
        left = self.limits.budget - self.spent()
        names = [name for name in begun.get("names", ()) if name in rows] or finalists(rows, best, METRICS[objective][1], seconds=seconds, left=left)
        self.record.keep("final", {"first": self.record.first, "ended": ended, "names": names})
        baseline = self.baseline if self.baseline in names else names[0]
        rounds = self._repetitions()
        self._seen = {(each.candidate, each.round) for each in rounds}
        return compare(
            names, baseline, self._again, metric=objective, rng=Random(self.seed), mode=self.limits.mode, tie_band=self.limits.tie_band, budget=max(0.0, left),
            earlier=[each for each in rounds if each.candidate in names], stop=self.stop, clock=self.bench.clock, say=self.say,
        )

    def _again(self, name: str, round: int) -> Repetition:
        """A further repetition, as a trial of its own; what another worker has taken is not taken twice, what this race has seen is (it was disturbed)."""
        attempt = int((name, round) in self._seen)
        self._seen.add((name, round))
        key = (name, round + _ATTEMPT * attempt)
        while True:
            rows = [row for row in self.record.rows() if (row.point, row.round) == key]
            if done := next((row for row in rows if row.state in (_OK, "FAIL") and row.outcome), None):
                return repetition(done) if done.state == _OK else Repetition(candidate=name, round=round, kind="crash", message=done.why)
            if all(row.state != "RUNNING" for row in rows) and (claim := self.record.claim(*key, self._at[name].parameters, self.space.domains)):
                return self._measure(claim, self._at[name]) or Repetition(candidate=name, round=round, kind="unsupported", message="it could not be made again")
            self.bench.idle()
            self.record.give_back_lapsed()

    def _repetitions(self) -> list[Repetition]:
        """Those of the record, as far as a comparison needs them, in the order taken; a confirmation ends its race and is left out."""
        return [repetition(row) for row in self.record.rows() if row.state == _OK and row.round >= SCREENING]


def repetition(row: Row) -> Repetition:
    """A trial of the record as a repetition."""
    told = row.outcome
    return Repetition(
        candidate=row.point, round=row.round % _ATTEMPT, samples={name: tuple(values) for name, values in told["samples"].items()}, single_calls=frozenset(told["single_calls"]),
        cold=told["cold"], facts=told["facts"], flags=tuple(told["flags"]), foreign_load=told["foreign_load"], elapsed=told["elapsed"], reproducer=told["reproducer"],
    )


def process_metrics(found: Repetition) -> dict[str, float]:
    """One figure a metric: medians of the samples, and what comes once a process (load_time, first_call, and its peak of memory)."""
    cold = {name: float(found.cold[name]) for name in ("load_time", "first_call") if found.cold.get(name) is not None}
    peak = found.raw.get("peak_memory")
    return {**{name: median(values) for name, values in found.samples.items() if len(values)}, **cold, **({"peak_memory": float(peak)} if peak else {})}


def _thinned(values: Sequence[float]) -> list[float]:
    """Evenly picked from the sorted values: the median and the spread stay."""
    ordered = sorted(float(value) for value in values)
    if len(ordered) <= _KEPT_SAMPLES:
        return ordered
    last = len(ordered) - 1
    return [ordered[round(at * last / (_KEPT_SAMPLES - 1))] for at in range(_KEPT_SAMPLES)]
