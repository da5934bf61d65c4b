"""Proposals of an Optuna sampler over a space, from what the whole sweep has found so far.

The sampler works on a study of its own in memory, which is fed from the shared record: proposing writes nothing that another worker sees.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from typing import Any

from recommender.tune.backends import quiet
from recommender.tune.space import Point, Space
from recommender.tune.storage import Row

SAMPLERS = ("auto", "tpe", "gp", "nsga2", "random")
_POPULATION = 16  # of a generation
_MUTATION = 0.2  # of a parameter; by default one in their number, and only the choice is common to all trials
_GENERATION = "NSGAIISampler:generation"  # where Optuna keeps the generation of a trial
_GP_TRIALS = 100  # beyond so many a Gaussian process costs more than it finds
_MOST = 300  # trials that a sampler is told of, the best and the newest: what a proposal costs grows with them


def sampler_for(asked: str, n_objectives: int, n_trials: int) -> str:
    """The kind: NSGA-II for several objectives, a Gaussian process for few trials, else TPE."""
    if asked != "auto":
        return asked
    return "nsga2" if n_objectives > 1 else "gp" if n_trials <= _GP_TRIALS and _has_gaussian_process() else "tpe"


def _has_gaussian_process() -> bool:
    """Optuna's needs PyTorch and SciPy, which nothing else here does."""
    return all(find_spec(name) for name in ("torch", "scipy"))


class Proposals:
    """`seed` and the number of finished trials determine what is proposed: a sweep that was cut off goes on as it would have."""

    def __init__(self, space: Space, kind: str, *, better: Sequence[str], seed: int):
        import optuna

        quiet()
        self._optuna, self._space, self._kind, self._seed = optuna, space, kind, seed
        self._points = {_key(point.parameters): point for point in space.points}
        self._choices = list(space.domains["choice"])
        self._named = {choice: space.settings_of(choice) for choice in self._choices}
        self._directions: list[Any] = ["maximize" if each == "up" else "minimize" for each in better]
        self._told: list[Any] = []
        self._seen: set[int] = set()
        self._begin()

    def _begin(self) -> None:
        self._study = self._optuna.create_study(directions=self._directions)
        self._study.add_trials(self._told)

    def learn(self, rows: Sequence[Row]) -> None:
        """Finished trials of the record, each once."""
        for row in rows:
            if row.state == "COMPLETE" and row.values and row.number not in self._seen and self._is_of_space(row):
                self._seen.add(row.number)
                distributions = {name: self._distribution(name) for name in row.params}
                self._tell(self._optuna.trial.create_trial(
                    params=dict(row.params), distributions=distributions, values=list(row.values),
                    system_attrs=self._marks(row),
                ))  # fmt: skip

    def _marks(self, row: Row) -> dict[str, Any]:
        """What Optuna's samplers read of a trial beside its values: by how much needs are missed, and for a genetic one its generation."""
        missed = [float(value) for value in row.outcome.get("violations", ())]
        generation = {_GENERATION: (len(self._seen) - 1) // _POPULATION} if self._kind == "nsga2" else {}
        return {**({"constraints": missed} if missed else {}), **generation}

    def _is_of_space(self, row: Row) -> bool:
        """Another machine of the class may have run what this one cannot."""
        return all(value in self._space.domains.get(name, ()) for name, value in row.params.items())

    def _tell(self, trial: Any) -> None:
        """One more; when there are too many, the newer half stays, and of the older half the better one by the first objective."""
        self._told.append(trial)
        self._study.add_trial(trial)
        if len(self._told) > _MOST:
            older, newer = self._told[: -_MOST // 2], self._told[-_MOST // 2 :]
            older.sort(key=lambda each: each.values[0], reverse=self._directions[0] == "maximize")
            self._told = [*older[: len(older) // 2], *newer]
            self._begin()

    def propose(self, attempt: int = 0) -> Point | None:
        """A point, also one that was measured; None for a combination that is not in the space. `attempt`: of the same state, for another proposal."""
        self._study.sampler = self._sampler(self._seed * 1_000_003 + len(self._seen) * 101 + attempt)
        trial = self._study.ask()
        choice = trial.suggest_categorical("choice", self._choices)
        found = {"choice": choice, **{name: trial.suggest_categorical(name, list(self._space.domains[name])) for name in self._named[choice]}}
        self._study.tell(trial, state=self._optuna.trial.TrialState.FAIL)
        return self._points.get(_key(found))

    def _distribution(self, name: str) -> Any:
        return self._optuna.distributions.CategoricalDistribution(tuple(self._space.domains[name]))

    def _sampler(self, seed: int) -> Any:
        samplers = self._optuna.samplers
        if self._kind == "gp":
            return samplers.GPSampler(seed=seed, n_startup_trials=4)
        if self._kind == "nsga2":
            return samplers.NSGAIISampler(seed=seed, population_size=_POPULATION, mutation_prob=_MUTATION)
        if self._kind == "random":
            return samplers.RandomSampler(seed=seed)
        return samplers.TPESampler(seed=seed, n_startup_trials=4, multivariate=True, group=True)


def _key(parameters: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    return tuple(sorted(parameters.items()))
