"""Scheme x model -> expected relative loss, with the interval and metric of the row it comes from."""

from __future__ import annotations

from recommender.decide.tables import Attributes, evaluate
from recommender.domain.catalog import Catalog
from recommender.domain.estimate import Estimate
from recommender.domain.quantization import QuantScheme


def quality_estimate(scheme: QuantScheme, is_source: bool, attributes: Attributes, catalog: Catalog) -> Estimate:
    """The first row for this scheme whose conditions hold; zero for the file the user holds, when that is unquantized."""
    if is_source:
        return Estimate(metric="quality_drop", unit="fraction", low=0.0, central=0.0, high=0.0, basis="analytic", why="the source itself")
    for row in catalog.quality:
        if row.scheme == scheme.key and evaluate(row.when, attributes):
            return Estimate(
                metric="quality_drop", unit="fraction", low=row.low, central=row.central, high=row.high, basis=row.basis, sources=row.sources,
                inputs={"metric": row.metric, "dataset": row.dataset, "row": row.id},
            )
    return Estimate(metric="quality_drop", unit="fraction", why=f"no published loss of {scheme.key} for this kind of model")
