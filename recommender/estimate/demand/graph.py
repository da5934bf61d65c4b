"""Models that run once per input: images, audio frames, sentences, table rows."""

from __future__ import annotations

from recommender.domain.estimate import Demand, Phase
from recommender.domain.model import ModelSpec
from recommender.domain.quantization import QuantScheme
from recommender.domain.workload import Workload
from recommender.estimate.weights import weight_bytes

OPERATIONS_PER_MAC = 2.0


def demand(model: ModelSpec, scheme: QuantScheme, workload: Workload) -> Demand | str:
    """Phase `inference`: batch x MACs x 2 operations; weights once, activations written and read once each."""
    weights = weight_bytes(model, scheme)
    if weights is None or not model.macs:
        missing = "number of parameters" if weights is None else "multiply-accumulates"
        return f"{missing} of {model.name} not known"
    activation_bytes = max(1.0, min(scheme.activation_bits, 32) / 8)
    activations = (model.activations or 0.0) * activation_bytes * workload.batch
    return Demand(
        phases={
            "inference": Phase(
                operations=OPERATIONS_PER_MAC * model.macs * workload.batch, bytes_moved=weights + 2 * activations,
                calls=float(model.n_operators or 0),
            )
        },
        resident={"weights": weights, "activations": activations},
    )
