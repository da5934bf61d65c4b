"""What each task asks of a device, without a device. One file per kind of task; `demand_of` finds it."""

from __future__ import annotations

from recommender.domain.estimate import Demand
from recommender.domain.model import ModelSpec
from recommender.domain.quantization import QuantScheme
from recommender.domain.workload import Workload
from recommender.estimate.demand import diffusion, graph, sequence, text_generation

_BY_TASK = {
    "text-generation": text_generation.demand,
    "image-text-to-text": text_generation.demand,
    "image-generation": diffusion.demand,
    "speech-recognition": sequence.demand,
}


def demand_of(model: ModelSpec, scheme: QuantScheme, workload: Workload) -> Demand | str:
    """Demand of one request or inference, or the reason why it cannot be told."""
    return _BY_TASK.get(model.task, graph.demand)(model, scheme, workload)
