"""Random weights in the block layouts of ggml (`ggml-common.h`): random bytes, and the scales of a block set so that the weights are like trained ones."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

_DEVIATION = 0.02  # of weights, as models are initialised
_ELEMENTS = 1 << 18  # numbers that are repeated: no cache holds a model of them, and each file page is memory of its own
# Type -> (byte of the scale, byte of the minimum or None, minimum over scale that makes the mean nought); both are halves.
_SCALES: dict[str, tuple[int, int | None, float]] = {
    "Q4_0": (0, None, 0.0), "Q4_1": (0, 2, -7.5), "Q5_0": (0, None, 0.0), "Q5_1": (0, 2, -15.5), "Q8_0": (0, None, 0.0),
    "Q2_K": (80, 82, 1.5), "Q3_K": (108, None, 0.0), "Q4_K": (0, 2, 7.5), "Q5_K": (0, 2, 15.5), "Q6_K": (208, None, 0.0),
    "IQ2_XXS": (0, None, 0.0), "IQ2_XS": (0, None, 0.0), "IQ2_S": (0, None, 0.0), "IQ3_XXS": (0, None, 0.0), "IQ3_S": (0, None, 0.0),
    "IQ1_S": (0, None, 0.0), "IQ4_NL": (0, None, 0.0), "IQ4_XS": (0, None, 0.0),
}  # fmt: skip
_MXFP4_EXPONENT = 120  # of two, biased by 127: the numbers of MXFP4 have a deviation of about 3
_FLOATS = ("F32", "F16", "BF16")
TYPES = (*_FLOATS, *_SCALES, "MXFP4")


@cache
def random_blocks(type_name: str, seed: int = 0) -> np.ndarray:
    """uint8 [blocks, bytes of a block]: weights of mean 0 and deviation 0.02, or near to it, in a type of `TYPES`."""
    import gguf
    import numpy as np

    draw = np.random.default_rng(seed)
    kind = gguf.GGMLQuantizationType[type_name]
    block, size = gguf.GGML_QUANT_SIZES[kind]
    if type_name in _FLOATS:
        numbers = (draw.standard_normal(_ELEMENTS) * _DEVIATION).astype(np.float16 if type_name == "F16" else np.float32)
        halves: np.ndarray = (numbers.view(np.uint32) >> 16).astype(np.uint16) if type_name == "BF16" else numbers
        return halves.view(np.uint8).reshape(-1, size)
    blocks = draw.integers(0, 256, (_ELEMENTS // block, size), np.uint8)
    if type_name == "MXFP4":
        blocks[:, 0] = _MXFP4_EXPONENT
        return blocks
    at, minimum, share = _SCALES[type_name]
    _put(blocks, at, 1.0)
    if minimum is not None:
        _put(blocks, minimum, share)
    scale = _DEVIATION / float(gguf.quants.dequantize(blocks, kind).std())
    _put(blocks, at, scale)
    if minimum is not None:
        _put(blocks, minimum, share * scale)
    return blocks


def _put(blocks: np.ndarray, at: int, value: float) -> None:
    """The same half at byte `at` of every block."""
    import numpy as np

    blocks[:, at : at + 2] = np.array([value], np.float16).view(np.uint8)
