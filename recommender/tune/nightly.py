"""One night: measure the baseline's cells of this device class, judge, rerun the suspects, judge again, keep the night, and tell of all classes.

Every repetition is kept as it comes, so that a killed night goes on where it was. Other classes are told as their own nights stored them in the
same history.
"""

from __future__ import annotations

import datetime
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import inf, isfinite
from random import Random
from typing import Any

from recommender.domain.errors import ActionFailed, DeviceLost
from recommender.measure.race import DISTURBED
from recommender.measure.repetition import Repetition
from recommender.tune import regression
from recommender.tune.baseline import Baseline
from recommender.tune.history import History, Night
from recommender.tune.regression import INCONCLUSIVE, LOST, REGRESSION, RERUNS, SUSPECT, Cell, Entry, Finding, entry
from recommender.tune.sweep import process_metrics

FRESH = 36 * 3600.0  # seconds: older nights of other classes say nothing of tonight
RESUMED = 12 * 3600.0  # seconds after which a night that was cut off is given up
_FOR_ROUNDS = 0.75  # of the budget; the rest is for suspects
_IN_A_ROW = 3  # points lost one after the other: the device itself is gone
_ABSENT = ("lost", "unsupported")  # kinds that say nothing of the point: the device, its runtime or the artifact is missing
Take = Callable[[str, int], Repetition]


@dataclass(frozen=True, kw_only=True, slots=True)
class Settings:
    """`rounds`: fresh processes of every cell before suspects are rerun. budget [s] for all of it. rate: of false discoveries."""

    max_regression: float = 0.05
    rounds: int = 3
    rate: float = regression.RATE
    budget: float = inf
    seed: int = 0


@dataclass(kw_only=True)
class Nightly:
    """A night of one device class. take: (point, round) -> one repetition; clock: seconds that count for the budget; now: the date and time."""

    baseline: Baseline
    device_class: str
    history: History
    take: Take
    settings: Settings
    now: Callable[[], datetime.datetime]
    clock: Callable[[], float]
    say: Callable[[str], None] = lambda line: None
    taken: dict[str, list[Repetition]] = field(default_factory=dict)  # point -> its repetitions of tonight
    rerun: set[str] = field(default_factory=set)  # points
    is_gone: bool = False

    def run(self) -> dict[str, Any]:
        """The document of the night.

        Raises:
            ActionFailed: the history cannot be written. UsageError: it cannot be read.
        """
        self._cells = self.baseline.of_class(self.device_class)
        self._earlier = self.history.nights(self.device_class)
        self._series = _series(self._cells, self._earlier)
        self._began = self.clock()
        self._begin()
        points = list(dict.fromkeys(cell.point for cell in self._cells))
        for number in range(1, self.settings.rounds + 1):
            self._round(points, number, _FOR_ROUNDS)
        findings = self._rerun()
        rows = [self._row(cell, findings.get(cell), word, why) for cell, (word, why) in self._words(findings).items()]
        if kept := [row for row in rows if row["values"] or row["failures"]]:
            self.history.add({"night": self._night, "class": self.device_class, "began": self._started, "ended": self.now().timestamp(), "cells": kept})
            self._journal.done()
        return self._document(rows)

    # --- measuring -----------------------------------------------------------------------------------------------------

    def _begin(self) -> None:
        """A new night, or one that was cut off and goes on."""
        self._journal = self.history.journal(self.device_class)
        moment = self.now()
        begun = self._journal.entry("begun") or {}
        is_kept = begun.get("night") in {night["night"] for night in self._earlier}
        if is_kept or not 0 <= moment.timestamp() - begun.get("at", -inf) < RESUMED:
            if begun and not is_kept:
                self.history.notes.append(f"the night of {begun.get('night')} was cut off and never went on: it does not count")
            self._journal.done()
            begun = {"night": f"{moment:%Y-%m-%dT%H:%M:%SZ}", "at": moment.timestamp()}
            if self._cells:
                self._journal.keep("begun", begun)
        self._night, self._started = begun["night"], begun["at"]
        for each in self._journal.repetitions():
            self.taken.setdefault(each.candidate, []).append(each)
        if self.taken:
            self.say(f"going on with {sum(map(len, self.taken.values()))} repetitions of a night that was cut off")

    def _round(self, points: Iterable[str], number: int, share: float) -> None:
        """One process of every point that is still there, in random order; what an earlier run of this night took is not taken again."""
        order = sorted(points)
        Random(f"{self.settings.seed} {self._night} {number}").shuffle(order)
        in_a_row = 0
        for point in order:
            if any(each.round == number or each.kind in _ABSENT for each in self.taken.get(point, ())):
                continue
            if self.is_gone or self.clock() - self._began > share * self.settings.budget:
                return
            self.say(f"{point}, round {number}")
            found = self._repetition(point, number)
            in_a_row = in_a_row + 1 if found.kind in _ABSENT else 0
            self.is_gone = in_a_row >= _IN_A_ROW

    def _repetition(self, point: str, number: int) -> Repetition:
        """Take one and keep it. What is absent is not kept: a night that goes on tries again."""
        try:
            found = self.take(point, number)
        except (DeviceLost, ActionFailed) as error:
            found = Repetition(candidate=point, round=number, kind="lost", message=error.message)
        peak = {"peak_memory": found.raw["peak_memory"]} if found.raw.get("peak_memory") else {}
        found = replace(found, candidate=point, round=number, samples={name: list(values) for name, values in found.samples.items()}, raw=peak, facts={}, reproducer={})
        self.taken.setdefault(point, []).append(found)
        if found.kind in _ABSENT:
            self.say(f"{point}: {found.kind}: {found.message}")
        else:
            self._journal.keep_repetition(found)
        return found

    def _rerun(self) -> dict[Cell, Finding]:
        """Suspects, and what failed now and then, get more processes, interleaved, in turns; who is no suspect any more leaves."""
        findings, last = self._assess(), self.settings.rounds
        for n in RERUNS:
            suspects = {cell.point for cell in regression.suspects(findings.values(), self.settings.max_regression)} | self._unreliable()
            again = suspects & self.rerun if self.rerun else suspects
            for number in range(last + 1, last + n + 1):
                self._round(again, number, 1.0)
            last += n
            self.rerun |= {point for point in again if any(each.round > self.settings.rounds for each in self.taken.get(point, ()))}
            findings = self._assess() if again else findings
        return findings

    def _unreliable(self) -> set[str]:
        """Points that ran and failed in the same night."""
        return {point for point, found in self.taken.items() if any(each.ok for each in found) and any(not each.ok and each.kind not in _ABSENT for each in found)}

    # --- judging -------------------------------------------------------------------------------------------------------

    def _assess(self) -> dict[Cell, Finding]:
        return regression.assess({cell: [*self._series[cell], entry(*self._values(cell))] for cell in self._cells}, self.settings.max_regression)

    def _values(self, cell: Cell) -> tuple[list[float], int]:
        """Process figures of tonight, and how many are of the first rounds."""
        found = [(each.round, value) for each in self.taken.get(cell.point, ()) if each.ok and 0 < (value := process_metrics(each).get(cell.metric, 0.0)) < inf]
        found.sort(key=lambda row: row[0])
        first = sum(number <= self.settings.rounds for number, _ in found)
        return [value for _, value in found], max(1, first)

    def _words(self, findings: Mapping[Cell, Finding]) -> dict[Cell, tuple[str, str]]:
        """A word and, where the figures do not say it, a reason for every cell of this class."""
        rerun = {cell for cell in findings if cell.point in self.rerun}
        judged = regression.judge(list(findings.values()), self.settings.max_regression, rerun, self.settings.rate, beside=self._elsewhere())
        return {cell: self._word(cell, judged.get(cell)) for cell in self._cells}

    def _word(self, cell: Cell, judged: str | None) -> tuple[str, str]:
        found = self.taken.get(cell.point, [])
        failed = [each for each in found if not each.ok and each.kind not in _ABSENT]
        absent = next((each for each in found if each.kind in _ABSENT), None)
        if absent or (judged is None and not found and self.is_gone):
            return LOST, absent.message or absent.kind if absent else "the device was gone before it could be measured"
        if failed and 2 * len(failed) > len(found):
            return _word_of_failures(failed, len(found), counts=cell.point in self.rerun or len(failed) == len(found) > 1)
        if judged is None:
            return INCONCLUSIVE, f"it gave no {cell.metric}" if found else "the budget did not reach it"
        if judged == REGRESSION and self._is_disturbed(cell):
            return INCONCLUSIVE, "others used the machine, or it throttled, in most of its processes tonight"
        return judged, "its rerun was not reached" if judged == SUSPECT else ""

    def _is_disturbed(self, cell: Cell) -> bool:
        """Most processes of tonight, and not of the nights before."""
        before = [row.get("disturbed", 0) / max(1, len(row["values"])) for night in self._earlier for row in night["cells"] if (row["point"], row["metric"]) == (cell.point, cell.metric)]
        usual = sum(before) / len(before) if before else 0.0
        return self._disturbed(cell.point) > 0.5 >= usual

    def _disturbed(self, point: str) -> float:
        ok = [each for each in self.taken.get(point, ()) if each.ok]
        return sum(bool(DISTURBED & set(each.flags)) for each in ok) / max(1, len(ok))

    # --- telling -------------------------------------------------------------------------------------------------------

    def _row(self, cell: Cell, finding: Finding | None, word: str, why: str) -> dict[str, Any]:
        values, n_first = self._values(cell)
        found = self.taken.get(cell.point, [])
        return {
            **_unmeasured(cell, word, why), **({name: getattr(finding, name) for name in _FIGURES} if finding else {}), "night": self._night, "values": values, "n_first": n_first,
            "rerun": cell.point in self.rerun, "disturbed": round(self._disturbed(cell.point) * len(values)), "failures": dict(Counter(each.kind for each in found if not each.ok)),
        }

    def _elsewhere(self) -> list[float]:
        """p of the cells of other classes: they belong to the same night."""
        rows = [row for name in self.baseline.classes if name != self.device_class for row in (self._fresh(name) or {}).get("cells", ())]
        return [row["p"] if (row.get("worse") or 0.0) > 0 else 1.0 for row in rows if isinstance(row.get("p"), (int, float)) and isfinite(row["p"])]

    def _fresh(self, device_class: str) -> Night | None:
        """The newest night of a class, if it is of today."""
        nights = self.history.nights(device_class)
        newest = max(nights, key=lambda night: float(night["ended"]), default=None)
        return newest if newest and self.now().timestamp() - newest["ended"] < FRESH else None

    def _others(self) -> list[dict[str, Any]]:
        """Cells of other classes as their own nights judged them; those of a class that did not report are lost."""
        rows: list[dict[str, Any]] = []
        for name in self.baseline.classes:
            if name == self.device_class:
                continue
            night = self._fresh(name)
            known = {(row["point"], row["metric"]): row for row in night["cells"]} if night else {}
            for cell in self.baseline.of_class(name):
                row = known.get((cell.point, cell.metric))
                why = "" if row else f"no night of {name} in the last {FRESH / 3600:.0f} hours" if night is None else f"{name} did not measure it"
                rows.append({**_unmeasured(cell, LOST, why), "night": night["night"] if night else None, **(row or {})})
        return rows

    def _document(self, rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
        cells = sorted([*rows, *self._others()], key=lambda row: (regression.WORDS.index(row["word"]), -(row["worse"] or 0.0), row["class"], row["point"], row["metric"]))
        word, code = regression.word_of_night({row["word"] for row in cells})
        named = {key: [{name: row[name] for name in ("class", "point", "metric")} for row in cells if row["word"] == each] for key, each in _LISTS.items()}
        notes = [*self.history.notes, *(f"{metric} is not judged: a repetition does not tell it" for metric in self.baseline.left_out)]
        if not self._cells:
            notes.append(f"the baseline has nothing of this machine's class ({self.device_class}): nothing was measured here")
        return {
            "schema_version": 1, "baseline": {"file": self.baseline.name, "study": self.baseline.study.get("name"), "model": self.baseline.study.get("model"), "digest": self.baseline.digest},
            "night": self._night, "class": self.device_class, "max_regression": self.settings.max_regression, "rate": self.settings.rate, "rounds": self.settings.rounds,
            "nights_before": len(self._earlier), "cells": cells, **named, "verdict": _VERDICTS.get(word, "NO-REGRESSION"), "exit_code": code, "why": _why(cells, self.settings),
            "processes": sum(map(len, self.taken.values())), "rerun": sorted(self.rerun), "spent_s": self.clock() - self._began, "history": str(self.history.folder), "notes": notes,
        }


_FIGURES = ("change", "low", "high", "reference", "value", "worse", "p", "nights")
_LISTS = {"regressions": REGRESSION, "suspects": SUSPECT, "inconclusive": INCONCLUSIVE, "lost": LOST, "improved": regression.IMPROVED}
_VERDICTS = {REGRESSION: "REGRESSION", LOST: "DEVICE-LOST", INCONCLUSIVE: "INCONCLUSIVE", SUSPECT: "INCONCLUSIVE"}


def _unmeasured(cell: Cell, word: str, why: str) -> dict[str, Any]:
    """A cell of the document without a figure of this night."""
    known = {"class": cell.device_class, "point": cell.point, "metric": cell.metric, "better": cell.better, "baseline": cell.value, "word": word, "why": why}
    return {**known, **dict.fromkeys(_FIGURES), "values": [], "n_first": 0, "rerun": False, "disturbed": 0, "failures": {}}


def _why(cells: Sequence[Mapping[str, Any]], settings: Settings) -> str:
    counts = Counter(row["word"] for row in cells)
    parts = [f"{counts[word]} {word}" for word in regression.WORDS if counts[word] and word != regression.SAME]
    return f"{', '.join(parts) or 'none is worse'} of {len(cells)} {'cell' if len(cells) == 1 else 'cells'}; allowed {settings.max_regression:g}, false discoveries at most {settings.rate:g}"


def _word_of_failures(failed: Sequence[Repetition], n: int, *, counts: bool) -> tuple[str, str]:
    """A point that ran for the baseline and fails in most processes of tonight. `counts`: it was given the chance to do better."""
    kind, count = Counter(each.kind for each in failed).most_common(1)[0]
    message = next(each.message for each in failed if each.kind == kind)
    why = f"{kind} in {count} of {n} processes, which the baseline did not have" + (f": {message}" if message else "")
    if kind == "tool-bug":
        return INCONCLUSIVE, why
    return (REGRESSION if counts else SUSPECT), why


def _series(cells: Iterable[Cell], nights: Sequence[Night]) -> dict[Cell, list[Entry]]:
    """The earlier nights of every cell."""
    told = [{(row["point"], row["metric"]): row for row in night["cells"]} for night in nights]
    return {cell: [_entry_of(rows.get((cell.point, cell.metric))) for rows in told] for cell in cells}


def _entry_of(row: Mapping[str, Any] | None) -> Entry:
    return Entry(first=None, whole=None) if row is None else entry(row["values"], int(row.get("n_first") or 1), row["word"])
