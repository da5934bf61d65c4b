"""What a GGUF file really holds, tensor by tensor: the name of a level says little about it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from recommender.domain.errors import WrongOutput


@dataclass(frozen=True, kw_only=True, slots=True)
class Held:
    """type: ggml's name (`Q4_K`). row: length of the first dimension, in numbers. size: in bytes."""

    type: str
    row: int
    elements: int
    size: int
    dimensions: int


def held_tensors(path: Path) -> dict[str, Held]:
    """Tensors by name.

    Raises:
        WrongOutput: it is not a GGUF file, or a broken one.
    """
    import gguf

    try:
        reader = gguf.GGUFReader(path)
    except (ValueError, KeyError, IndexError, OSError) as error:
        raise WrongOutput(f"`{path.name}` cannot be read as GGUF: {error}") from None
    return {
        tensor.name: Held(
            type=tensor.tensor_type.name, row=int(tensor.shape[0]), elements=int(tensor.n_elements), size=int(tensor.n_bytes), dimensions=len(tensor.shape),
        )
        for tensor in reader.tensors
    }


def count_types(tensors: Mapping[str, Held]) -> dict[str, int]:
    """Type -> number of elements."""
    found: Counter[str] = Counter()
    for tensor in tensors.values():
        found[tensor.type] += tensor.elements
    return dict(found)


def bits_per_weight(tensors: Mapping[str, Held]) -> float:
    """Bytes of all tensors over their numbers, in bits."""
    return 8 * sum(tensor.size for tensor in tensors.values()) / sum(tensor.elements for tensor in tensors.values())
