"""Core ML: packages (.mlpackage) and single files (.mlmodel), as far as their top level tells (Model.proto)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from recommender.domain.model import Artifact, ModelSpec
from recommender.intake.models import graph_guess
from recommender.intake.models.graph_guess import Port, Shape
from recommender.intake.models.reading import Malformed, Window, file_size, kind_of, not_a, open_window, read_json, tree_size
from recommender.intake.models.wire import BYTES, VARINT, fields, text_of, varint

# Model.type: field number -> name and what it is made of
_KINDS = {
    200: ("pipelineClassifier", "cnn"), 201: ("pipelineRegressor", "cnn"), 202: ("pipeline", "cnn"), 300: ("glmRegressor", "mlp"),
    301: ("supportVectorRegressor", "mlp"), 302: ("treeEnsembleRegressor", "tree-ensemble"),
    303: ("neuralNetworkRegressor", "cnn"),
    400: ("glmClassifier", "mlp"), 401: ("supportVectorClassifier", "mlp"), 402: ("treeEnsembleClassifier", "tree-ensemble"),
    403: ("neuralNetworkClassifier", "cnn"), 404: ("kNearestNeighborsClassifier", "mlp"), 500: ("neuralNetwork", "cnn"),
    502: ("mlProgram", "cnn"), 555: ("customModel", "cnn"), 556: ("linkedModel", "cnn"),
}  # fmt: skip
_MAX_SPECIFICATION = 10_000


def read_mlpackage(folder: Path) -> ModelSpec:
    """ModelSpec of a package.

    Raises:
        Malformed
    """
    manifest = read_json(folder / "Manifest.json")
    entries = manifest.get("itemInfoEntries")
    root = manifest.get("rootModelIdentifier")
    entry = entries.get(root) if isinstance(entries, dict) and isinstance(root, str) else None
    relative = entry.get("path") if isinstance(entry, dict) else None
    if not isinstance(relative, str):
        raise Malformed("is no Core ML package: its manifest names no model")
    data = (folder / "Data").resolve()
    file = (data / relative).resolve()
    if not file.is_relative_to(data):
        raise Malformed("is no Core ML package: its manifest points outside it")
    weights = file.parent / "weights" / "weight.bin"
    details = {"weights_size": file_size(weights) if weights.is_file() else 0}
    return _read(file, folder, tree_size(folder), details)


def read_mlmodel(path: Path) -> ModelSpec:
    """ModelSpec of a single-file model."""
    return _read(path, path, file_size(path), {})


def _read(file: Path, path: Path, size: int, details: dict[str, Any]) -> ModelSpec:
    with open_window(file) as window:
        head = window.data[:64]
        if kind_of(head):
            raise not_a("a Core ML model", head)
        version, kind, description = _top_level(window)
        if not version or not kind:
            raise Malformed("is not a Core ML model: it has no specification version or no model type")
        inputs, outputs, about = _description(window, *description) if description else ([], [], {})
        name, structure = _KINDS.get(kind, (f"type {kind}", "mlp"))
    task, told = graph_guess.task_of(structure, {}, inputs, outputs)
    is_classifier = "lassifier" in name
    if is_classifier and structure == "cnn":
        task, told = "image-classification", True
    return ModelSpec(
        key=path.stem,
        name=path.stem,
        task=task,
        structure=structure,
        modality=graph_guess.modality_of(task),
        input=graph_guess.shape_text(inputs[0].shape) if inputs else "",
        license=about.get("license"),
        note="operators and weights are not read; " + ("structure is guessed" if told else "task and structure are guessed"),
        artifact=Artifact(
            format="mlpackage",
            path=str(path),
            size=size,
            details={
                **details,
                **about,
                "specification_version": version,
                "type": name,
                "task_is_guess": not told,
                "structure_is_guess": True,
            },  # fmt: skip
        ),
    )


def _top_level(window: Window) -> tuple[int, int, tuple[int, int] | None]:
    """Specification version (1), the field of the model's type, where the description (2) lies."""
    version = kind = 0
    description = None
    for number, wire, at, length in fields(window, 0, window.size):
        if number == 1 and wire == VARINT:
            version = at if 0 < at < _MAX_SPECIFICATION else 0
        elif number == 2 and wire == BYTES:
            description = (at, length)
        elif number >= 200 and wire == BYTES:
            kind = number
    return version, kind, description


def _description(window: Window, start: int, length: int) -> tuple[list[Port], list[Port], dict[str, str]]:
    """ModelDescription: inputs (1), outputs (10), metadata (100: licence 4, short description 1)."""
    inputs: list[Port] = []
    outputs: list[Port] = []
    about: dict[str, str] = {}
    for number, wire, at, size in fields(window, start, start + length):
        if wire != BYTES:
            continue
        if number in (1, 10):
            (inputs if number == 1 else outputs).append(_feature(window, at, size))
        elif number == 100:
            texts = {n: text_of(window, a, s, 300) for n, w, a, s in fields(window, at, at + size) if w == BYTES}
            about = {key: texts[n] for n, key in ((1, "description"), (4, "license")) if texts.get(n)}
    return inputs, outputs, about


def _feature(window: Window, start: int, length: int) -> Port:
    """FeatureDescription: name (1), type (3) with an image (4: width 1, height 2) or an array (5: shape 1)."""
    name = ""
    shape: Shape | None = None
    for number, wire, at, size in fields(window, start, start + length):
        if number == 1 and wire == BYTES:
            name = text_of(window, at, size, 200)
        elif number == 3 and wire == BYTES:
            for inner, inner_wire, inner_at, inner_size in fields(window, at, at + size):
                if inner == 4 and inner_wire == BYTES:
                    sides = {n: a for n, w, a, _ in fields(window, inner_at, inner_at + inner_size) if w == VARINT}
                    shape = (1, 3, sides.get(2), sides.get(1))
                elif inner == 5 and inner_wire == BYTES:
                    shape = _array(window, inner_at, inner_size)
    return Port(name, shape)


def _array(window: Window, start: int, length: int) -> tuple[int, ...]:
    sizes: list[int] = []
    for number, wire, at, size in fields(window, start, start + length):
        if number == 1 and wire == VARINT:
            sizes.append(at)
        elif number == 1 and wire == BYTES:
            end = at + size
            while at < end and len(sizes) < 16:
                value, at = varint(window, at, end)
                sizes.append(value)
    return tuple(sizes[:16])
