"""How many weights stored tensors stand for: packed checkpoints hold several weights in one stored element."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from recommender.intake.models.safetensors import BITS, Entry

# Scales, zero points and bookkeeping of GPTQ, AWQ, bitsandbytes, compressed-tensors, MLX, FP8 and MXFP4 checkpoints.
_SIDE = (
    ".qzeros", ".g_idx", ".scales", ".biases", ".weight_scale", ".weight_scale_inv", ".weight_scale_2", ".input_scale",
    ".weight_zero_point", ".weight_shape", ".weight_g_idx", ".absmax", ".quant_map", ".nested_absmax", ".nested_quant_map",
    ".SCB",
    ".weight_format", "_scales", ".rotary_emb.inv_freq", ".position_ids", ".num_batches_tracked",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Tally:
    """Weights by stored type. `size`: bytes of all tensors, scales included."""

    n_params: int
    types: Mapping[str, int]
    size: int
    is_packed: bool
    names: Mapping[str, int] = field(default_factory=dict)


def tally(tensors: Mapping[str, Entry], bits: int | None) -> Tally:
    """Count logical weights; `bits` as the configuration gives them for packed tensors."""
    types: Counter[str] = Counter()
    names: dict[str, int] = {}
    packed = False
    for name, entry in tensors.items():
        if name.endswith(_SIDE) or ".quant_state." in name:
            continue
        stored, weight_bits = BITS.get(entry.dtype, 8), _weight_bits(name, entry, tensors, bits)
        packed = packed or weight_bits < stored
        names[name] = entry.n_elements * stored // weight_bits
        types[entry.dtype] += names[name]
    return Tally(sum(names.values()), dict(types.most_common()), sum(entry.size for entry in tensors.values()), packed, names)


def _weight_bits(name: str, entry: Entry, tensors: Mapping[str, Entry], bits: int | None) -> int:
    """Bits of one weight in a stored element."""
    stem = name.rsplit(".", 1)[0]
    if name.endswith((".qweight", ".weight_packed")) and bits:
        return bits
    if entry.dtype == "U32" and f"{stem}.scales" in tensors:
        return _mlx_bits(entry, tensors[f"{stem}.scales"], bits)
    if entry.dtype == "U8" and (f"{name}.absmax" in tensors or name.endswith("_blocks")):
        return 4
    return BITS.get(entry.dtype, 8)


def _mlx_bits(entry: Entry, scales: Entry, bits: int | None) -> int:
    """Layers of one file may have bits of their own: bits x group size = 32 x words / groups."""
    if not entry.shape or not scales.shape or not scales.shape[-1]:
        return bits or 4
    per_group = 32 * entry.shape[-1] / scales.shape[-1]
    if bits and any(per_group == bits * group for group in (16, 32, 64, 128)):
        return bits
    return next((width for width in (4, 8, 6, 3, 5, 2) if per_group == width * 64), bits or 4)
