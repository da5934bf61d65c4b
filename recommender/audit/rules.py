"""PURE: rules x cases -> records: how often the pick of a row was best or nearly so, what it cost where it was not, and a verdict.

A row decides a case when options that it places were measured and options that stand behind them too. Its pick is the best measured of its
own (what follows in the ranking chooses among equals); the best is looked for among the pick and what the row puts behind it. A row that a
better-sourced one overrides is judged as if it were not; `overruled` counts the cases where it is.

What is audited is what a row claims, and nothing else:

| row places | claim | over |
|---|---|---|
| frameworks, execution providers | speed | every one behind it |
| schemes | speed | those behind it that keep as many bits of weights and activations or more: who gives up precision must be faster |
| schemes | quality | those behind it that keep fewer: they may well be faster. At equal bits the expected loss tells which of both it is |
| units | power | every one behind it; the speed is shown but not claimed (the ranking settles twice the speed before it looks at units) |

Rows that rule out, warn or set options choose nothing that could be compared; they have no record.

Verdict, from the share of cases where the pick was best or within the tolerance (5 % of speed or power, 1 % of quality, the step of the
ranking), with the 90 % interval of a bootstrap that draws chips and models with replacement, both at once (the pigeonhole bootstrap: Owen,
"The pigeonhole bootstrap", Annals of Applied Statistics 2007), since rows of one chip, and of one model, go the same way:
`too-few` below 5 pairs of device and model, 3 chips or 3 models, or where the interval holds one half; `contradicted` where all of it lies below one
half, and then the median regret is above the tolerance; `supported` where all of it lies above.
"""

from __future__ import annotations

import math
import random
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from statistics import median

from recommender.audit.cases import LOSS, POWER, Case, Option
from recommender.decide.tables import Attributes, evaluate
from recommender.domain.catalog import Audit, Tally
from recommender.domain.rule import DecisionTable, Rule

PLACED = {"frameworks": "frameworks", "providers": "frameworks", "schemes": "schemes", "losses": "schemes", "units": "units"}  # kind of case -> effect
UNPLACED = 9.0  # behind every place, as in the ranking
TOLERANCE = {"speed": 0.05, "power": 0.05, "quality": 0.01}
MIN_PAIRS, MIN_CHIPS, MIN_MODELS = 5, 3, 3
RESAMPLES, TAIL = 500, 0.05


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """One case that a row decides. regret: best over pick, minus one (0 where the pick is best)."""

    rule: str
    claim: str
    is_claimed: bool
    case: Case
    pick: Option
    best: Option
    overruled: bool

    @property
    def regret(self) -> float:
        return self.best.score / self.pick.score - 1.0


def audit(tables: Iterable[DecisionTable], cases: Iterable[Case]) -> dict[str, tuple[Audit, ...]]:
    """Rule id -> what was found of its claims, for rows that decide at least one case; in the order of the tables."""
    tables = tuple(tables)
    readers = {effect: _Places(tables, effect) for effect in set(PLACED.values())}
    found: dict[str, dict[str, list[Outcome]]] = {}
    for case in cases:
        for outcome in outcomes(case, readers[PLACED[case.kind]]):
            found.setdefault(outcome.rule, {}).setdefault(outcome.claim, []).append(outcome)
    ids = [rule.id for table in tables for rule in table.rules]
    return {rule: tuple(_audited(rows) for _, rows in sorted(found[rule].items())) for rule in ids if rule in found}


def outcomes(case: Case, places: _Places) -> list[Outcome]:
    """What each row that fires on the case's devices decides; on several kinds of machine the first where it decides speaks."""
    found: dict[str, Outcome] = {}
    devices = {option.device for option in case.options}
    for host in case.hosts:
        fired = {device: places.fired(host[device], models_only=case.metric == LOSS) for device in devices}
        for rule in sorted({rule for rows in fired.values() for rule in rows} - set(found)):
            if outcome := _decided(places.rules[rule], case, fired, places):
                found[rule] = outcome
    return list(found.values())


def _decided(rule: Rule, case: Case, fired: Mapping[str, tuple[str, ...]], places: _Places) -> Outcome | None:
    place = float(rule.then.get("place", UNPLACED))
    numbers = [(option, places.place(option, places.in_view(rule.id, fired[option.device]))) for option in case.options]
    own = [option for option, number in numbers if number == place and rule.id in fired[option.device] and places.lists(rule, option)]
    if not own:
        return None
    pick = max(own, key=lambda option: option.score)
    behind = [option for option, number in numbers if number > place and _is_rival(option, pick, own, case.kind)]
    if not behind:
        return None
    claim = {LOSS: "quality", POWER: "power"}.get(case.metric, "speed")
    return Outcome(
        rule=rule.id, claim=claim, is_claimed=case.kind != "units" or claim == "power", case=case, pick=pick,
        best=max((pick, *behind), key=lambda option: option.score),
        overruled=not any(rule.id in places.effective(rows) for rows in fired.values()),
    )


def _is_rival(option: Option, pick: Option, own: list[Option], kind: str) -> bool:
    """Whether the row claims something over this option that stands behind its pick (the module's table)."""
    if kind == "frameworks":
        return option.framework not in {other.framework for other in own}
    if kind in ("providers", "units"):
        return True
    return _keeps(option, pick) > 0 if kind == "schemes" else _keeps(option, pick) < 0


def _keeps(option: Option, pick: Option) -> float:
    """Above zero where an option keeps more precision than the pick, below where less, zero where that is not known.

    By bits; by the expected losses where the bits are equal or one keeps more of the weights, the other of the activations.
    """
    weights, activations = option.bits[0] - pick.bits[0], option.bits[1] - pick.bits[1]
    if weights * activations >= 0 and (weights or activations):
        return weights + activations
    return 0.0 if option.loss is None or pick.loss is None else pick.loss - option.loss


class _Places:
    """Which rows fire for attributes, and the place that rows give an option; both are remembered, since they repeat. Rows are told by their ids."""

    def __init__(self, tables: Iterable[DecisionTable], effect: str):
        self._effect = effect
        asked = [table for table in tables if table.scope == "device" and any(effect in rule.then for rule in table.rules)]
        active = [[rule for rule in table.rules if rule.status == "active"] for table in asked]
        self.rules: Mapping[str, Rule] = {rule.id: rule for rules in active for rule in rules}
        self._read = sorted({name for rule in self.rules.values() for name in rule.when})
        self._better = {
            rule.id: frozenset(other.id for other in rules if other is not rule and any(fnmatchcase(rule.id, glob) for glob in other.overrides))
            for rules in active for rule in rules
        }
        self._fired: dict[object, tuple[str, ...]] = {}
        self._views: dict[object, tuple[str, ...]] = {}
        self._numbers: dict[object, float] = {}

    def fired(self, read: Attributes, *, models_only: bool) -> tuple[str, ...]:
        """Rows that fire; with `models_only` every condition that does not speak of the model is taken to hold."""
        key = (models_only, *(str(read.get(name, (None,))[0]) for name in self._read))
        if key not in self._fired:
            whens = {rule.id: {n: c for n, c in rule.when.items() if n.startswith("model.")} if models_only else rule.when for rule in self.rules.values()}
            self._fired[key] = tuple(name for name, when in whens.items() if evaluate(when, read))
        return self._fired[key]

    def effective(self, fired: tuple[str, ...]) -> tuple[str, ...]:
        """Those of the fired rows that no other of them overrides."""
        return self._view(fired, frozenset())

    def in_view(self, rule: str, fired: tuple[str, ...]) -> tuple[str, ...]:
        """The rows that count where this one does: fired, not overridden, and without those that override it."""
        return self._view(fired, self._better.get(rule, frozenset()))

    def _view(self, fired: tuple[str, ...], without: frozenset[str]) -> tuple[str, ...]:
        key = (fired, without)
        if key not in self._views:
            left = set(fired) - without
            self._views[key] = tuple(name for name in fired if name in left and not self._better[name] & left)
        return self._views[key]

    def place(self, option: Option, rows: tuple[str, ...]) -> float:
        """The best place that one of the rows gives an option."""
        key = (rows, option.framework, option.execution_provider, option.scheme, option.device_kind)
        if key not in self._numbers:
            listing = (self.rules[name] for name in rows if self.lists(self.rules[name], option))
            self._numbers[key] = min((float(rule.then["place"]) for rule in listing), default=UNPLACED)
        return self._numbers[key]

    def lists(self, rule: Rule, option: Option) -> bool:
        """Whether the row gives this option a place."""
        then = rule.then
        name = {"frameworks": option.framework, "schemes": option.scheme, "units": option.device_kind}[self._effect]
        is_path = option.execution_provider in then.get("execution_providers", (option.execution_provider,))
        is_framework = self._effect == "frameworks" or option.framework in then.get("for_frameworks", (option.framework,))
        return name in then.get(self._effect, ()) and is_path and is_framework


def _audited(rows: list[Outcome]) -> Audit:
    """All outcomes of one row and claim."""
    classes: dict[str, list[Outcome]] = {}
    for row in rows:
        classes.setdefault(row.case.class_, []).append(row)
    tolerance = TOLERANCE[rows[0].claim]
    return Audit(
        claim=rows[0].claim, tolerance=tolerance, is_claimed=rows[0].is_claimed, overruled=sum(row.overruled for row in rows), overall=_tally(rows, tolerance),
        classes={name: _tally(found, tolerance) for name, found in sorted(classes.items())},
    )


def _tally(rows: list[Outcome], tolerance: float) -> Tally:
    cells: dict[tuple[str, str], tuple[int, int, float]] = {}
    for row in rows:
        cell = (row.case.chip, row.case.model)
        hits, count, total = cells.get(cell, (0, 0, 0.0))
        cells[cell] = (hits + (row.regret <= tolerance), count + 1, total + math.log1p(row.regret))
    (low, high), (least, most) = _intervals(cells)
    pairs = {(row.case.device, row.case.model) for row in rows}
    regrets = [row.regret for row in rows]
    return Tally(
        verdict=_verdict(low, high, len(pairs), len({chip for chip, _ in cells}), len({model for _, model in cells})), cases=len(rows),
        hits=sum(hits for hits, _, _ in cells.values()),
        devices=len({device for device, _ in pairs} - {""}), models=len({model for _, model in pairs}), low=_rounded(low), high=_rounded(high),
        median_regret=_rounded(median(regrets)), mean_regret=_rounded(_mean(regrets)), mean_low=_rounded(least), mean_high=_rounded(most),
    )


def _rounded(value: float) -> float:
    return round(value, 4)


def _verdict(low: float, high: float, pairs: int, chips: int, models: int) -> str:
    if pairs < MIN_PAIRS or chips < MIN_CHIPS or models < MIN_MODELS:
        return "too-few"
    return "contradicted" if high < 0.5 else "supported" if low > 0.5 else "too-few"


def _mean(regrets: list[float]) -> float:
    """Geometric: of ratios."""
    return math.expm1(sum(math.log1p(regret) for regret in regrets) / len(regrets))


def _intervals(cells: Mapping[tuple[str, str], tuple[int, int, float]]) -> tuple[tuple[float, float], tuple[float, float]]:
    """Of share and geometric mean regret: chips and models drawn with replacement, always in the same way.

    Args:
        cells: (chip, model) -> hits, cases, sum of log(1 + regret). A cell counts as often as its chip was drawn times as often as its model.
    """
    draw = random.Random(0)
    chips, models = sorted({chip for chip, _ in cells}), sorted({model for _, model in cells})
    figures = [(chip, model, *found) for (chip, model), found in sorted(cells.items())]
    shares, means = [], []
    for _ in range(RESAMPLES):
        of_chip, of_model = Counter(draw.choices(chips, k=len(chips))), Counter(draw.choices(models, k=len(models)))
        hits, cases, total = 0, 0, 0.0
        for chip, model, hit, count, logs in figures:
            if times := of_chip[chip] * of_model[model]:
                hits, cases, total = hits + times * hit, cases + times * count, total + times * logs
        if cases:  # it may be that no chip that was drawn was measured with a model that was
            shares.append(hits / cases)
            means.append(math.expm1(total / cases))
    return _ends(shares), _ends(means)


def _ends(values: list[float]) -> tuple[float, float]:
    ordered = sorted(values)
    last = len(ordered) - 1
    return ordered[round(TAIL * last)], ordered[round((1 - TAIL) * last)]
