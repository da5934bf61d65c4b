"""Cases in what was measured on this machine, for the commands that hold rules against evidence."""

from __future__ import annotations

from typing import TYPE_CHECKING

from recommender.cli import say

if TYPE_CHECKING:
    from recommender.audit.cases import Case
    from recommender.domain.catalog import Catalog


def cases_here(catalog: Catalog) -> list[Case]:
    """Of measurements that still hold, of models that the catalogue knows; the machine is observed only where there are any."""
    from recommender.store.evidence import EvidenceStore

    store = EvidenceStore()
    if not store.find(limit=1):
        return []
    from recommender.audit.cases import measured_here
    from recommender.compose import THIS_MACHINE, observe_this_machine
    from recommender.estimate.evidence import sorted_out
    from recommender.intake.identify import identify

    target = identify(observe_this_machine(say, with_microbenchmark=False), catalog, kind=THIS_MACHINE, name=THIS_MACHINE)
    found = store.find(digest=target.fingerprint.digest)
    models = sorted({row.model for row in found if row.model in catalog.models})
    rows = [row for model in models for row in sorted_out([each for each in found if each.model == model], model, target.fingerprint)[0]]
    return measured_here(rows, target, catalog)
