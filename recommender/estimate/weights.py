"""Bytes of a model's weights under a scheme: by part where the dimensions are known, else by parameter count."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from recommender.domain.model import ModelSpec
from recommender.domain.quantization import QuantScheme


@dataclass(frozen=True, kw_only=True, slots=True)
class Parts:
    """Parameter counts by part. `experts` is the part of `total` that only some tokens use.

    Attributes:
        embedding: input table; output: the head's own table (0 when tied).
        attn_q, attn_k, attn_v, attn_output, ffn_down: over all layers. rest: all others.
        experts: over all experts; experts_active: of those used per token.
    """

    embedding: float
    output: float
    attn_q: float
    attn_k: float
    attn_v: float
    attn_output: float
    ffn_down: float
    rest: float
    experts: float = 0.0
    experts_active: float = 0.0

    @property
    def total(self) -> float:
        return self.embedding + self.output + self.layers

    @property
    def layers(self) -> float:
        return self.attn_q + self.attn_k + self.attn_v + self.attn_output + self.ffn_down + self.rest


def parts(model: ModelSpec) -> Parts | None:
    """The parts of a language model with ordinary attention and (gated) feed-forward layers; None when dimensions lack.

    The remainder against the stated parameter count goes to `rest`, so that the total is always the model's own.
    """
    needed = (model.n_params, model.n_layers, model.hidden_size, model.n_heads, model.vocab_size)
    if not all(needed) or not model.is_language_model:
        return None
    assert model.n_params and model.n_layers and model.hidden_size and model.n_heads and model.vocab_size
    head_dim = model.head_dim or model.hidden_size // model.n_heads
    kv_heads = model.n_kv_heads or model.n_heads
    embedding = float(model.n_embedding_params or model.vocab_size * model.hidden_size)
    output = 0.0 if model.tied_embeddings else float(model.vocab_size * model.hidden_size)
    attention_layers = model.attention.n_kv_layers or model.n_layers
    attn_q = float(attention_layers * model.hidden_size * model.n_heads * head_dim)
    attn_kv = float(attention_layers * model.hidden_size * kv_heads * head_dim)
    if model.attention.kind == "latent":  # compressed projections: counted with the rest
        attn_q = attn_kv = 0.0
    ffn_size = model.expert_ffn_size if model.n_experts else model.ffn_size
    ffn_down = float(model.n_layers * model.hidden_size * (ffn_size or 0) * (model.n_experts or 1))
    named = embedding + output + 2 * attn_q + 2 * attn_kv + ffn_down
    rest = model.n_params - named
    if rest < 0:
        return None
    experts = active = 0.0
    if model.n_experts and model.n_active_params:
        active_layers = model.n_active_params - embedding - output
        experts = max(0.0, (named + rest) - embedding - output - max(0.0, 2 * attn_q + 2 * attn_kv))
        active = max(0.0, active_layers - 2 * attn_q - 2 * attn_kv)
    return Parts(
        embedding=embedding, output=output, attn_q=attn_q, attn_k=attn_kv, attn_v=attn_kv, attn_output=attn_q,
        ffn_down=ffn_down, rest=rest, experts=experts, experts_active=active,
    )


def for_format(scheme: QuantScheme, artifact_format: str) -> QuantScheme:
    """The scheme with the bits that hold in one format (`embedding@onnx` wins over `embedding`)."""
    if not any("@" in role for role in scheme.tensors):
        return scheme
    plain = {role: bits for role, bits in scheme.tensors.items() if "@" not in role}
    special = {role.partition("@")[0]: bits for role, bits in scheme.tensors.items() if role.endswith(f"@{artifact_format}")}
    return replace(scheme, tensors={**plain, **special})


_SUPER_BLOCK = 256  # numbers of a row that K-quants store together
# Q2_K and Q3_K -> IQ4_NL, Q4_K -> Q5_0, Q5_K -> Q5_1, Q6_K -> Q8_0: bits of what llama-quant.cpp takes for rows that do not divide into super-blocks
_SMALL_BLOCKS = {2.625: 4.5, 3.4375: 4.5, 4.5: 5.5, 5.5: 6.0, 6.5625: 8.5}


def stored_bits(model: ModelSpec, scheme: QuantScheme) -> Mapping[str, float]:
    """Bits per weight by role, wider where the rows of this model do not divide into the scheme's super-blocks."""
    bits = scheme.tensors or {"default": scheme.bits_per_weight}
    if "gguf" not in scheme.formats or not (model.hidden_size or 0) % _SUPER_BLOCK:
        return bits
    kept = () if scheme.method == "k-quants" else (4.5, 5.5)  # of the legacy types, which have small blocks themselves
    wide = {role: value if value in kept else _SMALL_BLOCKS.get(value, value) for role, value in bits.items()}
    if (model.ffn_size or 1) % _SUPER_BLOCK == 0:  # rows of ffn_down are as long as the feed-forward layer is wide
        down = {role: value for role, value in bits.items() if role.startswith("ffn_down")}
        wide |= {"ffn_down": bits["default"], **down}
    return wide


_SHARED_HEADS = 4  # llama.cpp gives attn_v a better type from this many query heads per key/value head (`attn_v_gqa4`)


def _mixed(bits: Mapping[str, float], role: str, share: float) -> float:
    """Bits of a role whose better type `<role>_more` is given to `share` of the layers."""
    plain = bits.get(role, bits["default"])
    return plain + (bits.get(f"{role}_more", plain) - plain) * share


def _layer_bits(found: Parts, bits: Mapping[str, float]) -> float:
    """Average bits of the layers' weights."""
    share = bits.get("more_share", 0.5)
    roles = ("attn_q", "attn_k", "attn_output", "ffn_down")
    total: float = found.rest * bits["default"] + sum(getattr(found, role) * _mixed(bits, role, share) for role in roles)
    shares_heads = found.attn_v and found.attn_q / found.attn_v >= _SHARED_HEADS and "attn_v_gqa4" in bits
    total += found.attn_v * (bits["attn_v_gqa4"] if shares_heads else _mixed(bits, "attn_v", share))
    return total / found.layers


def weight_bytes(model: ModelSpec, scheme: QuantScheme) -> float | None:
    """Bytes of all weights as stored. None without a parameter count."""
    artifact = model.artifact
    if artifact and artifact.scheme == scheme.key and artifact.bits_per_weight and model.n_params:
        return model.n_params * artifact.bits_per_weight / 8
    if not model.n_params:
        return None
    found = parts(model)
    if found is None:
        return model.n_params * scheme.bits_per_weight / 8
    bits = stored_bits(model, scheme)
    default = bits["default"]
    embedding = bits.get("embedding", default) if found.output else bits.get("output", default)
    head = bits.get("output", default)
    return (found.embedding * embedding + found.output * head + found.layers * _layer_bits(found, bits)) / 8


def active_bytes(model: ModelSpec, scheme: QuantScheme) -> float | None:
    """Bytes of weights read for one token: of the input table only a row; of the experts only those used."""
    whole = weight_bytes(model, scheme)
    found = parts(model)
    if whole is None or not model.n_params:
        return None
    if found is None:
        return whole * (model.n_active_params or model.n_params) / model.n_params
    bits = stored_bits(model, scheme)
    default = bits["default"]
    head = (found.output or found.embedding) * bits.get("output", default)
    layers = found.layers - found.experts + found.experts_active if found.experts else found.layers
    computed = (head + layers * _layer_bits(found, bits)) / 8
    artifact = model.artifact
    if artifact and artifact.scheme == scheme.key and artifact.bits_per_weight:  # the file's own bits, spread alike
        computed *= model.n_params * artifact.bits_per_weight / 8 / _computed_total(found, bits)
    return computed


def _computed_total(found: Parts, bits: Mapping[str, float]) -> float:
    default = bits["default"]
    embedding = bits.get("embedding", default) if found.output else bits.get("output", default)
    return (found.embedding * embedding + found.output * bits.get("output", default) + found.layers * _layer_bits(found, bits)) / 8


def active_params(model: ModelSpec) -> float | None:
    """Parameters multiplied per token: without the input table's lookup, with the output head."""
    if not model.n_params:
        return None
    total = float(model.n_active_params or model.n_params)
    if model.tied_embeddings is False and model.vocab_size and model.hidden_size:
        total -= model.vocab_size * model.hidden_size
    return total
