"""Calibration data as NNCF wants it: one dictionary of inputs a sample."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from recommender.domain.errors import Unsupported
from recommender.executors.openvino import graph

if TYPE_CHECKING:
    import numpy as np
    import openvino

Sample = Mapping[str, "np.ndarray"]
_LABELS = "labels"


def samples(path: Path, model: openvino.Model, folder: Path, parameters: Mapping[str, Any]) -> tuple[list[Sample], np.ndarray | None]:
    """Samples of a `.npz` (with its labels, if it has them) or of a text; `folder` holds the tokenizer for the latter.

    Raises Unsupported when the file does not fit the model's inputs.
    """
    if path.suffix == ".npz":
        return _of_arrays(path, model)
    length, n = int(parameters.get("sequence_length", 256)), int(parameters.get("subset_size", 64))
    return _of_text(path, model, folder, length)[:n], None


def _of_arrays(path: Path, model: openvino.Model) -> tuple[list[Sample], np.ndarray | None]:
    """First axis of every array: samples, cut in batches of the size that the model is fixed to (else 1)."""
    import numpy as np

    with np.load(path) as loaded:
        arrays = {name: loaded[name] for name in loaded.files}
    labels = arrays.pop(_LABELS, None)
    ports = {graph.port_name(port): port for port in model.inputs}
    if missing := sorted(ports.keys() - arrays.keys()):
        raise Unsupported(f"calibration set `{path.name}` lacks the input {', '.join(missing)} (it has {', '.join(sorted(arrays)) or 'nothing'})")
    batch = next((shape[0].get_length() for shape in (port.partial_shape for port in model.inputs) if shape.rank.get_length() and shape[0].is_static), 1)
    n = min(len(arrays[name]) for name in ports) // batch
    if not n:
        raise Unsupported(f"calibration set `{path.name}` has no sample for a batch of {batch}")
    cut: list[Sample] = [{name: arrays[name][i * batch : (i + 1) * batch].astype(ports[name].element_type.to_dtype()) for name in ports} for i in range(n)]
    return cut, None if labels is None else labels[: n * batch].reshape(n, batch)


def _of_text(path: Path, model: openvino.Model, folder: Path, length: int) -> list[Sample]:
    """Consecutive pieces of `length` tokens, as the inputs of a stateful language model."""
    tokens = _tokenized(path, folder)
    pieces = [tokens[i : i + length] for i in range(0, len(tokens) - length + 1, length)] or [tokens]
    return [graph.language_inputs(model, piece) for piece in pieces]


def _tokenized(path: Path, folder: Path) -> list[int]:
    import openvino
    import openvino_tokenizers  # noqa: F401  adds its operators to the core

    tokenizer = folder / "openvino_tokenizer.xml"
    if not tokenizer.is_file():
        raise Unsupported(f"calibration by the text `{path.name}` needs openvino_tokenizer.xml beside the model")
    text = path.read_text("utf-8")
    return [int(token) for token in openvino.Core().compile_model(tokenizer, "CPU")([text])["input_ids"].ravel()]
