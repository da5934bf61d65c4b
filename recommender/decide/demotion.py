"""A row whose picks were seldom the best where it was measured loses its place, and says so.

The stated rule: it goes behind every place that stands and before what no row places; among themselves such rows keep their order. It does so for
the kinds of model and unit in which it was measured and which do not support it; of other kinds the cases say nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from recommender.domain.catalog import Audit
from recommender.domain.model import ModelSpec
from recommender.domain.rule import Step

DEMOTED = 8.0  # places that stand are below, what no row places stands at 9


def demoted(step: Step, audit: Mapping[str, tuple[Audit, ...]], model: ModelSpec, device_kind: str) -> Step:
    """The step as the ranking takes it; of a contradicted row with its new place, and the figures in `because` and in the effect `demoted`."""
    if step.outcome != "fired" or "place" not in step.effect or step.rule not in audit:
        return step
    found = contradiction(audit[step.rule])
    if found is None or not _is_told_of(found, class_of(model), device_kind):
        return step
    sentence = f"{step.rule} demoted: {in_words(found)}"
    place = DEMOTED + min(float(step.effect["place"]), 9.0) / 10
    return replace(step, effect={**step.effect, "place": place, "demoted": sentence}, because=f"{step.because} {sentence}.")


def class_of(model: ModelSpec) -> str:
    """language, or the kind of data that the model reads."""
    return "language" if model.is_language_model else model.modality


def _is_told_of(found: Audit, class_: str, device_kind: str) -> bool:
    """Whether cases of this kind (`vision/npu`, `vision/cpu or npu`, of losses `vision`) are among those that contradict."""
    for name, tally in found.classes.items():
        model, _, kinds = name.partition("/")
        if model == class_ and (not kinds or device_kind in kinds.split(" or ")) and tally.verdict != "supported":
            return True
    return False


def contradiction(audited: tuple[Audit, ...]) -> Audit | None:
    """The claim of a row that published cases contradict; None where there is none."""
    return next((row for row in audited if row.is_claimed and row.overall.verdict == "contradicted"), None)


def in_words(found: Audit) -> str:
    """`its pick was best or within 5 % in 12 of 60 published cases, median regret 34 %`."""
    tally = found.overall
    near = f"within {_per_cent(found.tolerance)}" + ("" if found.claim == "speed" else f" of {found.claim}")
    return f"its pick was best or {near} in {tally.hits} of {tally.cases} published cases, median regret {_per_cent(tally.median_regret)}"


def _per_cent(share: float) -> str:
    return f"{share * 100:.0f} %"
