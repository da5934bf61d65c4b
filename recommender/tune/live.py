"""Points measured on this machine, by the protocol that measures everything else."""

from __future__ import annotations

import hashlib
import shutil
import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from recommender.apply.artifacts import Made
from recommender.domain.errors import DeviceLost, ExecutorUnavailable, StepFailed, UsageError
from recommender.measure import gate
from recommender.measure.campaign import Campaign
from recommender.measure.repetition import Repetition
from recommender.measure.take import Run, options_of, take
from recommender.tune.bench import Judged
from recommender.tune.exchange import Exchange
from recommender.tune.space import Point

_CHANGES_OUTPUT = ("kv_cache_type", "precision", "dynamic_quantization_group_size")  # settings that a gate must see; all others only change speed
_POLL = 1.0  # seconds between looks at what another worker is at
SECONDS = {"quick": 3.0, "normal": 12.0, "strict": 40.0}  # that a repetition is allowed


class Live:
    """A `Bench`. `campaign` brings the answer, the weights, the data and where everything lies; `exchange` the artifacts that other machines make."""

    def __init__(self, campaign: Campaign, *, spin: str, seconds: float | None = None, exchange: Exchange | None = None):
        self._campaign, self._spin, self._exchange = campaign, spin, exchange
        self._choices = {choice["id"]: choice for choice in campaign.subject.document["choices"]}
        self._made: dict[str, Made] = {}
        self._judged: dict[tuple[Any, ...], Judged] = {}
        mode = campaign.settings.mode
        self.plan: dict[str, Any] = {**campaign.plan(1), "seconds": seconds or SECONDS[mode]}

    def clock(self) -> float:
        return time.monotonic()

    def idle(self) -> None:
        if self._exchange:
            self._exchange.serve()
        time.sleep(_POLL)

    def choice_of(self, point: Point) -> dict[str, Any]:
        """The answer's choice with the point's settings."""
        choice = self._choices[point.choice]
        return {**choice, "options": {**choice["options"], **{name: value for name, value in point.settings.items() if name != "spin"}}}

    def judge(self, point: Point) -> Judged:
        if self._exchange:
            self._exchange.serve()
        key = (point.choice, *(point.settings.get(name) for name in _CHANGES_OUTPUT))
        if key not in self._judged:
            self._judged[key] = self._judge(point)
        return self._judged[key]

    def _judge(self, point: Point) -> Judged:
        choice = self.choice_of(point)
        try:
            make = self._exchange.made if self._exchange else self._campaign.make
            made = self._made[point.choice] = self._made.get(point.choice) or make(choice)
        except (StepFailed, ExecutorUnavailable, UsageError) as error:
            return Judged(refusal=error.message, kind=getattr(error, "kind", "unsupported"))
        return self._gated(choice, made)

    def _gated(self, choice: dict[str, Any], made: Made) -> Judged:
        told = gate.judge(self._campaign, [choice], {choice["id"]: made})[choice["id"]]
        if told["verdict"] == "lost":
            raise DeviceLost(told["reason"])
        quality = {key: value for key, value in told["quality"].items() if key != "facts"}
        if told["verdict"] in ("fail", "anomalous"):
            return Judged(refusal=f"gate: {told['reason']}", kind="wrong-output", artifact=made.hash, quality=quality)
        drop = (told["quality"].get("quality_drop") or {}).get("value")
        metrics = {"file_size": float(made.size), **({"quality_drop": float(drop)} if drop is not None else {})}
        return Judged(metrics=metrics, artifact=made.hash, quality=quality)

    def take(self, point: Point, round: int) -> Repetition:
        found = take(self.run_of(point), round)
        shutil.rmtree(self._folder(point), ignore_errors=True) if found.ok else None
        return replace(found, candidate=point.id)

    def run_of(self, point: Point) -> Run:
        """Raises KeyError before the point was judged."""
        choice = self.choice_of(point)
        return Run(
            candidate=point.id, runner=choice["framework"], artifact=self._made[point.choice].path, folder=self._folder(point), options=options_of(choice),
            plan=self.plan, mode=self._campaign.settings.mode, spin=str(point.settings.get("spin", self._spin)),
        )

    def _folder(self, point: Point) -> Any:
        """Short and valid everywhere: an id holds what file names may not."""
        return self._campaign.work / hashlib.sha256(point.id.encode()).hexdigest()[:16]

    @property
    def made(self) -> Mapping[str, Made]:
        """Artifacts by choice, as far as they were needed."""
        return self._made

