"""Peak memory by component: weights, KV cache, activations and the run-time's own copies. Feasibility uses the pessimistic end."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from recommender.domain.estimate import Demand
from recommender.domain.model import ModelSpec
from recommender.domain.quantity import Interval
from recommender.domain.quantization import QuantScheme
from recommender.estimate.weights import parts

MICRO_BATCH = 512  # tokens of one pass whose logits are held (llama.cpp's n_ubatch default)
_LOGIT_BYTES = 4.0

# kind of overhead -> interval, from the catalogue's rows that hold for this candidate; None when no row holds
OverheadOf = Callable[[str], Interval | None]


def components(model: ModelSpec, scheme: QuantScheme, demand: Demand, options: Mapping[str, Any], overhead: OverheadOf) -> dict[str, Interval]:
    """Bytes by component. An overhead without a row counts as zero: nothing is known to be held."""
    found = {name: _exact(value) for name, value in demand.resident.items()}
    weights = demand.resident["weights"]
    if "activations" in found:
        found["activations"] = (overhead("activations") or _exact(1.0)).scaled(demand.resident["activations"])
    if copy := overhead("weights_copy"):
        found["weights_copy"] = copy.scaled(weights)
    if repacked := overhead("repacked"):
        table = overhead("repacked_table")
        copies = _repacked(model, scheme, weights, table.central if table else None, keeps_original=bool(options.get("mmap", True)))
        found["repacked_weights"] = repacked.scaled(copies)
    if logits := overhead("logits"):
        found["compute_buffer"] = logits.scaled(_logits_row(model))
    if runtime := overhead("memory"):
        found["runtime"] = runtime
    return {name: value for name, value in found.items() if value.high > 0}


def total(found: Mapping[str, Interval]) -> Interval:
    """Sum of the components, end by end."""
    return Interval(
        low=sum(value.low for value in found.values()),
        central=sum(value.central for value in found.values()),
        high=sum(value.high for value in found.values()),
    )


def _exact(value: float) -> Interval:
    return Interval(low=value, central=value, high=value)


def _repacked(model: ModelSpec, scheme: QuantScheme, weights: float, table_share: float | None, *, keeps_original: bool) -> float:
    """Bytes held twice: with a mapped file the original stays beside the repacked layers and head; without, only a tied table.

    Args:
        table_share: share of the head's table that is rewritten too; None: all of it when it has the layers' own type, else
            nothing (x86 has no kernel for the better type of the table). Checked against llama.cpp's own buffers in the tests.
    """
    bits = scheme.tensors or {"default": scheme.bits_per_weight}
    sizes = parts(model)
    if sizes is None:
        return weights if keeps_original else 0.0
    is_tied = not sizes.output
    head_bits = bits.get("output", bits["default"])
    share = float(head_bits == bits["default"]) if table_share is None else table_share
    head = (sizes.output or sizes.embedding) * head_bits / 8
    if not keeps_original:
        return head * share if is_tied else 0.0
    table = 0.0 if is_tied else sizes.embedding * bits.get("embedding", bits["default"]) / 8
    return max(0.0, weights - table - head) + head * share


def _logits_row(model: ModelSpec) -> float:
    """Bytes per token of the largest intermediate: logits beside two hidden states, or a gated feed-forward layer.

    As llama.cpp's graph allocator reserves it with flash attention (checked for four shapes in the tests).
    """
    hidden = model.hidden_size or 0
    ffn = (model.expert_ffn_size or 0) * (model.n_experts_used or 1) if model.n_experts else (model.ffn_size or 0)
    return _LOGIT_BYTES * max((model.vocab_size or 0) + 2 * hidden, 2 * ffn + 2 * hidden)
