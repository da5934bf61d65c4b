"""Quantization schemes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from recommender.domain.quantity import FROM_FILE


@dataclass(frozen=True, kw_only=True, slots=True)
class QuantScheme:
    """One way to store (and compute with) weights.

    Attributes:
        formats: containers it exists in.
        scope: float, weight-only, weights-and-activations.
        weight_bits: nominal. activation_bits: bits the matrix products run with on the activation side.
        bits_per_weight: effective, scales and zero points included, of the layers that are quantized.
        tensors: for schemes that mix types: role -> bits per weight. Roles: default, embedding, output, attn_v_more,
            ffn_down_more (`_more` = the half of the layers that get the better type), norm.
        ratio: share of the layers in the low-bit type, the rest in 8 bit (weight compression).
        needs_calibration: no, recommended, required.
        integer_compute: matrix products run in integers (needs an integer dot product to be fast).
        class_: the chapter's precision class: ultra-low, low, medium, full.
    """

    __pydantic_config__ = FROM_FILE

    key: str
    name: str
    formats: tuple[str, ...]
    scope: str
    weight_bits: float
    bits_per_weight: float
    activation_bits: int = 16
    group_size: int | None = None
    symmetric: bool | None = None
    granularity: str = ""
    method: str = ""
    needs_calibration: str = "no"
    integer_compute: bool = False
    ratio: float | None = None
    tensors: Mapping[str, float] = field(default_factory=dict)
    class_: str = "full"
    sources: tuple[str, ...] = ()
    note: str = ""
