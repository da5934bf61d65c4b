"""TensorFlow Lite, ExecuTorch, Core ML, ncnn, the closed formats, and folders."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from recommender.domain.errors import ModelFileError
from recommender.intake.model_files import read_model
from tests.graph_files import CONV_PARAMS, conv_net, flatbuffer_bytes, mlmodel_bytes, pte_bytes, tflite_bytes, write_mlpackage
from tests.model_files import DECODER_CONFIG, write_hf_folder, write_llama_gguf


@pytest.mark.parametrize(("quantized", "scheme"), [(True, "int8-static"), (False, "F32")])
def test_tflite(tmp_path: Path, quantized: bool, scheme: str) -> None:
    (tmp_path / "m.tflite").write_bytes(tflite_bytes(quantized=quantized))
    spec = read_model(str(tmp_path / "m.tflite"))
    assert spec.operators == ("CONV_2D", "FULLY_CONNECTED") and spec.n_params == 108 + 2560
    assert (spec.macs, spec.activations, spec.input, spec.task) == (64 * 4 * 27 + 2560, 266, "1x8x8x3", "image-classification")
    assert spec.artifact is not None and (spec.artifact.scheme, spec.artifact.is_quantized) == (scheme, quantized)
    assert spec.artifact.details["is_full_integer"] is quantized and spec.dynamic_shapes is False


def test_tflite_dynamic_and_compiled(tmp_path: Path) -> None:
    (tmp_path / "d.tflite").write_bytes(tflite_bytes(dynamic=True))
    assert read_model(str(tmp_path / "d.tflite")).dynamic_shapes is True
    (tmp_path / "e.tflite").write_bytes(tflite_bytes(custom="edgetpu-custom-op"))
    spec = read_model(str(tmp_path / "e.tflite"))
    assert spec.operators == ("edgetpu-custom-op",) and spec.macs is None and "Edge TPU" in spec.note
    assert spec.artifact is not None and spec.artifact.details["is_edge_tpu_compiled"] is True


def test_executorch(tmp_path: Path) -> None:
    (tmp_path / "m.pte").write_bytes(pte_bytes())
    spec = read_model(str(tmp_path / "m.pte"))
    assert spec.operators == ("aten::convolution.out",) and spec.input == "1x3x8x8" and spec.n_params is None
    assert (
        spec.artifact is not None
        and spec.artifact.format == "pte"
        and spec.artifact.details["delegates"] == {"XnnpackBackend": 1}
    )


def test_core_ml(tmp_path: Path) -> None:
    (tmp_path / "m.mlmodel").write_bytes(mlmodel_bytes())
    for path in (write_mlpackage(tmp_path / "p.mlpackage"), tmp_path / "m.mlmodel"):
        spec = read_model(str(path))
        assert spec.input == "1x3x224x224" and spec.license == "mit" and spec.artifact is not None
        assert (spec.artifact.format, spec.artifact.details["type"], spec.artifact.details["specification_version"]) == (
            "mlpackage",
            "mlProgram",
            7,
        )
    assert read_model(str(tmp_path / "p.mlpackage")).artifact.details["weights_size"] == 1000


def test_core_ml_manifest_that_points_outside(tmp_path: Path) -> None:
    folder = write_mlpackage(tmp_path / "p.mlpackage")
    manifest = json.loads((folder / "Manifest.json").read_text())
    manifest["itemInfoEntries"]["A"]["path"] = "../../secret"
    (folder / "Manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(ModelFileError, match="outside it"):
        read_model(str(folder))


@pytest.mark.parametrize(
    ("name", "head", "format_"),
    [
        ("m.engine", b"ftrt", "engine"),
        ("m.hef", b"\x01HEF", "hef"),
        ("m.rknn", b"RKNN", "rknn"),
        ("m.dlc", b"PK\x03\x04", "dlc"),
        ("model_qnn_context.bin", b"\0\0\0\2", "context-binary"),
    ],
)
def test_closed_formats_say_what_cannot_be_read(tmp_path: Path, name: str, head: bytes, format_: str) -> None:
    (tmp_path / name).write_bytes(head + b"\0" * 96)
    spec = read_model(str(tmp_path / name))
    assert spec.artifact is not None and (spec.artifact.format, spec.artifact.size) == (format_, 96 + len(head))
    assert spec.n_params is None and "only its size can be read" in spec.note


def test_ncnn(tmp_path: Path) -> None:
    (tmp_path / "n.param").write_text("7767517\n3 3\nInput data 0 1 data\nConvolution c 1 1 data c\nSoftmax s 1 1 c out\n")
    (tmp_path / "n.bin").write_bytes(b"\0" * 10)
    spec = read_model(str(tmp_path / "n.param"))
    assert spec.operators == ("Convolution", "Softmax") and spec.structure == "cnn"


@pytest.mark.parametrize(
    "name", ["m.engine", "m.hef", "m.rknn", "m.dlc", "m.tflite", "m.pte", "m.mlmodel", "m.param", "m.bin", "m.unknown"]
)
def test_a_photo_under_another_name(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"\xff\xd8\xff\xe0" + b"\0" * 200)
    with pytest.raises(ModelFileError) as caught:
        read_model(str(tmp_path / name))
    assert name in caught.value.message and caught.value.hints


# --- folders ----------------------------------------------------------------------------------------------------------


def test_folder_takes_the_largest_and_says_so(tmp_path: Path) -> None:
    write_llama_gguf(tmp_path / "a.gguf")
    write_llama_gguf(tmp_path / "b.gguf", "F16", "F16")
    (tmp_path / "mmproj-x.gguf").write_bytes(b"\0" * 10_000_000)
    spec = read_model(str(tmp_path))
    assert spec.key == "b" and "read b.gguf" in spec.note and "a.gguf" in spec.note


def test_safetensors_go_before_gguf(tmp_path: Path) -> None:
    write_llama_gguf(write_hf_folder(tmp_path / "m") / "x.gguf")
    spec = read_model(str(tmp_path / "m"))
    assert spec.artifact is not None and spec.artifact.format == "safetensors" and "x.gguf" in spec.note


def test_graph_with_the_dimensions_of_its_configuration(tmp_path: Path) -> None:
    pytest.importorskip("onnx")
    conv_net(tmp_path / "model.onnx")
    decoder = {"hidden_size": 64, "num_hidden_layers": 3, "num_attention_heads": 4, "num_key_value_heads": 2, "head_size": 16}
    (tmp_path / "genai_config.json").write_text(
        json.dumps({"model": {"type": "phi3", "context_length": 4096, "vocab_size": 100, "decoder": decoder}})
    )
    spec = read_model(str(tmp_path))
    assert (spec.task, spec.architecture, spec.n_layers, spec.n_kv_heads, spec.context_length) == (
        "text-generation",
        "phi3",
        3,
        2,
        4096,
    )
    assert spec.n_params == CONV_PARAMS and spec.artifact is not None and spec.artifact.format == "onnx"
    (tmp_path / "config.json").write_text(json.dumps(DECODER_CONFIG))
    assert read_model(str(tmp_path)).architecture == "llama"


@pytest.mark.parametrize(
    ("files", "because"),
    [
        ({}, "no model file"),
        ({"a.txt": b"x"}, "no model file"),
        ({"model.safetensors": b"x"}, "no config.json"),
        ({"w.bin": b"x"}, "execute code"),
        ({"adapter_config.json": b'{"base_model_name_or_path": "meta/x y"}'}, "adapter"),
    ],
)
def test_folders_without_a_model(tmp_path: Path, files, because) -> None:
    for name, data in files.items():
        (tmp_path / name).write_bytes(data)
    with pytest.raises(ModelFileError, match=because) as caught:
        read_model(str(tmp_path))
    assert str(tmp_path) in caught.value.message and caught.value.hints


def test_operator_reference_out_of_range(tmp_path: Path) -> None:
    graph = {0: [], 1: ("i", [7]), 2: ("i", []), 3: []}
    (tmp_path / "r.tflite").write_bytes(flatbuffer_bytes({0: ("I", 3), 1: [], 2: [graph], 4: []}, b"TFL3"))
    with pytest.raises(ModelFileError, match="refers to a tensor"):
        read_model(str(tmp_path / "r.tflite"))


def test_importing_the_front_door_imports_no_framework() -> None:
    heavy = "onnx numpy openvino gguf google.protobuf"
    code = "import sys, recommender.intake.model_files, recommender.intake.models.directory\n"
    code += f"print([name for name in {heavy.split()} if name in sys.modules])"
    root = Path(__file__).resolve().parents[2]
    assert (
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=root).stdout.strip() == "[]"
    )
