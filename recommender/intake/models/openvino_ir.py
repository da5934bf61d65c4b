"""OpenVINO IR: the .xml with the sizes of the constants in its .bin."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from recommender.domain.model import Artifact, ModelSpec
from recommender.intake.models import graph_guess
from recommender.intake.models.graph_guess import Port, Shape
from recommender.intake.models.graph_macs import convolution, product, recurrent
from recommender.intake.models.ir_xml import Layer, Network, parse_ir
from recommender.intake.models.reading import Malformed, file_size, plural

BITS = {
    "f64": 64, "f32": 32, "f16": 16, "bf16": 16, "i64": 64, "u64": 64, "i32": 32, "u32": 32, "i16": 16, "u16": 16, "i8": 8,
    "u8": 8,
    "i4": 4, "u4": 4, "u3": 3, "u2": 2, "u1": 1, "nf4": 4, "f8e4m3": 8, "f8e5m2": 8, "f4e2m1": 4, "f8e8m0": 8, "boolean": 8,
}  # fmt: skip
_INTEGERS = frozenset({"i8", "u8", "i4", "u4", "u3", "u2", "u1", "nf4", "f4e2m1", "f8e4m3", "f8e5m2"})
_FLOATS = frozenset({"f64", "f32", "f16", "bf16"})
_PASSING = frozenset({"Convert", "Reshape", "Subtract", "Multiply", "Transpose"})
_QUIET = frozenset({"Const", "Parameter", "Result", "Reshape", "Squeeze", "Unsqueeze", "ShapeOf", "Convert", "FakeQuantize"})


@dataclass(frozen=True, slots=True)
class Stored:
    """Weights of the constants. `packed`: integer type -> weights; `group`: weights sharing a scale, None: a channel."""

    n_params: int
    bits: int
    types: Mapping[str, int]
    packed: Mapping[str, int]
    group: int | None


def read_ir(path: Path) -> ModelSpec:
    """ModelSpec of an IR given by its .xml or its .bin.

    Raises:
        Malformed
    """
    xml, weights = path.with_suffix(".xml"), path.with_suffix(".bin")
    network = parse_ir(xml)
    constants = [layer for layer in network.layers if layer.kind == "Const"]
    end = max((_number(layer.data.get("offset")) + _number(layer.data.get("size")) for layer in constants), default=0)
    if not weights.exists():
        if end:
            raise Malformed(f"lacks its weights: {weights.name} is not beside it")
        return describe(network, xml, file_size(xml))
    size = file_size(weights)
    if size < end:
        raise Malformed(f"has truncated weights: {plural(end - size, 'byte')} missing in {weights.name}")
    return describe(network, xml, file_size(xml) + size)


def describe(network: Network, path: Path, size: int) -> ModelSpec:
    """PURE: network -> ModelSpec."""
    counts = Counter(layer.kind for layer in network.layers)
    stored = weights_of(network)
    inputs = [Port(_name(layer), _output(layer)) for layer in network.layers if layer.kind == "Parameter" and not layer.is_nested]
    outputs = [
        Port(layer.name, layer.inputs[0] if layer.inputs else None)
        for layer in network.layers
        if layer.kind == "Result" and not layer.is_nested
    ]
    is_dynamic = any(port.shape is None or None in port.shape for port in inputs)
    structure = graph_guess.structure_of(counts)
    task, told = graph_guess.task_of(structure, counts, inputs, outputs)
    if "ReadValue" in counts and any("input_ids" in port.name for port in inputs):
        task, told = "text-generation", True
    macs = macs_of(network)
    return ModelSpec(
        key=path.stem,
        name=path.stem,
        task=task,
        structure=structure,
        modality=graph_guess.modality_of(task),
        n_params=stored.n_params,
        macs=macs,
        activations=activations_of(network) if macs is not None else None,
        n_operators=_n_operators(network),
        operators=tuple(sorted(counts.keys() - {"Const", "Parameter", "Result"})),
        input=graph_guess.shape_text(inputs[0].shape) if inputs else "",
        dynamic_shapes=is_dynamic,
        note="" if told else "the task is guessed from the operators",
        artifact=Artifact(
            format="openvino-ir",
            path=str(path),
            size=size,
            scheme=scheme_of(network, counts, stored),
            bits_per_weight=round(stored.bits / stored.n_params, 4) if stored.n_params else None,
            is_quantized="FakeQuantize" in counts or sum(stored.packed.values()) * 2 > stored.n_params > 0,
            tensor_types=stored.types,
            details={"ir_version": network.version, "task_is_guess": True, "structure_is_guess": True},
        ),
    )


def weights_of(network: Network) -> Stored:
    """Count the constants that are weights; scales and zero points only weigh."""
    side = _side_constants(network)
    types: Counter[str] = Counter()
    packed: Counter[str] = Counter()
    groups: Counter[int] = Counter()
    bits = 0
    for layer in network.layers:
        if layer.kind != "Const":
            continue
        kind, shape = layer.data.get("element_type", ""), _shape_of(layer)
        elements = math.prod(shape)
        is_weight = elements > 1 and layer.id not in side and kind in _FLOATS | _INTEGERS
        if is_weight:
            types[kind.upper()] += elements
        if is_weight and kind in _INTEGERS:
            packed[kind] += elements
            if BITS[kind] <= 4 and len(shape) == 3:
                groups[shape[-1]] += elements
        if is_weight or layer.id in side:
            bits += elements * BITS.get(kind, 0)
    return Stored(sum(types.values()), bits, dict(types.most_common()), packed, groups.most_common(1)[0][0] if groups else None)


def scheme_of(network: Network, counts: Mapping[str, int], stored: Stored) -> str | None:
    """Our scheme key: FakeQuantize means static int8; else the type of most weights; rt_info gives the share of mixed ones."""
    if "FakeQuantize" in counts:
        return "int8-static"
    if not stored.types:
        return None
    majority = next(iter(stored.types)).lower()
    if majority == "nf4":
        return "NF4"
    if majority in ("i4", "u4"):
        group = f"g{stored.group}" if stored.group else "channel"
        return f"int4-weights-{group}{_ratio(network)}"
    if majority in ("i8", "u8"):
        return "int8-weights"
    return {"f32": "F32", "f16": "fp16", "bf16": "BF16"}.get(majority)


def macs_of(network: Network) -> float | None:
    """Of one inference; None when a shape it needs is not fixed or a nested body does the work."""
    total = 0
    for layer in network.layers:
        macs = _layer_macs(layer)
        if macs is None or (macs and layer.is_nested):
            return None
        total += macs
    return float(total)


def activations_of(network: Network) -> float | None:
    """Elements that the layers write, of those whose shapes are fixed."""
    shapes = [shape for layer in network.layers if layer.kind not in _QUIET and not layer.is_nested for shape in layer.outputs]
    return float(sum(math.prod(size or 0 for size in shape) for shape in shapes if None not in shape))


def _layer_macs(layer: Layer) -> int | None:
    inputs = [_fixed(shape) for shape in layer.inputs]
    output = _fixed(layer.outputs[0]) if layer.outputs else None
    first, second = inputs[0] if inputs else None, inputs[1] if len(inputs) > 1 else None
    if layer.kind == "Convolution":
        return convolution(output, second)
    if layer.kind == "GroupConvolution":  # groups, output channels, input channels, kernel
        return convolution(output, second[1:] if second else None)
    if layer.kind == "ConvolutionBackpropData":
        return convolution(first, second)
    if layer.kind == "GroupConvolutionBackpropData":
        return convolution(first, second[1:] if second else None)
    if layer.kind == "MatMul":
        turned = layer.data.get("transpose_a") == "true"
        return product(output, (first[-2] if turned and len(first) > 1 else first[-1]) if first else None)
    if layer.kind in ("LSTMSequence", "GRUSequence", "RNNSequence"):
        weights = [shape for shape in inputs if shape and len(shape) == 3][-2:]
        return recurrent(first, *weights) if len(weights) == 2 else None
    if layer.kind == "ScaledDotProductAttention":
        return math.prod(first) * second[-2] * 2 if first and second and len(second) > 1 else None
    return 0


def _side_constants(network: Network) -> set[str]:
    """Ids of constants that are scales or zero points of integer weights, or limits of FakeQuantize."""
    by_id = {layer.id: layer for layer in network.layers}
    side: set[str] = set()
    for layer in network.layers:
        sources = [_constant_behind(network, by_id, layer, port) for port in layer.input_ports]
        if layer.kind == "FakeQuantize":
            side.update(source.id for source in sources[1:] if source)
        elif layer.kind in ("Subtract", "Multiply") and len(sources) == 2:
            left, right = sources
            if left and right and left is not right and left.data.get("element_type") in _INTEGERS:
                side.add(right.id)
    return side


def _constant_behind(network: Network, by_id: Mapping[str, Layer], layer: Layer, port: str) -> Layer | None:
    """The constant that feeds a port through conversions; of an arithmetic operator the one on its first port."""
    for _ in range(8):
        source = by_id.get(network.edges.get((layer.id, port), ""))
        if source is None or source.kind == "Const":
            return source
        if source.kind not in _PASSING or not source.input_ports:
            return None
        layer, port = source, source.input_ports[0]
    return None


def _n_operators(network: Network) -> int:
    """Layers that run at each inference: those that only unpack constants are folded before."""
    folded: set[str] = set()
    count = 0
    for layer in network.layers:
        sources = [network.edges.get((layer.id, port), "") for port in layer.input_ports]
        if layer.kind == "Const" or (sources and all(source in folded for source in sources)):
            folded.add(layer.id)
        elif layer.kind not in ("Parameter", "Result"):
            count += 1
    return count


def _ratio(network: Network) -> str:
    """`-r0.8` when weight compression kept a part of the layers in 8 bits."""
    for path, value in network.info.items():
        if path.endswith("weight_compression.ratio") and re.fullmatch(r"0?\.\d{1,4}", value):
            return f"-r{float(value):g}"
    return ""


def _shape_of(layer: Layer) -> tuple[int, ...]:
    text = layer.data.get("shape", "")
    sizes = [part.strip() for part in text.split(",")] if text.strip() else []
    if any(not part.isascii() or not part.isdigit() or len(part) > 18 for part in sizes) or len(sizes) > 16:
        raise Malformed(f"has a constant `{layer.name[:60]}` of an impossible shape")
    return tuple(int(part) for part in sizes)


def _number(text: str | None) -> int:
    return int(text) if text and text.isascii() and text.isdigit() and len(text) < 19 else 0


def _fixed(shape: Shape) -> tuple[int, ...] | None:
    sizes = tuple(size for size in shape if size is not None)
    return sizes if len(sizes) == len(shape) else None


def _output(layer: Layer) -> Shape | None:
    return layer.outputs[0] if layer.outputs else None


def _name(layer: Layer) -> str:
    return (layer.output_names[0] if layer.output_names else "") or layer.name
