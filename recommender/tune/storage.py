"""The shared record of a sweep: an Optuna study whose trials are claims with a lease, on one machine or on many.

A trial is created at once with all that it claims (point, round, worker, lease), so that of two workers that claim the same the one with the lower
number has it and the other gives its own back. A claim whose lease ran out is ended, then it is anybody's again; so is, at once, that of a process
that ended on this very machine. Optuna's heartbeat does not serve ask and tell: the lease is ours and works on every storage. Workers compare
deadlines by their clocks: machines of a sweep must agree to within half a lease.
"""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from recommender.domain.errors import UsageError
from recommender.tune.backends import LONGEST_PAUSE, Patience, storage_of
from recommender.tune.worker import is_gone, worker_name

LEASE = 120.0  # seconds; renewed by the worker that holds it
PATIENCE = 600.0  # seconds that a storage may be away
_AT_FIRST = 10.0  # seconds that it may be away when it is opened: then it is more likely a wrong address
_GRACE = 2 * LONGEST_PAUSE  # seconds after a storage came back in which those who waited for it tell what they have
_KEY, _WORKER, _DEADLINE, _NONCE, _OUTCOME, _WHY, _PARAMETERS = "key", "worker", "deadline", "nonce", "outcome", "why", "parameters"
_SAME = ("model", "model_hash", "objectives", "workload", "class")  # what makes a sweep this one
BESIDE = "artifacts:"  # begins the names of studies that are no sweeps: who makes what for whom
_OTHER_VALUES = "dynamic value space"  # Optuna's words for a parameter whose set of values is another one than before
LAPSED = "its lease ran out: the worker died or hangs"
TAKEN = "another worker had it first"


@dataclass(frozen=True, kw_only=True, slots=True)
class Claim:
    """A point in a round that this worker measures."""

    trial_id: int
    number: int
    point: str
    round: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """A trial as the record holds it. `outcome`: what `tell` was given; `values`: of the objectives, () when there are none."""

    number: int
    state: str
    point: str
    round: int
    params: Mapping[str, Any]
    worker: str = ""
    deadline: float = 0.0
    values: tuple[float, ...] = ()
    why: str = ""
    outcome: Mapping[str, Any] = field(default_factory=dict)


class Record:
    """One study of a storage, as one worker sees it. Every call outlives a storage that is away for up to `patience` seconds.

    `meta`: what the study was begun with. `first`: number of the first trial since the sweep last came to its end; what follows it is to be gone on with.

    Raises:
        UsageError: `name` is of another sweep.
    """

    def __init__(
        self, url: str, name: str, *, directions: Sequence[str], meta: Mapping[str, Any], worker: str = "", lease: float = LEASE, patience: float = PATIENCE,
        say: Callable[[str], None] = lambda line: None, clock: Callable[[], float] = time.time, pause: Callable[[float], None] = time.sleep,
    ):
        import optuna

        self.url, self.name, self.lease = url, name, lease
        self.worker = worker or worker_name()
        self._clock = clock
        self._patiently = Patience(url, patience, say, clock, pause)
        self._storage = storage_of(url)
        wanted: list[Any] = ["maximize" if better == "up" else "minimize" for better in directions]
        self._study = self._patiently(lambda: optuna.create_study(storage=self._storage, study_name=name, directions=wanted, load_if_exists=True), min(_AT_FIRST, patience))
        self._id = self._study._study_id
        self._domains: dict[str, Any] = {}  # of parameters, as the study has them
        self._finished: dict[int, Row] = {}  # they do not change any more
        self.meta = self._same(dict(meta))
        self.first = int(self.kept("ended") or 0)

    def _same(self, meta: dict[str, Any]) -> dict[str, Any]:
        """What the study was begun with; the first worker writes it, and reads it again: another one may have written it meanwhile."""
        found: dict[str, Any] | None = self.kept("meta")
        if found is None:
            self.keep("meta", meta)
            return self._same(meta)
        for name in _SAME:
            if name in meta and found.get(name) != meta[name]:
                raise UsageError(f"--study `{self.name}` is another sweep: its {name} is {found.get(name)}, not {meta[name]}", hints=("--study ANOTHER-NAME",))
        return found

    def kept(self, name: str) -> Any:
        """What `keep` was given; None where it was not."""
        return self.all_kept().get(name)

    def all_kept(self) -> dict[str, Any]:
        """By name."""
        return dict(self._patiently(lambda: self._study.user_attrs))

    def keep(self, name: str, value: Any) -> None:
        """Something of the study as a whole, for all its workers."""
        self._patiently(lambda: self._study.set_user_attr(name, value))

    def end(self) -> None:
        """The sweep came to its end: when it is run again it has its budget anew."""
        self.keep("ended", len(self._trials()))

    # --- claims ------------------------------------------------------------------------------------------------------

    def claim(self, point: str, round: int, params: Mapping[str, str], domains: Mapping[str, Sequence[str]]) -> Claim | None:
        """This point in this round for this worker; None when it is done or somebody else has it."""
        from optuna.trial import TrialState

        key = f"{point}#{round}"
        attributes = {_PARAMETERS: dict(params), _KEY: key, _WORKER: self.worker, _NONCE: uuid.uuid4().hex}
        for attempt in (1, 2):
            trials = self._trials()
            if any(_holds(trial, key) for trial in trials):
                return None
            try:
                trial_id = self._created(self._template({**attributes, _DEADLINE: self._clock() + self.lease}, params, domains, trials))
                break
            except Exception as error:  # as the storage, or a proxy before it, says it
                if attempt == 2 or _OTHER_VALUES not in str(error):
                    raise
        trials = self._trials()
        own = next(trial for trial in trials if trial._trial_id == trial_id)
        claim = Claim(trial_id=trial_id, number=own.number, point=point, round=round)
        if own.state == TrialState.RUNNING and not any(_holds(trial, key) for trial in trials if trial.number < own.number):
            return claim
        self.tell(claim, None, state="PRUNED", why=TAKEN)
        return None

    def _template(self, attributes: Mapping[str, Any], params: Mapping[str, str], domains: Mapping[str, Sequence[str]], trials: Sequence[Any]) -> Any:
        """A storage takes one set of values for each parameter of a study: that of its first trial. Machines of a class may differ in what they can run:
        values beyond it are kept with the trial all the same, but not as Optuna's parameters."""
        from optuna.distributions import CategoricalDistribution
        from optuna.trial import TrialState, create_trial

        for name in params.keys() - self._domains.keys():
            first = next((trial for trial in trials if name in trial.distributions), None)
            if first is not None:
                self._domains[name] = first.distributions[name]
        found = {name: self._domains.get(name) or CategoricalDistribution(tuple(domains[name])) for name in params}
        shown = {name: value for name, value in params.items() if value in found[name].choices}
        return create_trial(state=TrialState.RUNNING, params=shown, user_attrs=dict(attributes), distributions={name: found[name] for name in shown})

    def _created(self, template: Any) -> int:
        """A creation whose answer was lost is found by its nonce: it is not made twice."""
        attempts = 0

        def create() -> int:
            nonlocal attempts
            attempts += 1
            lost = (trial for trial in self._read() if trial.user_attrs.get(_NONCE) == template.user_attrs[_NONCE]) if attempts > 1 else iter(())
            known = next(lost, None)
            return int(known._trial_id if known else self._storage.create_new_trial(self._id, template_trial=template))

        return self._patiently(create)

    def renew(self, claim: Claim) -> None:
        """Put the deadline off by a lease; a storage that is away is no matter."""
        try:
            self._storage.set_trial_user_attr(claim.trial_id, _DEADLINE, self._clock() + self.lease)
        except Exception:  # noqa: BLE001  the next renewal or `tell` will see
            return

    @contextmanager
    def leased(self, claim: Claim) -> Iterator[None]:
        """The lease is renewed meanwhile."""
        done = threading.Event()

        def renew() -> None:
            while not done.wait(self.lease / 3):
                self.renew(claim)

        thread = threading.Thread(target=renew, daemon=True)
        thread.start()
        try:
            yield
        finally:
            done.set()
            thread.join()

    def tell(self, claim: Claim, values: Sequence[float] | None, *, state: str = "COMPLETE", why: str = "", outcome: Mapping[str, Any] | None = None) -> bool:
        """End a claim: COMPLETE with values, FAIL or PRUNED with why. False when it had ended before: its lease had lapsed and it was taken away."""
        from optuna.exceptions import UpdateFinishedTrialError
        from optuna.trial import TrialState

        attempts = 0

        def write() -> bool:
            nonlocal attempts
            attempts += 1
            try:
                if why:
                    self._storage.set_trial_user_attr(claim.trial_id, _WHY, why)
                if outcome is not None:
                    self._storage.set_trial_user_attr(claim.trial_id, _OUTCOME, dict(outcome))
                return bool(self._storage.set_trial_state_values(claim.trial_id, TrialState[state], list(values) if values is not None else None))
            except UpdateFinishedTrialError:  # taken away; or written before, and the answer was lost
                found = self._storage.get_trial(claim.trial_id)
                return attempts > 1 and found.state.name == state and (state == "COMPLETE" or found.user_attrs.get(_WHY, "") == why)

        return self._patiently(write)

    def give_back_lapsed(self) -> list[str]:
        """End the claims whose lease ran out, or whose process ended on this machine; the points are anybody's again. Returns those points."""
        found = []
        for trial in self._trials():
            if trial.state.name == "RUNNING" and self._is_lapsed(trial.user_attrs):
                row = _row(trial)
                if self.tell(Claim(trial_id=trial._trial_id, number=row.number, point=row.point, round=row.round), None, state="FAIL", why=LAPSED):
                    found.append(row.point)
        return found

    def _is_lapsed(self, told: Mapping[str, Any]) -> bool:
        """While a storage is away nobody can renew: who waited for it is given the time to tell."""
        if is_gone(str(told.get(_WORKER, ""))):
            return True
        back = self._patiently.back
        grace = 0.0 if back is None else back + min(_GRACE, self.lease)
        return max(float(told.get(_DEADLINE, 0.0)), grace) <= self._clock()

    # --- reading -----------------------------------------------------------------------------------------------------

    def rows(self) -> list[Row]:
        """All trials, by number."""
        found = []
        for trial in self._trials():
            row = self._finished.get(trial.number) or _row(trial)
            if trial.state.is_finished():
                self._finished[trial.number] = row
            found.append(row)
        return found

    def _trials(self) -> list[Any]:
        return self._patiently(self._read)

    def _read(self) -> list[Any]:
        return list(self._storage.get_all_trials(self._id, deepcopy=False))


def _holds(trial: Any, key: str) -> bool:
    """Whether a trial is done with, or at work on, what `key` says. One that was given back and one that came second are not."""
    told = trial.user_attrs
    return told.get(_KEY) == key and (trial.state.name in ("RUNNING", "COMPLETE") or (trial.state.name == "FAIL" and told.get(_WHY) != LAPSED))


def names(url: str) -> list[str]:
    """Names of the sweeps in a storage, each with its class."""
    import optuna

    return [name for name in optuna.get_all_study_names(storage_of(url)) if not name.startswith(BESIDE)]


def rows_of(url: str, name: str) -> tuple[dict[str, Any], list[Row]]:
    """What a study was begun with, with what its last end was told as under `last`, and its trials; nothing is written."""
    import optuna

    study = optuna.load_study(study_name=name, storage=storage_of(url))
    told = study.user_attrs
    return {**told.get("meta", {}), "last": told.get("last", {})}, [_row(trial) for trial in study.get_trials(deepcopy=False)]


def _row(trial: Any) -> Row:
    """Of one that was given back nothing counts, also what its worker had begun to tell; one that is complete has no reason."""
    told, state = trial.user_attrs, trial.state.name
    point, _, round = str(told.get(_KEY, "")).rpartition("#")
    why = "" if state == "COMPLETE" else str(told.get(_WHY, ""))
    return Row(
        number=trial.number, state=state, point=point, round=int(round or 0), params=dict(told.get(_PARAMETERS, trial.params)), worker=str(told.get(_WORKER, "")),
        deadline=float(told.get(_DEADLINE, 0.0)), values=tuple(trial.values or ()), why=why, outcome={} if why == LAPSED else told.get(_OUTCOME, {}),
    )
