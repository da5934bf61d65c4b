"""What a configuration says of its quantization, in our scheme keys."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Quantized:
    """`bits`: of a packed weight; `scheme`: our key, None when there is none for it."""

    method: str
    bits: int | None
    group_size: int | None
    scheme: str | None


def quantization_of(raw: Mapping[str, Any]) -> Quantized | None:
    """From `quantization` (MLX) or `quantization_config` (everything else); None for a float checkpoint."""
    mlx = raw.get("quantization")
    if isinstance(mlx, dict) and _small(mlx.get("bits")):
        return _mlx(mlx)
    config = raw.get("quantization_config")
    if not isinstance(config, dict):
        text = raw.get("text_config")
        config = text.get("quantization_config") if isinstance(text, dict) else None
    if not isinstance(config, dict) or not config:
        return None
    method = str(config.get("quant_method") or "").lower()
    if method in ("gptq", "awq", "auto-round", "intel/auto-round", "gptqmodel", "autoawq") or (
        not method and "group_size" in config
    ):
        return _grouped(method, config)
    if method == "bitsandbytes" or "load_in_4bit" in config or "load_in_8bit" in config:
        return _bitsandbytes(config)
    if method == "mxfp4":
        return Quantized(method, 4, 32, "MXFP4")
    if method == "compressed-tensors":
        return _compressed(config)
    if method == "fp8" or method == "fbgemm_fp8":
        return Quantized(method, 8, None, "fp8")
    return Quantized(method or "unknown", _small(config.get("bits")), _small(config.get("group_size")), None)


def weight_only(bits: int | None, group: int | None) -> str | None:
    """Scheme key of group-wise (or per-channel) integer weights."""
    if not bits:
        return None
    if group:
        return f"int{bits}-weights-g{group}"
    return "int4-weights-channel" if bits == 4 else f"int{bits}-weights"


def _small(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 < value <= 65_536 else None


def _mlx(config: Mapping[str, Any]) -> Quantized:
    bits, group = _small(config.get("bits")), _small(config.get("group_size")) or 64
    mode = config.get("mode", "affine")
    scheme = "MXFP4" if mode == "mxfp4" else f"int{bits}-mlx-g{group}" if mode == "affine" else None
    return Quantized("mlx", bits, group, scheme)


def _grouped(method: str, config: Mapping[str, Any]) -> Quantized:
    bits, group = _small(config.get("bits")) or _small(config.get("w_bit")), _small(config.get("group_size"))
    group = group or _small(config.get("q_group_size"))
    return Quantized(method or "gptq", bits, group, weight_only(bits, group))


def _bitsandbytes(config: Mapping[str, Any]) -> Quantized:
    if config.get("load_in_4bit"):
        return Quantized("bitsandbytes", 4, 64, "NF4" if config.get("bnb_4bit_quant_type", "fp4") == "nf4" else None)
    return Quantized("bitsandbytes", 8, None, "int8-weights")


def _compressed(config: Mapping[str, Any]) -> Quantized:
    """compressed-tensors: the first group's weights and, when activations are quantized too, w8a8 or w4a16 spelling."""
    groups = config.get("config_groups")
    first = next((item for item in groups.values() if isinstance(item, dict)), {}) if isinstance(groups, dict) else {}
    weights, activations = first.get("weights"), first.get("input_activations")
    if not isinstance(weights, dict):
        return Quantized("compressed-tensors", None, None, None)
    bits, group = _small(weights.get("num_bits")), _small(weights.get("group_size"))
    if weights.get("type") != "int":
        return Quantized("compressed-tensors", bits, group, None)
    if isinstance(activations, dict) and bits and _small(activations.get("num_bits")):
        return Quantized("compressed-tensors", bits, group, f"w{bits}a{activations['num_bits']}")
    return Quantized("compressed-tensors", bits, group, weight_only(bits, group))
