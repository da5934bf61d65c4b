"""The passes beside speed: what each candidate holds, and what it draws where a counter exists. Each in processes of its own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from recommender.measure import energy, memory
from recommender.measure.journal import Journal
from recommender.measure.take import Run

if TYPE_CHECKING:
    from recommender.measure.campaign import Campaign

_STEADY = {"quick": 1.0, "normal": 3.0, "strict": 5.0}  # seconds of steady running in the memory pass


def passes(campaign: Campaign, runs: Mapping[str, Run], journal: Journal) -> dict[str, dict[str, Any]]:
    """Per candidate `memory` and `energy`, as `memory.measure` and `energy.measure` tell them; what was done before is read from the journal."""
    present, missing = energy.counters()
    found: dict[str, dict[str, Any]] = {}
    for name, run in runs.items():
        entry = f"levels-{name.replace('/', '-')}"
        if (told := journal.entry(entry)) is None:
            campaign.say(f"{name}: memory" + (" and energy" if present else ""))
            told = {"memory": memory.measure(run, seconds=_STEADY[campaign.settings.mode])}
            told["energy"] = energy.measure(run, found=present) if present else {"why": "; ".join(missing)}
            journal.keep(entry, told)
        found[name] = told
    return found
