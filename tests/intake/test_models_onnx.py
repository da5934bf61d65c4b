from __future__ import annotations

import sys
from pathlib import Path

import pytest

from recommender.domain.errors import ModelFileError
from recommender.intake.model_files import read_model
from tests.graph_files import CONV_MACS, CONV_PARAMS, conv_net, write_onnx

np = pytest.importorskip("numpy")
onnx = pytest.importorskip("onnx")
node = onnx.helper.make_node


def zeros(*shape: int, dtype: str = "float32"):
    return np.zeros(shape, dtype)


@pytest.mark.parametrize(("batch", "dynamic"), [(1, False), ("batch", True), (None, True)])
def test_convolutions_depthwise_gemm_and_batch(tmp_path: Path, batch, dynamic) -> None:
    spec = read_model(str(conv_net(tmp_path / "net.onnx", batch)))
    assert (spec.n_params, spec.macs, spec.n_operators) == (CONV_PARAMS, CONV_MACS, 5)
    assert spec.activations == 512 + 512 + 8 + 10
    assert (spec.structure, spec.task, spec.modality, spec.input) == ("cnn", "image-classification", "vision", "1x3x8x8")
    assert spec.operators == ("Conv", "Flatten", "Gemm", "GlobalAveragePool") and spec.dynamic_shapes is dynamic
    artifact = spec.artifact
    assert artifact is not None and (artifact.scheme, artifact.is_quantized, artifact.bits_per_weight) == ("F32", False, 32.0)
    assert artifact.details["opset"] == 17 and ("substituted" in artifact.details) is dynamic


@pytest.mark.parametrize(
    ("nodes", "inputs", "weights", "macs"),
    [
        ([node("ConvTranspose", ["x", "w"], ["y"], strides=[2, 2])], [1, 4, 5, 5], {"w": zeros(4, 6, 2, 2)}, 4 * 25 * 6 * 4),
        ([node("MatMul", ["x", "w"], ["y"])], [2, 7, 16], {"w": zeros(16, 5)}, 2 * 7 * 5 * 16),
        ([node("Gemm", ["x", "w"], ["y"], transA=1)], [16, 3], {"w": zeros(16, 5)}, 3 * 5 * 16),
        (
            [node("LSTM", ["x", "w", "r"], ["y"], hidden_size=8)],
            [5, 2, 4],
            {"w": zeros(1, 32, 4), "r": zeros(1, 32, 8)},
            10 * (128 + 256),
        ),
        (
            [node("GRU", ["x", "w", "r"], ["y"], hidden_size=8)],
            [5, 1, 4],
            {"w": zeros(1, 24, 4), "r": zeros(1, 24, 8)},
            5 * (96 + 192),
        ),
        ([node("Relu", ["x"], ["y"])], [1, 4], {}, 0),
    ],
)
def test_macs_of_operators(tmp_path: Path, nodes, inputs, weights, macs) -> None:
    path = write_onnx(tmp_path / "op.onnx", nodes, {"x": inputs}, {"y": None}, weights)
    assert read_model(str(path)).macs == macs


def test_free_dimension_beside_the_batch_leaves_macs_unknown(tmp_path: Path) -> None:
    path = write_onnx(
        tmp_path / "n.onnx", [node("MatMul", ["x", "w"], ["y"])], {"x": ["b", "tokens", 16]}, {"y": None}, {"w": zeros(16, 5)}
    )
    spec = read_model(str(path))
    assert spec.macs is None and spec.n_params == 80 and spec.dynamic_shapes is True and spec.input == "1x?x16"


def attention_net(path: Path) -> Path:
    nodes = []
    last = "x"
    for layer in range(2):
        q, k, v, s, p, o, y = (f"{name}{layer}" for name in "qkvspoy")
        nodes += [
            node("MatMul", [last, "w"], [q]),
            node("MatMul", [last, "w"], [v]),
            node("Transpose", [q], [k], perm=[0, 2, 1]),
            node("MatMul", [q, k], [s]),
            node("Softmax", [s], [p]),
            node("MatMul", [p, v], [o]),
            node("LayerNormalization", [o, "g", "g"], [y]),
        ]
        last = y
    return write_onnx(path, nodes, {"x": [1, 6, 16]}, {last: None}, {"w": zeros(16, 16), "g": zeros(16)})


@pytest.mark.parametrize(
    ("build", "structure"),
    [
        (attention_net, "transformer"),
        (
            lambda path: write_onnx(
                path,
                [node("Gemm", ["x", "w"], ["h"]), node("Relu", ["h"], ["y"])],
                {"x": [1, 4]},
                {"y": None},
                {"w": zeros(4, 3)},
            ),
            "mlp",
        ),
        (
            lambda path: write_onnx(
                path,
                [node("LSTM", ["x", "w", "r"], ["y"], hidden_size=8)],
                {"x": [5, 1, 4]},
                {"y": None},
                {"w": zeros(1, 32, 4), "r": zeros(1, 32, 8)},
            ),
            "recurrent",
        ),
        (
            lambda path: write_onnx(
                path, [node("TreeEnsembleRegressor", ["x"], ["y"], domain="ai.onnx.ml")], {"x": [1, 4]}, {"y": None}, {}
            ),
            "tree-ensemble",
        ),
    ],
)
def test_structure(tmp_path: Path, build, structure) -> None:
    assert read_model(str(build(tmp_path / "s.onnx"))).structure == structure


QUANTIZED = {
    "int8-static": (
        [
            node("QuantizeLinear", ["x", "s", "z"], ["q"]),
            node("DequantizeLinear", ["q", "s", "z"], ["f"]),
            node("DequantizeLinear", ["w", "s", "z"], ["wf"]),
            node("Conv", ["f", "wf"], ["y"]),
        ],
        {"w": zeros(8, 3, 3, 3, dtype="int8"), "s": np.float32(1), "z": np.int8(0)},
    ),
    "int8-static-a16": (
        [
            node("QuantizeLinear", ["x", "s", "z16"], ["q"]),
            node("DequantizeLinear", ["q", "s", "z16"], ["f"]),
            node("DequantizeLinear", ["w", "s", "z"], ["wf"]),
            node("Conv", ["f", "wf"], ["y"]),
        ],
        {"w": zeros(8, 3, 3, 3, dtype="int8"), "s": np.float32(1), "z": np.int8(0), "z16": np.uint16(0)},
    ),
    "int8-dynamic": (
        [
            node("DynamicQuantizeLinear", ["x"], ["q", "qs", "qz"]),
            node("ConvInteger", ["q", "w", "qz"], ["i"]),
            node("Cast", ["i"], ["y"], to=1),
        ],
        {"w": zeros(8, 3, 3, 3, dtype="uint8")},
    ),
    "int8-weights": (
        [node("DequantizeLinear", ["w", "s", "z"], ["wf"]), node("Conv", ["x", "wf"], ["y"])],
        {"w": zeros(8, 3, 3, 3, dtype="int8"), "s": np.float32(1), "z": np.int8(0)},
    ),
}


@pytest.mark.parametrize("scheme", QUANTIZED)
def test_quantized_graphs(tmp_path: Path, scheme: str) -> None:
    nodes, weights = QUANTIZED[scheme]
    spec = read_model(str(write_onnx(tmp_path / "q.onnx", nodes, {"x": [1, 3, 8, 8]}, {"y": None}, weights, opset=21)))
    assert spec.artifact is not None and (spec.artifact.scheme, spec.artifact.is_quantized) == (scheme, True)
    assert (spec.n_params, spec.macs) == (216, 8 * 36 * 27)


def test_packed_products(tmp_path: Path) -> None:
    nodes = [node("MatMulNBits", ["x", "w", "s"], ["y"], domain="com.microsoft", K=64, N=32, bits=4, block_size=32)]
    path = write_onnx(
        tmp_path / "n.onnx", nodes, {"x": [1, 64]}, {"y": [1, 32]}, {"w": zeros(32, 2, 16, dtype="uint8"), "s": zeros(64)}
    )
    spec = read_model(str(path))
    assert (spec.n_params, spec.macs) == (64 * 32, 64 * 32)
    assert (
        spec.artifact is not None and spec.artifact.scheme == "int4-weights-g32" and spec.artifact.bits_per_weight == 4 + 32 / 32
    )


def test_shapes_pass_through_the_operators_of_onnx_runtime(tmp_path: Path) -> None:
    packed = {"K": 64, "N": 64, "bits": 4, "block_size": 32}
    nodes = [
        node("MatMulNBits", ["x", "w", "s"], ["a"], domain="com.microsoft", **packed),
        node("FastGelu", ["a"], ["b"], domain="com.microsoft"),
        node("SkipLayerNormalization", ["b", "x", "g"], ["c", "", "", "d"], domain="com.microsoft"),
        node("MatMulNBits", ["c", "w", "s"], ["y"], domain="com.microsoft", **packed),
    ]
    weights = {"w": zeros(64, 2, 16, dtype="uint8"), "s": zeros(128), "g": zeros(64)}
    spec = read_model(str(write_onnx(tmp_path / "p.onnx", nodes, {"x": ["b", 7, 64]}, {"y": None}, weights)))
    assert spec.macs == 2 * 7 * 64 * 64
    assert spec.operators == ("FastGelu", "MatMulNBits", "SkipLayerNormalization")


@pytest.mark.parametrize("kind", ["QDQ", "QOperator", "contributed"])
def test_files_that_onnx_runtime_quantized(tmp_path: Path, kind: str) -> None:
    quantization = pytest.importorskip("onnxruntime.quantization")
    feeds = [{"x": np.ones((1, 3, 8, 8), "float32")}]

    class Reader(quantization.CalibrationDataReader):
        def get_next(self):
            return feeds.pop() if feeds else None

    options = {"quant_format": quantization.QuantFormat.QOperator} if kind == "QOperator" else {}
    if kind == "contributed":
        options = {"activation_type": quantization.QuantType.QUInt16, "extra_options": {"UseQDQContribOps": True}}
    quantization.quantize_static(conv_net(tmp_path / "net.onnx"), tmp_path / "q.onnx", Reader(), **options)
    spec = read_model(str(tmp_path / "q.onnx"))
    assert (spec.n_params, spec.macs, spec.structure, spec.task) == (CONV_PARAMS, CONV_MACS, "cnn", "image-classification")
    assert spec.artifact is not None and spec.artifact.is_quantized is True
    assert spec.artifact.scheme == ("int8-static-a16" if kind == "contributed" else "int8-static")


def test_weights_outside_the_file(tmp_path: Path) -> None:
    options = {"save_as_external_data": True, "location": "w.data", "size_threshold": 0}
    path = write_onnx(
        tmp_path / "e.onnx", [node("MatMul", ["x", "w"], ["y"])], {"x": [1, 512]}, {"y": None}, {"w": zeros(512, 512)}, **options
    )
    spec = read_model(str(path))
    assert spec.n_params == 512 * 512 and spec.macs == 512 * 512
    assert spec.artifact is not None and spec.artifact.size == path.stat().st_size + (tmp_path / "w.data").stat().st_size
    (tmp_path / "w.data").unlink()
    assert "w.data" in read_model(str(path)).note


def test_memory_does_not_grow_with_the_weights(tmp_path: Path) -> None:
    path = write_onnx(
        tmp_path / "big.onnx", [node("MatMul", ["x", "w"], ["y"])], {"x": [1, 4000]}, {"y": None}, {"w": zeros(4000, 4000)}
    )
    from recommender.intake.models.onnx_strip import strip
    from recommender.intake.models.reading import open_window

    with open_window(path) as window:
        assert len(strip(window).model) < 1000 < 64_000_000 <= window.size


@pytest.mark.parametrize(
    ("data", "because"),
    [
        (b"\xff\xd8\xff\xe0\0\x10JFIF", "not an ONNX file: it is a JPEG image"),
        (b"", "empty"),
        (b"hello world", "not an ONNX file"),
        (b"\x08\x07", "no graph"),
        (b"\x80\x04\x95", "pickle"),
        (b"\x08\x07\x3a\xff\xff\xff\x7f", "ends early"),
    ],
)
def test_bad_onnx(tmp_path: Path, data: bytes, because: str) -> None:
    path = tmp_path / "photo.onnx"
    path.write_bytes(data)
    with pytest.raises(ModelFileError) as caught:
        read_model(str(path))
    assert str(path) in caught.value.message and because in caught.value.message and caught.value.hints


def test_tensor_data_that_do_not_fit_their_shape(tmp_path: Path) -> None:
    tensor = onnx.TensorProto(name="w", data_type=1, dims=[10, 10], raw_data=b"\0" * 8)
    graph = onnx.GraphProto(name="g", node=[node("Relu", ["w"], ["y"])], initializer=[tensor])
    (tmp_path / "t.onnx").write_bytes(onnx.ModelProto(ir_version=8, graph=graph).SerializeToString())
    with pytest.raises(ModelFileError, match="8 bytes of data where its shape needs 400"):
        read_model(str(tmp_path / "t.onnx"))


def test_without_the_onnx_package_the_error_says_how_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = conv_net(tmp_path / "net.onnx")
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(ModelFileError, match="needs the onnx package") as caught:
        read_model(str(path))
    assert str(path) in caught.value.message and caught.value.hints == ("pip install onnx",)
