"""GGUF's tensor and file types (ggml.h, llama.h): name, elements and bytes of a block."""

from __future__ import annotations

BLOCKS: dict[int, tuple[str, int, int]] = {
    0: ("F32", 1, 4), 1: ("F16", 1, 2), 2: ("Q4_0", 32, 18), 3: ("Q4_1", 32, 20), 6: ("Q5_0", 32, 22), 7: ("Q5_1", 32, 24),
    8: ("Q8_0", 32, 34), 9: ("Q8_1", 32, 40), 10: ("Q2_K", 256, 84), 11: ("Q3_K", 256, 110), 12: ("Q4_K", 256, 144),
    13: ("Q5_K", 256, 176), 14: ("Q6_K", 256, 210), 15: ("Q8_K", 256, 292), 16: ("IQ2_XXS", 256, 66), 17: ("IQ2_XS", 256, 74),
    18: ("IQ3_XXS", 256, 98), 19: ("IQ1_S", 256, 50), 20: ("IQ4_NL", 32, 18), 21: ("IQ3_S", 256, 110), 22: ("IQ2_S", 256, 82),
    23: ("IQ4_XS", 256, 136), 24: ("I8", 1, 1), 25: ("I16", 1, 2), 26: ("I32", 1, 4), 27: ("I64", 1, 8), 28: ("F64", 1, 8),
    29: ("IQ1_M", 256, 56), 30: ("BF16", 1, 2), 34: ("TQ1_0", 256, 54), 35: ("TQ2_0", 256, 66), 39: ("MXFP4", 32, 17),
    40: ("NVFP4", 64, 36), 41: ("Q1_0", 128, 18),
}  # fmt: skip

FILE_TYPES: dict[int, str] = {
    0: "F32", 1: "F16", 2: "Q4_0", 3: "Q4_1", 7: "Q8_0", 8: "Q5_0", 9: "Q5_1", 10: "Q2_K", 11: "Q3_K_S", 12: "Q3_K_M",
    13: "Q3_K_L",
    14: "Q4_K_S", 15: "Q4_K_M", 16: "Q5_K_S", 17: "Q5_K_M", 18: "Q6_K", 19: "IQ2_XXS", 20: "IQ2_XS", 21: "Q2_K_S", 22: "IQ3_XS",
    23: "IQ3_XXS", 24: "IQ1_S", 25: "IQ4_NL", 26: "IQ3_S", 27: "IQ3_M", 28: "IQ2_S", 29: "IQ2_M", 30: "IQ4_XS", 31: "IQ1_M",
    32: "BF16", 36: "TQ1_0", 37: "TQ2_0", 38: "MXFP4", 39: "NVFP4", 40: "Q1_0",
}  # fmt: skip

# Tensor types that carry the bulk of a file of this type, where it is not the type's own name.
_BULK = {
    "Q2_K_S": {"Q2_K"}, "IQ3_XS": {"IQ3_XXS", "IQ3_S"}, "IQ3_M": {"IQ3_S"}, "IQ2_S": {"IQ2_XS", "IQ2_S"},
    "IQ2_M": {"IQ2_S", "IQ2_XS"},
}  # fmt: skip
# llama-quantize's substitute where a row is not a multiple of 256.
_SUBSTITUTE = {
    "Q2_K": "IQ4_NL", "Q3_K": "IQ4_NL", "Q4_K": "Q5_0", "Q5_K": "Q5_1", "Q6_K": "Q8_0", "TQ1_0": "Q4_0", "TQ2_0": "Q4_0",
}  # fmt: skip
FULL_PRECISION = frozenset({"F32", "F16", "BF16", "F64"})


def bulk_types(scheme: str, rows_fit: bool) -> frozenset[str]:
    """Tensor types that may hold most weights of a file of this scheme; `rows_fit`: rows are multiples of 256."""
    plain = scheme[:4] if scheme[-2:] in ("_S", "_M", "_L") and "_K_" in scheme else scheme
    types = set(_BULK.get(scheme, {plain}))
    if not rows_fit:
        types |= {_SUBSTITUTE.get(name, "IQ4_NL" if name.startswith("IQ") else name) for name in tuple(types)}
    return frozenset(types)


def scheme_of_types(majority: str, others: frozenset[str]) -> str | None:
    """The scheme key when only the tensors tell: the k-quant mixes are told apart by their better companions."""
    if majority == "Q4_K":
        return "Q4_K_M" if "Q6_K" in others else "Q4_K_S"
    if majority == "Q5_K":
        return "Q5_K_M" if "Q6_K" in others else "Q5_K_S"
    if majority == "Q3_K":
        return "Q3_K_L" if "Q5_K" in others and "Q4_K" not in others else "Q3_K_M" if "Q4_K" in others else "Q3_K_S"
    return majority if majority in set(FILE_TYPES.values()) else None
