"""Compiled and closed formats: recognised, and said plainly that nothing but their size can be read."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from recommender.domain.model import Artifact, ModelSpec
from recommender.intake.models import graph_guess
from recommender.intake.models.reading import Malformed, file_size, kind_of, not_a, read_head

# ending -> format, what it is, first bytes where they are documented
CLOSED = {
    ".engine": ("engine", "a TensorRT engine", b""), ".plan": ("engine", "a TensorRT engine", b""),
    ".trt": ("engine", "a TensorRT engine", b""),
    ".hef": ("hef", "a Hailo executable", b"\x01HEF"), ".rknn": ("rknn", "an RKNN model", b"RKNN"),
    ".dlc": ("dlc", "a Qualcomm model container", b"PK"), ".serialized": ("context-binary", "a Qualcomm context binary", b""),
}  # fmt: skip
MAX_PARAM = 16 << 20


def read_closed(path: Path) -> ModelSpec:
    """Format and size.

    Raises:
        Malformed: empty, or evidently something else.
    """
    format_, what, magic = CLOSED[path.suffix.lower()]
    head = read_head(path, 64)
    if not head:
        raise Malformed("is an empty file")
    if (magic and not head.startswith(magic)) or (not magic and kind_of(head)):
        raise not_a(what, head)
    return _spec(path, format_, what)


def read_context_binary(path: Path) -> ModelSpec:
    """A `.bin` that nothing else claims and whose name says that it is a context binary."""
    return _spec(path, "context-binary", "a Qualcomm context binary")


def read_ncnn(path: Path) -> ModelSpec:
    """An ncnn network: `.param` lists its layers in text, `.bin` holds the weights.

    Raises:
        Malformed
    """
    head = read_head(path, 64)
    if not head.startswith(b"7767517"):
        raise not_a("an ncnn network", head)
    if file_size(path) > MAX_PARAM:
        raise Malformed("is an ncnn network with an impossibly long list of layers")
    lines = path.read_text("utf-8", "replace").splitlines()[2:]
    counts = Counter(words[0] for line in lines if (words := line.split(None, 1)))
    weights = path.with_suffix(".bin")
    if not weights.is_file():
        raise Malformed(f"lacks its weights: {weights.name} is not beside it")
    counts.pop("Input", None)
    counts.pop("Split", None)
    structure = graph_guess.structure_of(counts)
    task, _ = graph_guess.task_of(structure, counts, [], [])
    size = file_size(weights)
    return ModelSpec(
        key=path.stem,
        name=path.stem,
        task=task,
        structure=structure,
        modality=graph_guess.modality_of(task),
        n_operators=sum(counts.values()),
        operators=tuple(sorted(counts)),
        note="the task is guessed from the operators",
        artifact=Artifact(
            format="ncnn",
            path=str(path),
            size=file_size(path) + size,
            details={"weights_size": size, "task_is_guess": True, "structure_is_guess": True},
        ),
    )


def _spec(path: Path, format_: str, what: str) -> ModelSpec:
    return ModelSpec(
        key=path.stem,
        name=path.stem,
        task="image-classification",
        structure="cnn",
        modality="vision",
        note=f"{what}: only its size can be read; task and structure are assumed, give the model it was made from to know more",
        artifact=Artifact(
            format=format_,
            path=str(path),
            size=file_size(path),
            is_quantized=None,
            details={"is_opaque": True, "task_is_guess": True, "structure_is_guess": True},
        ),
    )
