"""ONNX: what a graph asks for, read without its weights."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from recommender.domain.model import Artifact, ModelSpec
from recommender.intake.models import graph_guess, onnx_scheme
from recommender.intake.models.graph_macs import COUNTED, macs_of
from recommender.intake.models.onnx_graph import Graph, Node, parse
from recommender.intake.models.onnx_strip import strip
from recommender.intake.models.reading import kind_of, not_a, open_window

# Operators that hand on what they got, or compute with shapes only: they write no activations.
_FREE = frozenset(
    {"Constant", "Identity", "Reshape", "Flatten", "Squeeze", "Unsqueeze", "Shape", "DequantizeLinear", "QuantizeLinear"}
)
_HEADS = b"\x08\x0a\x12\x1a\x22\x28\x32\x3a\x42\x72"  # first bytes of a ModelProto: one of its low-numbered fields


@dataclass(frozen=True, slots=True)
class Work:
    """What one inference does; None when shapes are missing. `unresolved`: operators whose MACs are not known."""

    macs: float | None
    activations: float | None
    unresolved: Mapping[str, int]


def read_onnx(path: Path) -> ModelSpec:
    """ModelSpec of an ONNX file.

    Raises:
        Malformed
    """
    with open_window(path) as window:
        head = window.data[:64]
        if kind_of(head) or head[0] not in _HEADS:
            raise not_a("an ONNX file", head)
        stripped = strip(window)
        graph = parse(stripped.model)
        size = window.size
    external, missing = _external_size(path, stripped.external)
    return describe(graph, path, size + external, missing)


def describe(graph: Graph, path: Path, size: int, missing: tuple[str, ...] = ()) -> ModelSpec:
    """PURE: graph -> ModelSpec."""
    counts = Counter(node.operator for node in graph.nodes)
    counts.update(graph.nested)
    structure = graph_guess.structure_of(counts)
    task, told = graph_guess.task_of(structure, counts, graph.inputs, graph.outputs)
    stored = onnx_scheme.weights_of(graph)
    work = work_of(graph)
    details: dict[str, Any] = {
        "opset": graph.opset,
        "producer": graph.producer,
        "task_is_guess": True,
        "structure_is_guess": True,
    }
    if graph.substituted:
        details["substituted"] = {symbol: 1 for symbol in graph.substituted}
    if work.unresolved:
        details["operators_without_macs"] = dict(work.unresolved)
    if graph.domains:
        details["domains"] = list(graph.domains)
    notes = [] if told else ["the task is guessed from the operators"]
    if graph.substituted:
        notes.append(f"counted with {', '.join(graph.substituted[:3])} = 1")
    if missing:
        details["missing_files"] = list(missing[:20])
        notes.append(f"its weight file {missing[0]} is not there, the size is without it")
    return ModelSpec(
        key=path.stem,
        name=path.stem,
        task=task,
        structure=structure,
        modality=graph_guess.modality_of(task),
        n_params=stored.n_params,
        macs=work.macs,
        activations=work.activations,
        n_operators=len(graph.nodes) - counts.get("Constant", 0) + graph.nested.get("Constant", 0),
        operators=tuple(sorted(counts.keys() - {"Constant"})),
        input=graph_guess.shape_text(graph.inputs[0].shape) if graph.inputs else "",
        dynamic_shapes=graph.is_dynamic,
        note="; ".join(notes),
        artifact=Artifact(
            format="onnx",
            path=str(path),
            size=size,
            scheme=onnx_scheme.scheme_of(graph, counts, stored),
            bits_per_weight=round(stored.bits / stored.n_params, 4) if stored.n_params else None,
            is_quantized=onnx_scheme.is_quantized(counts, stored),
            tensor_types=stored.types,
            details=details,
        ),
    )


def work_of(graph: Graph) -> Work:
    """MACs and written elements of one inference."""
    total, unresolved = 0, Counter({name: count for name, count in graph.nested.items() if name in COUNTED})
    written, unknown = 0, 0
    fixed = constant_names(graph)
    for node in graph.nodes:
        macs = macs_of(
            node.operator,
            [graph.shapes.get(name) for name in node.inputs],
            [graph.shapes.get(name) for name in node.outputs],
            node.attributes,
        )
        if macs is None:
            unresolved[node.operator] += 1
        total += macs or 0
        if node.operator not in _FREE and not all(name in fixed for name in node.outputs):
            for name in node.outputs:
                shape = graph.shapes.get(name)
                elements = math.prod(size or 0 for size in shape) if shape is not None and None not in shape else None
                written += elements or 0
                unknown += name != "" and elements is None
    has_work = bool(graph.nodes)
    few_unknown = unknown * 20 <= len(graph.nodes)
    return Work(
        macs=float(total) if has_work and not unresolved else None,
        activations=float(written) if has_work and few_unknown else None,
        unresolved=unresolved,
    )


def constant_names(graph: Graph) -> set[str]:
    """Values that do not depend on an input: folded before the first inference."""
    fixed = set(graph.constants) | {""}
    for node in graph.nodes:
        if node.inputs and all(name in fixed for name in node.inputs) and not _has_state(node):
            fixed.update(node.outputs)
    return fixed


def _has_state(node: Node) -> bool:
    return node.operator.startswith("Random") or node.operator in ("If", "Loop", "Scan")


def _external_size(path: Path, names: set[str]) -> tuple[int, tuple[str, ...]]:
    """Bytes of the weight files beside the model; names that are not there or would lead out of its folder."""
    total, missing = 0, []
    folder = path.parent.resolve()
    for name in sorted(names):
        try:
            file = (folder / name).resolve()
            inside = file.is_relative_to(folder) and file.is_file()
            total += file.stat().st_size if inside else 0
        except (OSError, ValueError, RuntimeError):
            inside = False
        if not inside:
            missing.append(name[:100])
    return total, tuple(missing)
