"""Writers of small but real graph files: FlatBuffers, ONNX, OpenVINO IR, Core ML. For tests only."""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

# --- FlatBuffers ------------------------------------------------------------------------------------------------------

Fields = Mapping[
    int, Any
]  # field index -> ("b", 3) scalar | ("i", [1, 2]) vector | str | bytes | mapping (table) | list of mappings


def flatbuffer_bytes(root: Fields, identifier: bytes, extra: bytes = b"") -> bytes:
    """Parents before children, so that all offsets point forward. `extra` follows the identifier (ExecuTorch's header)."""
    buffer = bytearray(b"\0\0\0\0" + identifier + extra)
    _patch(buffer, 0, _table(buffer, root))
    return bytes(buffer)


def _patch(buffer: bytearray, at: int, target: int) -> None:
    struct.pack_into("<I", buffer, at, target - at)


def _align(buffer: bytearray, to: int = 8) -> None:
    buffer.extend(b"\0" * (-len(buffer) % to))


def _table(buffer: bytearray, fields: Fields) -> int:
    slots = max(fields, default=-1) + 1
    _align(buffer)
    vtable = len(buffer)
    buffer.extend(struct.pack("<HH", 4 + 2 * slots, 8 + 8 * slots))
    buffer.extend(b"".join(struct.pack("<H", 8 + 8 * slot if slot in fields else 0) for slot in range(slots)))
    _align(buffer)
    start = len(buffer)
    buffer.extend(struct.pack("<ii", start - vtable, 0) + b"\0" * 8 * slots)
    for slot, value in fields.items():
        at = start + 8 + 8 * slot
        if isinstance(value, tuple) and not isinstance(value[1], (list, tuple)):
            struct.pack_into("<" + value[0], buffer, at, value[1])
        else:
            _patch(buffer, at, _child(buffer, value))
    return start


def _child(buffer: bytearray, value: Any) -> int:
    if isinstance(value, Mapping):
        return _table(buffer, value)
    _align(buffer)
    buffer.extend(b"\0\0\0\0")  # so that elements of eight bytes are aligned behind the length
    start = len(buffer)
    if isinstance(value, (str, bytes)):
        data = value.encode() if isinstance(value, str) else value
        buffer.extend(struct.pack("<I", len(data)) + data + b"\0")
    elif isinstance(value, tuple):
        buffer.extend(struct.pack(f"<I{len(value[1])}{value[0]}", len(value[1]), *value[1]))
    else:
        buffer.extend(struct.pack("<I", len(value)) + b"\0" * 4 * len(value))
        for number, item in enumerate(value):
            _patch(buffer, start + 4 + 4 * number, _child(buffer, item))
    return start


def tflite_bytes(*, quantized: bool = True, custom: str | None = None, dynamic: bool = False) -> bytes:
    """Image 1x8x8x3 -> CONV_2D (4 filters of 3x3) -> FULLY_CONNECTED to 10, all int8 or all float."""
    kind, size = (9, 1) if quantized else (0, 4)
    scale = {2: ("f", [0.5]), 3: ("q", [0])} if quantized else {}

    def tensor(name: str, shape: list[int], buffer: int, type_: int = kind, signature: list[int] | None = None) -> dict[int, Any]:
        fields: dict[int, Any] = {0: ("i", shape), 1: ("b", type_), 2: ("I", buffer), 3: name, 4: scale}
        return {**fields, 7: ("i", signature)} if signature else fields

    tensors = [
        tensor("image", [1, 8, 8, 3], 0, signature=[-1, 8, 8, 3] if dynamic else None),
        tensor("filter", [4, 3, 3, 3], 1),
        tensor("features", [1, 8, 8, 4], 0),
        tensor("dense", [10, 256], 2),
        tensor("scores", [1, 10], 0),
    ]
    operators: list[dict[int, Any]] = [
        {0: ("I", 0), 1: ("i", [0, 1, -1]), 2: ("i", [2])},
        {0: ("I", 1), 1: ("i", [2, 3, -1]), 2: ("i", [4])},
    ]
    codes: list[dict[int, Any]] = [{0: ("b", 3), 3: ("i", 3)}, {0: ("b", 9), 3: ("i", 9)}]
    if custom:
        codes.append({0: ("b", 32), 1: custom, 3: ("i", 32)})
        operators = [{0: ("I", 2), 1: ("i", [0]), 2: ("i", [4])}]
    graph = {0: tensors, 1: ("i", [0]), 2: ("i", [4]), 3: operators, 4: "main"}
    buffers: list[dict[int, Any]] = [{}, {0: b"\1" * 108 * size}, {0: b"\1" * 2560 * size}]
    return flatbuffer_bytes({0: ("I", 3), 1: codes, 2: [graph], 3: "test", 4: buffers}, b"TFL3")


def pte_bytes() -> bytes:
    """A program with one operator and one delegate; input 1x3x8x8."""
    plan = {
        0: "forward",
        2: [{0: ("B", 5), 1: {0: ("b", 6), 2: ("i", [1, 3, 8, 8])}}],
        3: ("i", [0]),
        6: [{0: "aten::convolution", 1: "out"}],
        7: [{0: "XnnpackBackend"}],
    }
    header = b"eh00" + struct.pack("<IQQ", 24, 0, 0)
    return flatbuffer_bytes({0: ("I", 0), 1: [plan]}, b"ET12", header)


# --- ONNX -------------------------------------------------------------------------------------------------------------


def write_onnx(
    path: Path,
    nodes: Sequence[Any],
    inputs: Mapping[str, Any],
    outputs: Mapping[str, Any],
    weights: Mapping[str, Any],
    **more: Any,
) -> Path:
    """A model from onnx.helper nodes; inputs and outputs as name -> shape, weights as name -> numpy array."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    types = more.pop("types", {})
    graph = helper.make_graph(
        list(nodes),
        "test",
        [helper.make_tensor_value_info(name, types.get(name, TensorProto.FLOAT), shape) for name, shape in inputs.items()],
        [helper.make_tensor_value_info(name, types.get(name, TensorProto.FLOAT), shape) for name, shape in outputs.items()],
        [numpy_helper.from_array(array, name) for name, array in weights.items()],
    )
    opsets = [helper.make_opsetid("", more.pop("opset", 17)), helper.make_opsetid("com.microsoft", 1)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=8)
    onnx.save(model, str(path), **more)
    return path


def conv_net(path: Path, batch: object = 1) -> Path:
    """1x3x8x8 -> Conv 8x3x3x3 -> depthwise 8x1x3x3 -> global average -> Gemm to 10."""
    import numpy as np
    from onnx.helper import make_node as node

    nodes = [
        node("Conv", ["x", "w1"], ["a"], pads=[1, 1, 1, 1]),
        node("Conv", ["a", "w2"], ["b"], pads=[1, 1, 1, 1], group=8),
        node("GlobalAveragePool", ["b"], ["c"]),
        node("Flatten", ["c"], ["d"]),
        node("Gemm", ["d", "w3", "b3"], ["y"], transB=1),
    ]
    weights = {
        "w1": np.zeros(
            (
                8,
                3,
                3,
                3,
            ),
            "float32",
        ),
        "w2": np.zeros(
            (
                8,
                1,
                3,
                3,
            ),
            "float32",
        ),
        "w3": np.zeros(
            (
                10,
                8,
            ),
            "float32",
        )
        + 1,
        "b3": np.zeros((10,), "float32") + 1,
    }
    return write_onnx(path, nodes, {"x": [batch, 3, 8, 8]}, {"y": [batch, 10]}, weights)


CONV_MACS = 8 * 8 * 8 * 27 + 8 * 8 * 8 * 9 + 80
CONV_PARAMS = 216 + 72 + 80 + 10


# --- OpenVINO IR ------------------------------------------------------------------------------------------------------


def layer(number: int, kind: str, data: str = "", inputs: int = 0, shape: tuple[int, ...] = (), name: str = "") -> str:
    dims = "".join(f"<dim>{size}</dim>" for size in shape)
    ports = "".join(f'<port id="{i}">{dims}</port>' for i in range(inputs))
    output = "" if kind == "Result" else f'<output><port id="{inputs}">{dims}</port></output>'
    return f'<layer id="{number}" name="{name or kind}" type="{kind}"><data {data}/><input>{ports}</input>{output}</layer>'


def compressed_ir(info: str = "") -> str:
    layers = [
        layer(0, "Parameter", 'shape="1,128" element_type="f32"', shape=(1, 128), name="x"),
        layer(1, "Const", 'element_type="u4" shape="16, 2, 64" offset="0" size="1024"', shape=(16, 2, 64)),
        layer(2, "Convert", "", 1, (16, 2, 64)),
        layer(3, "Const", 'element_type="u4" shape="16, 2, 1" offset="1024" size="16"', shape=(16, 2, 1)),
        layer(4, "Convert", "", 1, (16, 2, 1)),
        layer(5, "Subtract", "", 2, (16, 2, 64)),
        layer(6, "Const", 'element_type="f16" shape="16, 2, 1" offset="1040" size="64"', shape=(16, 2, 1)),
        layer(7, "Multiply", "", 2, (16, 2, 64)),
        layer(8, "Reshape", "", 1, (16, 128)),
        layer(9, "MatMul", 'transpose_a="false" transpose_b="true"', 2, (1, 128)),
        layer(10, "Result", "", 1, (1, 16)),
    ]
    wires = [
        (1, 0, 2, 0),
        (3, 0, 4, 0),
        (2, 1, 5, 0),
        (4, 1, 5, 1),
        (5, 2, 7, 0),
        (6, 0, 7, 1),
        (7, 2, 8, 0),
        (0, 0, 9, 0),
        (8, 1, 9, 1),
        (9, 2, 10, 0),
    ]
    edges = "".join(f'<edge from-layer="{a}" from-port="{b}" to-layer="{c}" to-port="{d}"/>' for a, b, c, d in wires)
    body = f"<layers>{''.join(layers)}</layers><edges>{edges}</edges><rt_info>{info}</rt_info>"
    return f'<?xml version="1.0"?><net name="m" version="11">{body}</net>'


# --- Core ML ----------------------------------------------------------------------------------------------------------


def mlmodel_bytes() -> bytes:
    """Specification 7, an mlProgram with an image input of 224x224 and a licence."""
    from recommender.intake.models.wire import BYTES, VARINT, encode_field

    image = encode_field(1, VARINT, 224) + encode_field(2, VARINT, 224)
    feature = encode_field(1, BYTES, b"image") + encode_field(3, BYTES, encode_field(4, BYTES, image))
    metadata = encode_field(1, BYTES, b"a test") + encode_field(4, BYTES, b"mit")
    description = encode_field(1, BYTES, feature) + encode_field(100, BYTES, metadata)
    return encode_field(1, VARINT, 7) + encode_field(2, BYTES, description) + encode_field(502, BYTES, b"\x08\x01")


def write_mlpackage(folder: Path) -> Path:
    model = folder / "Data" / "com.apple.CoreML" / "model.mlmodel"
    (model.parent / "weights").mkdir(parents=True)
    model.write_bytes(mlmodel_bytes())
    (model.parent / "weights" / "weight.bin").write_bytes(b"\0" * 1000)
    entry = {"path": "com.apple.CoreML/model.mlmodel", "name": "model.mlmodel", "author": "com.apple.CoreML"}
    manifest = {"fileFormatVersion": "1.0.0", "itemInfoEntries": {"A": entry}, "rootModelIdentifier": "A"}
    (folder / "Manifest.json").write_text(json.dumps(manifest))
    return folder
