"""AI Hub through its real client, against a server on 127.0.0.1 that speaks its wire format. Every case in a child: the client has global state."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

pytestmark = pytest.mark.skipif(find_spec("qai_hub") is None, reason="qai_hub is not installed")
S24 = "Samsung Galaxy S24"
JOBS = "recommender.executors.qualcomm.hub_jobs"


@pytest.fixture(scope="module")
def signed_in(service: str, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., dict[str, str]]:
    """The environment of a child whose client has a token; the address may be another one."""

    def with_token(token: str, address: str = "") -> dict[str, str]:
        home = tmp_path_factory.mktemp("home")
        path = home / "client.ini"
        url = address or service
        path.write_text(f"[api]\napi_token = {token}\napi_url = {url}\nweb_url = {url}\nverbose = True\n")
        return {"QAIHUB_CLIENT_INI": str(path), "HOME": str(home)}

    return with_token


def activations(path: Path) -> set[str]:
    """Types that the model quantizes to."""
    model = onnx.load(path)
    types = {tensor.name: onnx.helper.tensor_dtype_to_np_dtype(tensor.data_type).name for tensor in model.graph.initializer}
    return {types[node.input[2]] for node in model.graph.node if node.op_type == "QuantizeLinear"}


@pytest.mark.parametrize(("scheme", "form", "types"), [("w8a16", "context-binary", {"uint16"}), ("w8a8", "onnx", {"uint8"}), ("fp16", "onnx", set())])
def test_quantize_and_compile(scheme: str, form: str, types: set[str], prepare: Any, signed_in: Any, cnn: Any) -> None:
    made = prepare("hub", cnn.model, scheme=scheme, calibration=cnn.calibration, environ=signed_in("works"), device=S24.lower(), format=form)
    assert made.ok, made.message
    artifact, facts = Path(made.value["out"], made.value["artifact"]), made.value["facts"]
    assert activations(artifact / "model.onnx" if form == "context-binary" else artifact) == types
    assert facts["device"] == S24 and facts["compile_options"] == f"--target_runtime {'onnx' if form == 'onnx' else 'precompiled_qnn_onnx'}"
    assert (facts["quantize_job"] is None) == (scheme == "fp16")
    if not types:
        assert artifact.read_bytes() == Path(cnn.model).read_bytes()  # sent in parts and put together again
    assert facts["file_size"] > 100_000 and [path.name for path in Path(made.value["out"]).iterdir()] == [artifact.name]


def test_profile_on_the_device(child: Any, signed_in: Any, cnn: Any) -> None:
    done = child(f"{JOBS}:profile", environ=signed_in("works"), artifact=str(cnn.model), device=S24, options={"compute_unit": "npu"})
    assert done.ok, done.message
    told, n_nodes = done.value, len(onnx.load(cnn.model).graph.node)
    assert told["placement"] == {"npu": n_nodes, "gpu": 0, "cpu": 0} and told["n_layers"] == n_nodes
    assert told["metrics"] == {"latency": pytest.approx(0.001234), "load_time": pytest.approx(0.2), "first_load_time": pytest.approx(0.5), "peak_memory": 3 << 20}
    assert told["device"] == S24 and told["job_id"]


def test_layers_elsewhere_than_on_the_npu_are_a_fallback(child: Any, signed_in: Any, cnn: Any) -> None:
    arguments = {"environ": signed_in("partly"), "artifact": str(cnn.model), "device": S24}
    refused = child(f"{JOBS}:profile", **arguments, options={"compute_unit": "npu"})
    assert refused.kind == "fallback" and "layers did not run on the npu: 1 Gemm" in refused.message
    allowed = child(f"{JOBS}:profile", **arguments, options={"compute_unit": "npu", "allow_cpu_fallback": True})
    assert allowed.ok and allowed.value["placement"]["cpu"] == 1 and allowed.value["placement_time"]["cpu"] > 0.2


def test_inference_gives_back_what_the_model_computes(child: Any, signed_in: Any, cnn: Any, tmp_path: Path) -> None:
    with np.load(cnn.test) as stored:
        np.savez(tmp_path / "inputs.npz", image=stored["image"][:5], labels=stored["labels"][:5])
        labels = stored["labels"][:5]
    done = child(f"{JOBS}:infer", environ=signed_in("works"), artifact=str(cnn.model), device=S24, inputs=str(tmp_path / "inputs.npz"), outputs=str(tmp_path / "outputs.npz"))
    assert done.ok, done.message
    assert done.value["n_samples"] == 5 and done.value["outputs"] == ["scores"]
    with np.load(tmp_path / "outputs.npz") as stored:
        assert stored["scores"].shape == (5, 10) and (stored["scores"].argmax(1) == labels).mean() >= 0.8


def test_a_context_is_sent_with_the_binary_beside_it(child: Any, signed_in: Any, tmp_path: Path) -> None:
    node = onnx.helper.make_node("EPContext", ["x"], ["y"], domain="com.microsoft", embed_mode=0, ep_cache_context="model_qnn.bin", main_context=1)
    value = [onnx.helper.make_tensor_value_info(name, 1, [1, 2]) for name in "xy"]
    onnx.save(onnx.helper.make_model(onnx.helper.make_graph([node], "g", value[:1], value[1:])), tmp_path / "model_ctx.onnx")
    (tmp_path / "model_qnn.bin").write_bytes(b"context")
    (tmp_path / "notes.json").write_text("{}")
    done = child("tests.executors.qualcomm.on_qnn:packed", artifact=str(tmp_path))
    assert done.ok and done.value == ["model_ctx.onnx", "model_qnn.bin"]


def test_no_token_is_one_line_with_what_to_type(prepare: Any, cnn: Any, tmp_path: Path) -> None:
    refused = prepare("hub", cnn.model, scheme="fp16", environ={"QAIHUB_CLIENT_INI": str(tmp_path / "none.ini"), "HOME": str(tmp_path)}, device=S24)
    assert refused.kind == "unsupported" and refused.message == f"AI Hub needs a token: there is no {tmp_path / 'none.ini'}"
    assert len(refused.hints) == 1 and refused.hints[0].startswith("qai-hub configure --api_token ")
    assert "Traceback" not in refused.log.read_text()


def test_a_file_without_a_token_is_one_line_too(prepare: Any, cnn: Any, tmp_path: Path) -> None:
    (tmp_path / "client.ini").write_text("[api]\napi_url = http://127.0.0.1:1\n")
    refused = prepare("hub", cnn.model, scheme="fp16", environ={"QAIHUB_CLIENT_INI": str(tmp_path / "client.ini")}, device=S24)
    assert refused.kind == "unsupported" and "\n" not in refused.message and "qai-hub configure" in refused.hints[0]


def test_the_token_is_shown_to_the_service_only(prepare: Any, signed_in: Any, cnn: Any, tmp_path: Path) -> None:
    secret = "0123456789abcdef-secret"
    refused = prepare("hub", cnn.model, scheme="fp16", environ=signed_in(secret), folder=tmp_path / "job", device=S24)
    assert refused.kind == "unsupported" and refused.message == "AI Hub does not accept the token: it is wrong or has expired"
    assert "qai-hub configure" in refused.hints[0]
    written = {path.name: path.read_bytes() for path in (tmp_path / "job").rglob("*") if path.is_file()}
    assert {"log.txt", "result.json", "reproduce.sh"} <= set(written)
    assert [name for name, data in written.items() if secret.encode() in data] == []
    assert secret not in str(refused.reproducer)


def test_an_unknown_device_names_those_near_it(prepare: Any, signed_in: Any, cnn: Any) -> None:
    refused = prepare("hub", cnn.model, scheme="fp16", environ=signed_in("works"), device="Samsung Galaxy S25")
    assert refused.kind == "unsupported" and "no device `Samsung Galaxy S25` (near: Samsung Galaxy S2" in refused.message


@pytest.mark.parametrize(
    ("token", "kind", "words"),
    [
        ("job-fails", "unsupported", "failed: Op NonMaxSuppression is not supported"),
        ("device-lost", "lost", "failed: The device went offline"),
        ("device-gone", "lost", "is not available"),
        ("drops", "lost", "AI Hub was lost"),
    ],
)
def test_what_goes_wrong_at_the_service_has_its_class(token: str, kind: str, words: str, prepare: Any, signed_in: Any, cnn: Any) -> None:
    started = time.monotonic()
    refused = prepare("hub", cnn.model, scheme="fp16", environ=signed_in(token), device=S24)
    assert refused.kind == kind and words in refused.message and "\n" not in refused.message, refused.message
    assert time.monotonic() - started < 40  # of the client's own patience: more than that, and minutes once something is sent


def test_a_service_that_is_away_is_noticed_at_once(prepare: Any, signed_in: Any, cnn: Any) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{free.getsockname()[1]}"
    started = time.monotonic()
    refused = prepare("hub", cnn.model, scheme="fp16", environ=signed_in("works", address), device=S24)
    assert refused.kind == "lost" and refused.message == f"AI Hub at {address} cannot be reached: ConnectionError"
    assert time.monotonic() - started < 30  # the client alone tries for 46 s


@pytest.mark.parametrize(("parameters", "words"), [({}, "names none"), ({"device": S24, "format": "gguf"}, "AI Hub makes context-binary")])
def test_requests_that_lack_something(parameters: dict[str, str], words: str, prepare: Any, signed_in: Any, cnn: Any) -> None:
    refused = prepare("hub", cnn.model, scheme="fp16", environ=signed_in("works"), **parameters)
    assert refused.kind == "unsupported" and words in refused.message
