"""Random numbers that stand for weights, drawn once and repeated: the bytes of a model come as fast as the disk takes them.

The spread is that of weights before training, so that nothing overflows and no number is subnormal, which processors are slow with.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

SPREAD = 0.02  # standard deviation of a weight
_BLOCK = 1 << 20  # numbers drawn of a kind
_STEP = 65537  # prime: numbers between the starts of two tensors, so that no two of a model are equal
_SCALE = {bits: SPREAD / (4**bits / 12) ** 0.5 for bits in (2, 3, 4, 6, 8)}  # brings uniform integers of so many bits to that spread

Numbers = Any  # np.ndarray of one axis


class RandomWeights:
    """Numbers of a kind, each call from another start. What `take` gives is valid as long as this object lives.

    Kinds stored as f32, f16 or bf16 (bits in uint16): `weights` (normal); `norms` (about one: what changes nothing would be optimized away);
    `scales4`, `biases4`, ... of integers (scale x integer + bias has the spread and the mean of weights). Kinds stored as bytes: `codes`
    (integers of any width); `middles8` and `middles4` (zero points, the latter two in a byte; not all equal).
    """

    def __init__(self, seed: int):
        import numpy as np

        self._draw = np.random.default_rng(seed)
        self._blocks: dict[tuple[str, str], Numbers] = {}
        self._long: dict[tuple[str, str], list[Numbers]] = {}
        self._start = 0

    def parts(self, kind: str, n: int, stored: str = "f32") -> Iterator[Numbers]:
        """`n` numbers piece by piece."""
        block, at = self._block(kind, stored), self._next()
        while n:
            part = block[at : at + n]
            yield part
            n, at = n - len(part), 0

    def take(self, kind: str, n: int, stored: str = "f32") -> Numbers:
        """[n] in one piece, which shares its memory with others."""
        import numpy as np

        at, grown = self._next(), self._long.setdefault((kind, stored), [])
        if not grown or len(grown[-1]) < at + n:
            grown.append(np.tile(self._block(kind, stored), 2 + n // _BLOCK))
        return grown[-1][at : at + n]

    def _next(self) -> int:
        self._start = (self._start + _STEP) % _BLOCK
        return self._start

    def _block(self, kind: str, stored: str) -> Numbers:
        if (kind, stored) not in self._blocks:
            self._blocks[kind, stored] = _as_stored(_drawn(kind, self._draw), stored)
        return self._blocks[kind, stored]


def _drawn(kind: str, draw: np.random.Generator) -> Numbers:
    """A block of uint8 or float32."""
    import numpy as np

    if kind == "codes":
        return np.frombuffer(draw.bytes(_BLOCK), np.uint8)
    if kind == "middles8":
        return draw.integers(127, 129, _BLOCK, np.uint8)
    if kind == "middles4":
        return np.array([0x77, 0x78, 0x87, 0x88], np.uint8)[draw.integers(0, 4, _BLOCK, np.uint8)]
    if kind == "weights":
        return draw.standard_normal(_BLOCK, np.float32) * np.float32(SPREAD)
    if kind == "norms":
        return draw.uniform(0.9, 1.1, _BLOCK).astype(np.float32)
    bits = int(kind[-1])
    factor = _SCALE[bits] if kind.startswith("scales") else -_SCALE[bits] * (2**bits - 1) / 2
    return draw.uniform(0.8, 1.2, _BLOCK).astype(np.float32) * np.float32(factor)


def _as_stored(block: Numbers, stored: str) -> Numbers:
    import numpy as np

    if block.dtype == np.uint8 or stored == "f32":
        return block
    return block.astype(np.float16) if stored == "f16" else (block.view(np.uint32) >> 16).astype(np.uint16)
