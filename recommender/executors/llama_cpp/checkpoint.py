"""A Hugging Face folder as it lies on disk: its configuration and its tensors, read one at a time and without a framework."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from recommender.domain.errors import ModelFileError, Unsupported

if TYPE_CHECKING:
    import numpy as np

_STORED = {"F32": "<f4", "F16": "<f2", "BF16": "<u2"}  # numpy has no bfloat16: its bits are carried as integers


@dataclass(frozen=True, kw_only=True, slots=True)
class Stored:
    """One tensor as stored. dtype: F32, F16 or BF16; offset: of its first byte in the file."""

    file: Path
    dtype: str
    shape: tuple[int, ...]
    offset: int

    def read(self) -> np.ndarray:
        """Mapped, not copied: float32, float16, or uint16 that holds the bits of bfloat16."""
        import numpy as np

        return np.memmap(self.file, dtype=_STORED[self.dtype], mode="r", offset=self.offset, shape=self.shape)


@dataclass(frozen=True, kw_only=True, slots=True)
class Checkpoint:
    """Configuration and tensors by name."""

    folder: Path
    config: Mapping[str, Any]
    tensors: Mapping[str, Stored]


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object of the model's folder; empty when there is no such file.

    Raises:
        ModelFileError: it is not one.
    """
    try:
        value = json.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise ModelFileError(f"`{path.name}` cannot be read: {error}") from None
    if not isinstance(value, dict):
        raise ModelFileError(f"`{path.name}` is not a JSON object")
    return value


def open_checkpoint(folder: Path) -> Checkpoint:
    """The model in a folder with `config.json` and `model*.safetensors` (one file, or several with their index).

    Raises:
        ModelFileError: a file is missing or broken.
        Unsupported: the weights are quantized already, or of a type that llama.cpp has no use for.
    """
    config = read_json(folder / "config.json")
    if not config:
        raise ModelFileError(f"`{folder.name}` has no config.json: not a Hugging Face model folder")
    if already := config.get("quantization_config"):
        raise Unsupported(f"`{folder.name}` is quantized already ({already.get('quant_method', 'unknown method')}); give the model it was made from")
    tensors = {name: stored for path in _weight_files(folder) for name, stored in _tensors_of(path).items()}
    return Checkpoint(folder=folder, config=config, tensors=tensors)


def _weight_files(folder: Path) -> list[Path]:
    from recommender.intake.models.reading import Malformed
    from recommender.intake.models.safetensors import files_of_index

    index = folder / "model.safetensors.index.json"
    if index.is_file():
        try:
            return [folder / name for name in files_of_index(index)]
        except Malformed as problem:
            raise ModelFileError(f"`{folder.name}` {problem.message}", hints=problem.hints) from None
    found = sorted(folder.glob("model*.safetensors"))
    if not found:
        raise ModelFileError(f"`{folder.name}` has no model*.safetensors: weights in another form must be saved as safetensors first")
    return found


def _tensors_of(path: Path) -> dict[str, Stored]:
    from recommender.intake.models.reading import Malformed
    from recommender.intake.models.safetensors import read_file

    try:
        described = read_file(path).tensors  # checks that spans lie in the file and fit the shapes
    except Malformed as problem:
        raise ModelFileError(f"`{path.name}` {problem.message}", hints=problem.hints) from None
    with path.open("rb") as stream:
        length = int.from_bytes(stream.read(8), "little")
        header = json.loads(stream.read(length))
    found = {}
    for name, entry in described.items():
        if entry.dtype not in _STORED:
            raise Unsupported(f"tensor `{name}` is stored as {entry.dtype}; only {', '.join(_STORED)} can be converted")
        offset = 8 + length + header[name]["data_offsets"][0]
        found[name] = Stored(file=path, dtype=entry.dtype, shape=entry.shape, offset=offset)
    return found
