"""What each parameter of a sweep matters: the share of a metric's variance over the trials that it explains."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from recommender.tune.storage import Row

_LEAST = 6  # trials below which nothing is told


def importance(rows: Sequence[Row], objectives: Sequence[str], better: Sequence[str]) -> dict[str, dict[str, float]]:
    """Metric -> parameter -> share, the largest first; PED-ANOVA over the choices, and within each framework over its settings (Watanabe, Bansal and Hutter, 2023).

    fANOVA (Hutter, Hoos and Leyton-Brown, 2014) where scikit-learn is installed and every trial has the parameters; else nothing is told.
    """
    import optuna
    from optuna.importance import PedAnovaImportanceEvaluator, get_param_importances

    found: dict[str, dict[str, float]] = {}
    done = [row for row in rows if row.state == "COMPLETE" and row.values]
    for number, (metric, direction) in enumerate(zip(objectives, better, strict=True)):
        shares: dict[str, float] = {}
        for names in _groups(done):
            study = optuna.create_study(direction="maximize" if direction == "up" else "minimize")
            mine = [row for row in done if all(name in row.params for name in names)]
            if len(mine) < _LEAST:
                continue
            distributions: dict[str, Any] = {name: optuna.distributions.CategoricalDistribution(tuple(sorted({row.params[name] for row in mine}))) for name in names}
            for row in mine:
                study.add_trial(optuna.trial.create_trial(params={name: row.params[name] for name in names}, distributions=distributions, value=row.values[number]))
            varied = [name for name in names if len(distributions[name].choices) > 1]
            if not varied or len({row.values[number] for row in mine}) < 2:
                continue
            evaluator = _fanova() if len(varied) > 1 else None
            told = get_param_importances(study, evaluator=evaluator or PedAnovaImportanceEvaluator(), params=varied)
            shares.update({name: float(share) for name, share in told.items()})
        if shares:
            found[metric] = dict(sorted(shares.items(), key=lambda row: -row[1]))
    return found


def _fanova() -> Any:
    from importlib.util import find_spec

    from optuna.importance import FanovaImportanceEvaluator

    return FanovaImportanceEvaluator(n_trees=32, seed=0) if find_spec("sklearn") else None


def _groups(rows: Sequence[Row]) -> list[tuple[str, ...]]:
    """The choice alone; then the settings of each framework, which only its trials have."""
    settings: Mapping[str, None] = dict.fromkeys(name for row in rows for name in row.params if name != "choice")
    frameworks = dict.fromkeys(name.partition(".")[0] for name in settings)
    return [("choice",), *(tuple(name for name in settings if name.startswith(f"{framework}.")) for framework in frameworks)]
