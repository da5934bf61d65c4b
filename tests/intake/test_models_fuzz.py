"""Whatever happens to a file's bytes, reading it either works or is one ModelFileError, soon and within little memory."""

from __future__ import annotations

import time
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from recommender.domain.errors import ModelFileError
from recommender.intake.model_files import read_model
from tests.graph_files import compressed_ir, mlmodel_bytes, pte_bytes, tflite_bytes, write_onnx
from tests.model_files import (
    DECODER_CONFIG,
    decoder_tensors,
    gguf_bytes,
    llama_metadata,
    llama_tensors,
    safetensors_bytes,
    write_hf_folder,
)

SECONDS, BYTES = 2.0, 64 << 20
ENDINGS = ("gguf", "safetensors", "json", "onnx", "xml", "tflite", "pte", "mlmodel")
DEFECTS = st.tuples(
    st.one_of(st.none(), st.floats(0, 1)),  # cut here
    st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(1, 255)), max_size=8),  # flip there
    st.booleans(),  # near the start, where the counts are
)


def original(ending: str, folder: Path) -> bytes:
    if ending == "gguf":
        return gguf_bytes(llama_metadata(), llama_tensors("F16", "F16"))
    if ending == "safetensors":
        return safetensors_bytes(decoder_tensors(DECODER_CONFIG))
    if ending == "json":
        return (write_hf_folder(folder / "hf") / "config.json").read_bytes()
    if ending == "onnx":
        return _onnx(folder).read_bytes()
    if ending == "xml":
        return compressed_ir().encode()
    return {"tflite": tflite_bytes, "pte": pte_bytes, "mlmodel": mlmodel_bytes}[ending]()


def _onnx(folder: Path) -> Path:
    np, onnx = pytest.importorskip("numpy"), pytest.importorskip("onnx")
    nodes = [
        onnx.helper.make_node("Conv", ["x", "w"], ["a"], pads=[1, 1, 1, 1]),
        onnx.helper.make_node("Reshape", ["a", "s"], ["b"]),
        onnx.helper.make_node("MatMul", ["b", "m"], ["y"]),
    ]
    weights = {"w": np.zeros((4, 3, 3, 3), "float32"), "s": np.array([1, -1], "int64"), "m": np.zeros((256, 100), "float32")}
    return write_onnx(folder / "original.onnx", nodes, {"x": ["n", 3, 8, 8]}, {"y": None}, weights)


def damage(data: bytes, cut: float | None, flips: list[tuple[float, int]], near_start: bool) -> bytes:
    damaged = bytearray(data if cut is None else data[: int(cut * len(data))])
    reach = min(len(damaged), 512) if near_start else len(damaged)
    for place, mask in flips:
        if reach:
            damaged[int(place * reach)] ^= mask
    return bytes(damaged)


@pytest.fixture(scope="module")
def originals(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[bytes, Path]]:
    found = {}
    for ending in ENDINGS:
        folder = tmp_path_factory.mktemp(ending)
        data = original(ending, folder)
        place = {"safetensors": "model.safetensors", "json": "hf/config.json"}.get(ending, f"m.{ending}")
        if ending == "safetensors":
            write_hf_folder(folder)
        if ending == "xml":
            (folder / "m.bin").write_bytes(b"\0" * 1104)
        found[ending] = (data, folder / place)
    return found


@pytest.mark.parametrize("ending", ENDINGS)
@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(defects=DEFECTS)
@example(defects=(None, [], False))
def test_damaged_files(originals, ending: str, defects) -> None:
    data, path = originals[ending]
    path.write_bytes(damage(data, *defects))
    started = time.process_time()
    tracemalloc.start()
    try:
        spec = read_model(str(path))
    except ModelFileError as problem:
        assert str(path) in problem.message and "\n" not in problem.message and problem.hints
    else:
        assert spec.key
    finally:
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert time.process_time() - started < SECONDS and peak < BYTES


@pytest.mark.parametrize("ending", [*ENDINGS, "mlpackage", "hef", "bin"])
@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.binary(max_size=300))
def test_arbitrary_bytes(tmp_path_factory: pytest.TempPathFactory, ending: str, data: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / f"noise.{ending}"
    path.write_bytes(data)
    with pytest.raises(ModelFileError) as caught:
        read_model(str(path))
    assert str(path) in caught.value.message and caught.value.hints
