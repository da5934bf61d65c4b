"""Language models: prefill multiplies all active weights with every prompt token; decode reads them once per token."""

from __future__ import annotations

from recommender.domain.estimate import Demand, Phase
from recommender.domain.model import ModelSpec
from recommender.domain.quantization import QuantScheme
from recommender.domain.workload import Workload
from recommender.estimate.kv_cache import kv_cache_bytes, kv_read_bytes
from recommender.estimate.weights import active_bytes, active_params, weight_bytes

OPERATIONS_PER_PARAMETER = 2.0  # one multiplication and one addition (Kaplan et al. 2020, section 2.1)
PREFILL_BATCH = 512  # prompt tokens per pass; llama.cpp's n_ubatch default


def demand(model: ModelSpec, scheme: QuantScheme, workload: Workload) -> Demand | str:
    """Phases `prefill` (whole prompt) and `decode` (one token at mid depth); resident weights and KV cache."""
    weights, active, params = weight_bytes(model, scheme), active_bytes(model, scheme), active_params(model)
    if weights is None or active is None or params is None:
        return f"number of parameters of {model.name} not known"
    kv_cache = kv_cache_bytes(model, workload.context, streams=workload.concurrency)
    if kv_cache is None:
        return f"layers and heads of {model.name} not known, so the size of its KV cache is not either"
    prompt, depth = workload.prompt_tokens, workload.prompt_tokens + workload.output_tokens / 2
    passes = max(1, -(-prompt // PREFILL_BATCH))
    attention = _attention_operations(model)
    return Demand(
        phases={
            "prefill": Phase(
                operations=prompt * (OPERATIONS_PER_PARAMETER * params + attention * prompt / 2), bytes_moved=passes * weights, calls=passes,
            ),
            "decode": Phase(
                operations=OPERATIONS_PER_PARAMETER * params + attention * depth,
                bytes_moved=active + kv_read_bytes(model, depth),
            ),
        },
        resident={"weights": weights, "kv_cache": kv_cache},
    )


def _attention_operations(model: ModelSpec) -> float:
    """Operations per token and token of depth: scores and weighted sum, 2 x 2 x heads x head dim per layer that attends."""
    attention = model.attention
    if attention.kind == "none" or attention.n_kv_layers == 0:
        return 0.0
    head_dim = model.head_dim or ((model.hidden_size or 0) // (model.n_heads or 1))
    layers = attention.n_kv_layers or model.n_layers or 0
    return 4.0 * layers * (model.n_heads or 0) * head_dim
