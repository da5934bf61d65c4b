"""Diffusion models: the denoiser runs once per step; the workload's output count is the number of steps."""

from __future__ import annotations

from dataclasses import replace

from recommender.domain.estimate import Demand, Phase
from recommender.domain.model import ModelSpec
from recommender.domain.quantization import QuantScheme
from recommender.domain.workload import Workload
from recommender.estimate.demand import graph


def demand(model: ModelSpec, scheme: QuantScheme, workload: Workload) -> Demand | str:
    """Phase `inference`: all denoising steps of one picture."""
    single = graph.demand(model, scheme, workload)
    if isinstance(single, str):
        return single
    steps, once = max(1, workload.output_tokens), single.phases["inference"]
    every = Phase(operations=once.operations * steps, bytes_moved=once.bytes_moved * steps, calls=once.calls * steps)
    return replace(single, phases={"inference": every})
