"""PURE: measured cases -> contests: which framework, or which scheme of a framework, was fastest for one model on one unit.

Two kinds of question, as the rule tables put them:

| question | names that compete | equal |
|---|---|---|
| `frameworks on K` | frameworks | device, model, test, bits |
| `schemes of F on K` | schemes within the quality gate of the ranking | device, model, test, framework, execution provider |

K is the kind of unit: what can be known of a unit hangs on it.

The regret of a name is log(best speed / its speed): 0 for the best, and additive where ratios multiply.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from recommender.audit.cases import POWER, Case, Option
from recommender.decide.tables import Attributes
from recommender.domain.catalog import Catalog

FRAMEWORKS, SCHEMES = "frameworks", "schemes"  # effects of rows, and kinds of cases


@dataclass(frozen=True, kw_only=True, slots=True)
class Question:
    """What a tree answers. effect: of the rows that answer it, `frameworks` or `schemes`. framework: whose schemes, else empty."""

    effect: str
    device_kind: str
    framework: str = ""

    @property
    def name(self) -> str:
        return f"{self.effect} of {self.framework} on {self.device_kind}" if self.framework else f"{self.effect} on {self.device_kind}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Way:
    """One measured way. regret: log(best speed of the contest / its own)."""

    name: str
    framework: str
    execution_provider: str
    regret: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Contest:
    """Ways with at least two names. `attributes`: what rules may read, on the first kind of machine that has the device.

    chip: devices that are one piece of silicon share it.
    """

    question: Question
    source: str
    model: str
    device: str
    chip: str
    attributes: Attributes
    ways: tuple[Way, ...]

    @property
    def regrets(self) -> Mapping[str, float]:
        """Name -> regret of its best way: what follows in the ranking chooses among the ways of one name."""
        found: dict[str, float] = {}
        for way in self.ways:
            found[way.name] = min(way.regret, found.get(way.name, math.inf))
        return found

    @property
    def stake(self) -> float:
        """Mean regret of all names: what a blind choice costs."""
        return sum(self.regrets.values()) / len(self.regrets)


def contests(cases: Iterable[Case], source: str, catalog: Catalog) -> Iterator[Contest]:
    """The contests in cases of one source."""
    gate = next((key.band for key in catalog.ranking if key.measure == "quality_gate"), math.inf)
    for case in cases:
        if case.kind == FRAMEWORKS:
            found = _contest(case, Question(effect=FRAMEWORKS, device_kind=case.options[0].device_kind), case.options, source)
        elif case.kind == SCHEMES and case.metric != POWER:
            sound = tuple(option for option in case.options if option.loss is not None and option.loss <= gate)
            found = _contest(case, Question(effect=SCHEMES, device_kind=case.options[0].device_kind, framework=case.options[0].framework), sound, source)
        else:
            found = None
        if found is not None:
            yield found


def _contest(case: Case, question: Question, options: tuple[Option, ...], source: str) -> Contest | None:
    names = [option.framework if question.effect == FRAMEWORKS else option.scheme for option in options]
    if len(set(names)) < 2:
        return None
    best = max(option.score for option in options)
    ways = tuple(
        Way(name=name, framework=option.framework, execution_provider=option.execution_provider, regret=math.log(best / option.score))
        for name, option in zip(names, options, strict=True)
    )
    return Contest(
        question=question, source=source, model=case.model, device=case.device, chip=case.chip, attributes=case.hosts[0][options[0].device], ways=ways,
    )
