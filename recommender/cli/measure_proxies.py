"""`recommend --model NAME --measure 60s` where no weights lie here: shape proxies of the best choices, measured before the answer is made."""

from __future__ import annotations

import shutil
import time
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from recommender.apply.proxies import expected_bytes, refusal
from recommender.cli import say
from recommender.cli.acting import decision_on
from recommender.cli.measure import keep_all
from recommender.domain.catalog import Catalog
from recommender.domain.errors import ActionFailed, RecommenderError, UsageError
from recommender.domain.measurement import Measurement
from recommender.domain.model import ModelSpec
from recommender.domain.target import Target
from recommender.estimate.extrapolate import depths
from recommender.measure import preflight
from recommender.measure.contenders import Choice, Left, contenders
from recommender.measure.proxy import measure_proxy, plan_of
from recommender.measure.proxy_report import measurement_of

ROUNDS = 2  # of both depths, each depth first once
_START = 1.5  # seconds that a process needs before it computes anything
_CALLS = 2.5  # requests of a process: one to warm up, and those that fit into a second
_WRITE = 250e6  # bytes/s, of a disk
_UNKNOWN = 5.0  # seconds a request is taken to last where nothing is known of its speed


def measured_by_proxies(model: ModelSpec, options: Mapping[str, Any], catalog: Catalog) -> None:
    """Measure as many choices as the time allows, different frameworks in turn; what was found is in the store.

    Raises:
        UsageError: another machine, or several requests at once. ActionFailed: nothing could be measured.
    """
    target, document = decision_on(model, {**options, "allow_below_floor": True}, catalog)  # what is only estimated to be too slow may not be
    if target.kind != "this-machine":
        raise UsageError(f"--target {options['target']}: only this machine can be measured from here by itself", hints=("recommend --target this-machine --measure 60s ...",))
    if many := [name for name in ("batch", "concurrency", "streams") if document["workload"][name] > 1]:
        raise UsageError(f"shape proxies are measured with one request at a time, and the workload has a {many[0]} of {document['workload'][many[0]]}")
    from recommender.intake.cache_folder import cache_dir

    work = Path(cache_dir()) / "work" / f"proxies-{uuid.uuid4().hex[:8]}"
    series = Series(model=model, target=target, catalog=catalog, workload=document["workload"], budget=options["budget"], work=work)
    rows = list(series.run(document["choices"]))
    shutil.rmtree(work, ignore_errors=True)
    if not rows:
        raise series.nothing()


@dataclass(kw_only=True)
class Series:
    """The choices of one answer, in turn, until the time is spent. `budget` [s]. `left`: choices that were not measured."""

    model: ModelSpec
    target: Target
    catalog: Catalog
    workload: Mapping[str, Any]
    budget: float
    work: Path
    left: list[Left] = field(default_factory=list)
    pace: float = 1.0  # seconds that the last choice took over those expected of it

    def run(self, choices: list[Choice]) -> Iterator[Measurement]:
        """Measurements as they come, each stored before the next begins."""
        end = time.monotonic() + self.budget
        spin = preflight.spin_policy(preflight.record(digest=self.target.fingerprint.digest)["foreign_load"] or 0.0)
        runnable, self.left = contenders(choices, self._refused)
        for choice in runnable:
            expected = self.pace * expected_seconds(choice, self.model, self.catalog, self.workload)
            if expected > end - time.monotonic():
                self.left.append(Left(id=choice["id"], reason=f"not reached: it would take about {expected:.0f} s", hint=f"recommend --measure {self.budget + expected:.0f}s ..."))
                continue
            if (found := self._measured(choice, spin)) is not None:
                yield found

    def _refused(self, choice: Choice) -> Left | None:
        """Why a choice has no proxy here."""
        name = choice["framework"]
        if choice["runnable_here"] is False:
            return Left(id=choice["id"], reason=f"{name} is not installed with {choice['execution_provider']}", hint=self.catalog.frameworks[name].install)
        if depths(self.model.n_layers or 0) is None:
            return Left(id=choice["id"], reason=f"{self.model.key} has too few layers for a proxy of some of them")
        why = refusal(name, self.model, self.catalog.schemes[choice["scheme"]])
        return Left(id=choice["id"], reason=why) if why else None

    def _measured(self, choice: Choice, spin: str) -> Measurement | None:
        from recommender.store.evidence import EvidenceStore

        began, started = time.monotonic(), time.time()
        try:
            found = measure_proxy(choice, self.model, self.workload, self.catalog, self.work / choice["id"].replace("/", "-"), say, rounds=ROUNDS, spin=spin)
        except RecommenderError as error:
            if error.exit_code == 5:
                raise
            say(f"{choice['id']}: {error.message}")
            self.left.append(Left(id=choice["id"], reason=error.message, hint=next(iter(error.hints), "")))
            return None
        self.pace = (time.monotonic() - began) / expected_seconds(choice, self.model, self.catalog, self.workload)
        row = measurement_of(choice, found, self.model, self.workload, self.target, started=started)
        keep_all(EvidenceStore(), [row], lambda: None)
        rate = found.metrics["decode_rate"]
        say(f"{choice['id']}: {rate.value:.3g} tok/s by shape proxies of {found.depths[0]} and {found.depths[1]} layers, in {sum(found.cost.values()):.0f} s")
        return row

    def nothing(self) -> ActionFailed:
        """Why not one choice was measured."""
        shown = "; ".join(dict.fromkeys(f"{row.id}: {row.reason}" for row in self.left[:3])) or "the answer has no choices"
        return ActionFailed(f"nothing could be measured without the weights of {self.model.key}; {shown}", hints=tuple(dict.fromkeys(row.hint for row in self.left if row.hint))[:3])


def expected_seconds(choice: Choice, model: ModelSpec, catalog: Catalog, workload: Mapping[str, Any]) -> float:
    """What a choice's proxies are expected to cost, by the estimates of the answer."""
    chosen, scheme = depths(model.n_layers or 0), catalog.schemes[choice["scheme"]]
    assert chosen and model.n_layers
    sizes = [expected_bytes(model, scheme, n) for n in chosen]
    whole = expected_bytes(model, scheme, model.n_layers)
    decode, ttft = ((choice["estimates"].get(metric) or {}).get("central") for metric in ("decode_rate", "ttft"))
    n_tokens = plan_of(workload)["output_tokens"]
    shares = [n / model.n_layers for n in chosen]
    prompt = ttft or _UNKNOWN
    tokens = n_tokens / decode if decode else _UNKNOWN
    requests = sum(_CALLS * (share * prompt + size / whole * tokens) for share, size in zip(shares, sizes, strict=True))
    return sum(sizes) / _WRITE + ROUNDS * (len(chosen) * _START + requests)
