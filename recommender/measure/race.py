"""The course of a comparison: which repetition comes next, who drops out, when it ends. The clock and `take` are given."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from itertools import takewhile
from math import inf
from random import Random
from statistics import median
from typing import Any

from recommender.domain.errors import DeviceLost
from recommender.measure.metrics import process_medians
from recommender.measure.repetition import Repetition
from recommender.measure.statistics import prediction_interval
from recommender.measure.verdict import INCONCLUSIVE, LOOKS, SCREENING, Judgement, far_behind, judge

DISTURBED = frozenset(("throttled", "foreign-load", "clock-drop"))  # such a repetition is taken once more
ANOMALOUS_FLAG, EMULATED_FLAG = "anomalous", "emulated"
CONFIRMATION = 0  # the round of the winner's last repetition; rounds count from 1


@dataclass(kw_only=True)
class Race:
    """`running`: who is still in it, the baseline first, then in the given order. All else as in `compare.compare` and its Comparison."""

    baseline: str
    take: Callable[[str, int], Repetition]
    metric: str
    better: str
    tie_band: float
    rng: Random
    budget: float
    secondary: Callable[[str], Any] | None
    keep: Callable[[Repetition], None]
    say: Callable[[str], None]
    stop: Callable[[], bool]
    clock: Callable[[], float]
    repeats_disturbed: bool
    history: list[Repetition]
    running: list[str]
    rounds: int = 0
    ended: str = ""
    failures: dict[str, Repetition] = field(default_factory=dict)
    behind: dict[str, float] = field(default_factory=dict)
    left_out: list[str] = field(default_factory=list)
    longest: dict[str, float] = field(default_factory=dict)  # candidate -> seconds of a repetition
    started: float = 0.0

    def run(self, most: int) -> None:
        """Round after round, at most so many. Rounds that an earlier run completed are gone through without taking anything."""
        self.started = self.clock()
        for each in self.history:
            self._learn(each.candidate, each.elapsed)
        while not self.ended:
            if self._round(self.rounds + 1):
                self.rounds += 1
                self._drop_and_settle(most)

    # --- one round -----------------------------------------------------------------------------------------------------

    def _round(self, number: int) -> bool:
        """Take what the round lacks; False when the comparison ended before it was complete."""
        order = self._order(number)
        lacking = sum(self._seconds(name) for name in order if self._is_due(name, number))
        if number > SCREENING and lacking > self._left():
            self.ended = "budget"
            return False
        for name in order:
            if number <= SCREENING:
                self._give_up_the_last()
            if name in self.running and not self._took(name, number):
                return False
        return True

    def _order(self, number: int) -> list[str]:
        """Random in odd rounds, the reverse of the round before in even ones: by chance alone, one of two candidates would come first in all
        of the first three rounds in a quarter of the comparisons, and what coming first costs would look like a difference."""
        order = list(self.running)
        self.rng.shuffle(order)
        if number % 2 == 0:
            before = list(dict.fromkeys(each.candidate for each in self.history if each.round == number - 1))
            order.sort(key=lambda name: -before.index(name) if name in before else 1)
        elif not self.longest and self.budget < inf:
            order.sort(key=lambda name: name not in self.running[:2])  # what a repetition costs is learned from two that stay in any case
        return order

    def _took(self, name: str, number: int) -> bool:
        """Take a candidate's repetition of the round, again where that is due. False when there is none and no time for one."""
        while self._is_due(name, number):
            if why := self._obstacle(name, self._left()):
                self.ended = why
                break
            self._take(name, number)
        found = self._result(name, number)
        if found and not self._is_usable(found):
            self._fail(found)
        return found is not None

    def _result(self, name: str, number: int) -> Repetition | None:
        """The attempt that counts: the last usable one, else the last."""
        attempts = self._attempts(name, number)[::-1]
        return next(filter(self._is_usable, attempts), attempts[0] if attempts else None)

    def _is_due(self, name: str, number: int) -> bool:
        """Not taken yet; or once, and it crashed or was disturbed."""
        attempts = self._attempts(name, number)
        return not attempts or (len(attempts) == 1 and (attempts[0].kind == "crash" or (self.repeats_disturbed and bool(DISTURBED & set(attempts[0].flags)))))

    def _attempts(self, name: str, number: int) -> list[Repetition]:
        """A confirmation counts only while nothing was taken after it."""
        history: Iterable[Repetition] = self.history
        if number == CONFIRMATION:
            history = takewhile(lambda each: each.round == CONFIRMATION, reversed(self.history))
        found = [each for each in history if (each.candidate, each.round) == (name, number)]
        return found[::-1] if number == CONFIRMATION else found

    def _take(self, name: str, number: int) -> None:
        again = " again" if self._attempts(name, number) else ""
        self.say(f"{name}, {f'round {number}' if number else 'confirmation'}{again}")
        began = self.clock()
        found = self.take(name, number)
        self.history.append(found)
        self.keep(found)
        self._learn(name, max(found.elapsed, self.clock() - began))
        if found.kind == "lost":
            raise DeviceLost(found.message or f"the device was lost while {name} was measured")

    def _is_usable(self, found: Repetition) -> bool:
        medians = process_medians([found], self.metric)
        return bool(medians) and 0 < medians[0] < inf

    def _fail(self, found: Repetition) -> None:
        if found.ok and EMULATED_FLAG in found.flags:
            found = replace(found, kind="unsupported", message="it runs in an emulator, whose speed says nothing of a device")
        elif found.ok:
            found = replace(found, kind="wrong-output", message=f"it gave no {self.metric}")
        self.say(f"{found.candidate}: {found.kind}: {found.message}")
        self.failures[found.candidate] = found
        self.running.remove(found.candidate)

    # --- time ----------------------------------------------------------------------------------------------------------

    def _learn(self, name: str, seconds: float) -> None:
        self.longest[name] = max(seconds, self.longest.get(name, 0.0))

    def _seconds(self, name: str) -> float:
        """What a repetition may take: the candidate's longest, else the longest of any."""
        return self.longest.get(name, max(self.longest.values(), default=0.0))

    def _left(self) -> float:
        """Seconds left for rounds: one repetition is held back for the confirmation."""
        return self.budget - (self.clock() - self.started) - max(map(self._seconds, self.running), default=0.0)

    def _obstacle(self, name: str, left: float) -> str:
        return "stopped" if self.stop() else "budget" if self._seconds(name) > left else ""

    def _give_up_the_last(self) -> None:
        """Three rounds of few are worth more than one of many: candidates are left out from the end until three rounds fit."""
        def needed() -> float:
            rounds = range(self.rounds + 1, SCREENING + 1)
            return sum(self._seconds(name) for name in self.running for number in rounds if self._is_due(name, number))

        while len(self.running) > 2 and needed() > self._left():
            self.left_out.insert(0, self.running.pop())

    # --- after a round -------------------------------------------------------------------------------------------------

    def _drop_and_settle(self, most: int) -> None:
        if self.rounds == SCREENING and self.running:
            self._drop(far_behind(self._medians(), self.better, self.tie_band))
        if self.rounds == SCREENING or self.rounds in LOOKS or not self.running:
            judgement = self.judgement()
            if judgement.is_settled:
                self.ended = self.ended or "settled"
            elif self.rounds in LOOKS:
                self._drop({name: -pair.effect for name, pair in judgement.pairs.items() if pair.word == "better" and pair.is_settled})
        if self.rounds >= most:
            self.ended = self.ended or "rounds"

    def _drop(self, found: dict[str, float]) -> None:
        for name, effect in found.items():
            if name != self.baseline:  # it stays in every round
                self.say(f"{name} is behind by {-effect:.0%} and is dropped")
                self.behind[name] = effect
                self.running.remove(name)

    def counted(self, name: str) -> list[Repetition]:
        """The repetitions that count, one a round, in order; the confirmation is not among them."""
        numbers = sorted({each.round for each in self.history if each.candidate == name} - {CONFIRMATION})
        return [found for number in numbers if (found := self._result(name, number))]

    def _medians(self) -> dict[str, list[float]]:
        return {name: process_medians(self.counted(name)[: self.rounds], self.metric) for name in self.running}

    def judgement(self) -> Judgement:
        """The verdict as it stands, over complete rounds of those who are still in."""
        anomalous = [name for name in self.running if any(ANOMALOUS_FLAG in each.flags for each in self.counted(name))]
        found = judge(self._medians(), self.baseline, self.better, self.tie_band, secondary=self.secondary, anomalous=anomalous)
        if len(self.running) == 1 and self.left_out and not self.behind:
            reason = f"only {self.running[0]} was measured; the budget did not reach {', '.join(self.left_out)}"
            return replace(found, word=INCONCLUSIVE, winner="", reason=reason, settle="a larger --budget")
        return found

    def confirm(self, winner: str) -> bool | None:
        """Take the winner once more: whether that lies where a further process is expected, or within the tie band; None without time for it."""
        while self._is_due(winner, CONFIRMATION):
            if self._obstacle(winner, self.budget - (self.clock() - self.started)):
                break
            self._take(winner, CONFIRMATION)
        found = self._result(winner, CONFIRMATION)
        if found is None or not self._is_usable(found):
            return None if found is None else False
        medians = process_medians(self.counted(winner), self.metric)
        value, centre = process_medians([found], self.metric)[0], median(medians)
        low, high = prediction_interval(medians) or (centre, centre)
        band = self.tie_band * centre
        return min(low, centre - band) <= value <= max(high, centre + band)
