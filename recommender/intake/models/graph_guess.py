"""What a graph of operators evidently is. Guesses, each from the operators and the shapes alone.

Structure: tree ensembles and recurrent layers by their operators; attention by its own operator or by Softmax between matrix
products; of graphs with attention and convolutions the share decides. Task: names and shapes of inputs and outputs; where these
do not tell, the commonest task of the structure (image-classification for networks of convolutions, embedding for transformers,
tabular for the rest).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

Shape = tuple[int | None, ...]
_MATRIX = ("matmul", "gemm", "fullyconnected", "linear", "addmm", "mm", "bmm")
_RECURRENT = ("lstm", "gru", "rnn")
_DEFAULT = {
    "cnn": "image-classification",
    "hybrid": "image-classification",
    "transformer": "embedding",
    "encoder-decoder": "text-generation",
}
_TEXT_INPUTS = ("input_ids", "token_ids", "input_word_ids", "tokens")


@dataclass(frozen=True, slots=True)
class Port:
    """An input or output: unknown dimensions are None."""

    name: str
    shape: Shape | None


def _plain(operator: str) -> str:
    return operator.lower().replace("_", "")


def structure_of(counts: Mapping[str, int]) -> str:
    """Structure from the number of operators of each type."""
    plain: dict[str, int] = {}
    for operator, count in counts.items():
        plain[_plain(operator)] = plain.get(_plain(operator), 0) + count
    if any("treeensemble" in name for name in plain):
        return "tree-ensemble"
    convolutions = sum(count for name, count in plain.items() if "conv" in name and "convert" not in name)
    products = sum(count for name, count in plain.items() if any(word in name for word in _MATRIX))
    own = sum(count for name, count in plain.items() if "attention" in name or name == "sdpa")
    attentions = own or (plain.get("softmax", 0) if products >= 2 and (products >= 4 or _has_norm(plain)) else 0)
    recurrent = sum(count for name, count in plain.items() if any(word in name for word in _RECURRENT))
    if recurrent and recurrent >= attentions:
        return "recurrent"
    if attentions and convolutions <= 4 * max(products, 4 * own):
        return "hybrid" if convolutions >= 10 and convolutions > 2 * attentions else "transformer"
    if convolutions:
        return "cnn"
    return "transformer" if attentions else "mlp"


def _has_norm(plain: Mapping[str, int]) -> bool:
    return any("layernorm" in name or "rmsnorm" in name or name == "mvn" for name in plain)


def task_of(structure: str, counts: Mapping[str, int], inputs: Sequence[Port], outputs: Sequence[Port]) -> tuple[str, bool]:
    """Task, and whether the shapes told it (False: the commonest one of the structure)."""
    names = [port.name.lower() for port in inputs]
    if any(word in name for name in names for word in _TEXT_INPUTS):
        return _text_task(outputs), True
    if any("mel" in name or "audio" in name or "waveform" in name or name == "input_features" for name in names):
        return "speech-recognition", True
    image = next((port.shape for port in inputs if port.shape and len(port.shape) == 4), None)
    if image is not None:
        task = _image_task(image, counts, [port.shape for port in outputs])
        if task:
            return task, True
    if structure in ("tree-ensemble", "mlp") and inputs and inputs[0].shape and len(inputs[0].shape) <= 2:
        return "tabular", True
    return _DEFAULT.get(structure, "tabular"), False


def _text_task(outputs: Sequence[Port]) -> str:
    if any("present" in port.name or "past" in port.name for port in outputs):
        return "text-generation"
    logits = next((port for port in outputs if "logits" in port.name.lower()), None)
    if logits is None:
        return "embedding"
    return "text-generation" if logits.shape is not None and len(logits.shape) == 3 else "text-classification"


def _image_task(image: Shape, counts: Mapping[str, int], outputs: Sequence[Shape | None]) -> str | None:
    if any("nonmaxsuppression" in _plain(name) or "detectionpostprocess" in _plain(name) for name in counts):
        return "object-detection"
    known = [shape for shape in outputs if shape is not None]
    if not known or len(known) < len(outputs):
        return None
    if len(known) == 1:
        return _single_output(image, tuple(size for size in known[0][2:]), known[0])
    return "object-detection" if all(len(shape) >= 2 for shape in known) else None


def _single_output(image: Shape, spatial: Shape, output: Shape) -> str | None:
    flat = len(output) == 2 or (len(output) == 4 and spatial == (1, 1)) or (len(output) == 4 and output[1:3] == (1, 1))
    if flat:
        return "image-classification"
    if len(output) == 3 and max(size or 0 for size in output[1:]) > 100:
        return "object-detection"
    if len(output) != 4:
        return None
    sides = [size for size in image[1:] if size and size > 4]
    largest = max((size for size in output[1:] if size), default=0)
    if sides and largest > max(sides) and 3 in (output[1], output[3]):
        return "super-resolution"
    return "segmentation" if sides and largest == max(sides) else None


def modality_of(task: str) -> str:
    if task in ("text-generation", "embedding", "text-classification"):
        return "text"
    if task == "tabular":
        return "tabular"
    if task in ("speech-recognition", "audio-classification"):
        return "audio"
    return "multimodal" if task in ("image-text-to-text", "image-text-embedding") else "vision"


def shape_text(shape: Shape | None) -> str:
    """`1x3x224x224`; a dimension that is not fixed is written `?`."""
    return "x".join("?" if size is None else str(size) for size in shape or ())
