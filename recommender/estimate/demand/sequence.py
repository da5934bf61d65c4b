"""Encoder-decoder models (speech): the encoder once per window, the decoder once per output token."""

from __future__ import annotations

from recommender.domain.estimate import Demand, Phase
from recommender.domain.model import ModelSpec
from recommender.domain.quantization import QuantScheme
from recommender.domain.workload import Workload
from recommender.estimate.demand import graph
from recommender.estimate.demand.graph import OPERATIONS_PER_MAC


def demand(model: ModelSpec, scheme: QuantScheme, workload: Workload) -> Demand | str:
    """Phases `inference` (encoder over one window) and `decode` (one token of each window of the batch)."""
    encoder = graph.demand(model, scheme, workload)
    if isinstance(encoder, str) or not model.decoder_params:
        return encoder
    weights = encoder.resident["weights"]
    share = model.decoder_params / (model.n_params or model.decoder_params)
    decode = Phase(operations=OPERATIONS_PER_MAC * model.decoder_params * workload.batch, bytes_moved=weights * share, calls=0.0)
    inference = encoder.phases["inference"]
    inference = Phase(operations=inference.operations, bytes_moved=inference.bytes_moved - weights * share, calls=inference.calls)
    return Demand(phases={"inference": inference, "decode": decode}, resident=encoder.resident)
