"""Small decoders for the tests of shape proxies: what a writer is told, the same as a Hugging Face folder, and what runs in a child process."""

from __future__ import annotations

import importlib
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

TESTS = Path(__file__).parents[1]
LAYERS = 2
_COSTLY = ("FullyConnected", "MatMul", "RMS", "RoPE", "ScaledDotProductAttention", "MemoryInput", "MemoryOutput", "Eltwise", "Transpose")


def model(architecture: str = "qwen3", **changes: Any) -> dict[str, Any]:
    """Fields of a ModelSpec."""
    return {
        "architecture": architecture, "task": "text-generation", "n_layers": LAYERS, "hidden_size": 256, "n_heads": 4, "n_kv_heads": 2, "head_dim": 64,
        "ffn_size": 512, "vocab_size": 2048, "context_length": 2048, "tied_embeddings": True, "n_experts": None, "attention": {"kind": "full"}, **changes,
    }


def answer(function: str, folder: Path, interpreter: Path = Path(sys.executable), **arguments: Any) -> Any:
    """What a function of this module returns, run in a child."""
    from recommender.measure.isolate import Job, run

    outcome = run(Job(
        function=f"{__name__}:{function}", arguments=arguments, folder=folder, interpreter=interpreter, packages={"tests": str(TESTS)}, wall=240,
    ))
    assert outcome.ok, (outcome.kind, outcome.message, outcome.log and outcome.log.read_text("utf-8", "replace")[-2000:])
    return outcome.value


def write_all(proxy: str, orders: Mapping[str, Mapping[str, Any]], out: str) -> dict[str, dict[str, Any]]:
    """By name: artifact, facts, and bytes by file of each {model, scheme, n_layers}; `proxy` is `module:attribute`."""
    from recommender.apply.step import write_proxy

    told = {}
    for name, order in orders.items():
        folder = Path(out) / name
        folder.mkdir(parents=True)
        made = write_proxy(proxy=proxy, out=str(folder), context=1024, **{"n_layers": LAYERS, **order})
        told[name] = {**made, "artifact": str(folder / made["artifact"]), "sizes": {file.name: file.stat().st_size for file in folder.rglob("*") if file.is_file()}}
    return told


def run_all(runner: str, artifacts: Mapping[str, str]) -> dict[str, dict[str, Any]]:
    """By name: what a session says, generates twice from one prompt, and whether all its logits are finite."""
    import numpy as np

    module, _, attribute = runner.partition(":")
    told = {}
    for name, artifact in artifacts.items():
        session = getattr(importlib.import_module(module), attribute).open(Path(artifact), {"n_threads": 1, "spin": "passive"})
        ids = session.tokenize("A text of bytes: é")
        logits = session.logits(ids)
        told[name] = {
            "ids": ids, "first": session.generate(ids, 6, lambda: None), "again": session.generate(ids, 6, lambda: None), "text": session.complete("Once", 3),
            "facts": json.loads(json.dumps(dict(session.facts), default=str)), "shape": list(logits.shape), "spread": float(np.std(logits)),
            "is_finite": bool(np.isfinite(logits).all()),
        }
        session.close()
    return told


def prepare(preparer: str, source: str, out: str, scheme: dict[str, Any]) -> str:
    """The artifact that a preparer of the product makes."""
    from recommender.ports import PrepareJob

    module, _, attribute = preparer.partition(":")
    Path(out).mkdir(parents=True)
    made = getattr(importlib.import_module(module), attribute).prepare(PrepareJob(source=Path(source), out=Path(out), scheme=scheme), print)
    return str(Path(out) / made.artifact)


def hugging_face(folder: Path, fields: Mapping[str, Any]) -> Path:
    """A checkpoint of the same shape, its weights random, its tokenizer that of bytes."""
    import numpy as np
    from safetensors.numpy import save_file

    from recommender.executors import byte_tokenizer
    from recommender.executors.decoder import decoder

    shape, draw = decoder(fields, n_layers=fields["n_layers"], context=0), np.random.default_rng(1)
    matrices = {"model.embed_tokens": (shape.n_vocab, shape.hidden)} | ({} if shape.is_tied else {"lm_head": (shape.n_vocab, shape.hidden)})
    norms = {"model.norm": shape.hidden}
    for layer in (f"model.layers.{number}" for number in range(shape.n_layers)):
        matrices |= {f"{layer}.{'mlp' if name in ('gate_proj', 'up_proj', 'down_proj') else 'self_attn'}.{name}": size for name, size in shape.matrices.items()}
        norms |= {f"{layer}.{name}": shape.hidden for name in ("input_layernorm", "post_attention_layernorm")}
        norms |= {f"{layer}.self_attn.{name}": shape.head_dim for name in ("q_norm", "k_norm")} if shape.has_head_norms else {}
    weights = {f"{name}.weight": draw.standard_normal(size, np.float32) / 50 for name, size in matrices.items()}
    weights |= {f"{name}.weight": draw.uniform(0.9, 1.1, size).astype(np.float32) for name, size in norms.items()}
    folder.mkdir(parents=True)
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    for name, told in (
        ("config.json", {**shape.config(), "dtype": "float32"}), ("tokenizer.json", byte_tokenizer.tokenizer(shape.n_vocab)),
        ("tokenizer_config.json", byte_tokenizer.tokenizer_config()),
    ):
        (folder / name).write_text(json.dumps(told), "utf-8")
    return folder


def executed(artifacts: Sequence[str]) -> list[dict[str, int]]:
    """Nodes of OpenVINO's executed graph by type, precision and kernel: those that take the time, not those that prepare shapes and masks."""
    from collections import Counter

    import openvino

    told = []
    for artifact in artifacts:
        graph = openvino.Core().compile_model(Path(artifact) / "openvino_model.xml", "CPU").get_runtime_model()
        kinds = (tuple(str(node.get_rt_info()[name].value) for name in ("layerType", "runtimePrecision", "primitiveType")) for node in graph.get_ops())
        told.append(dict(Counter(" ".join(kind) for kind in kinds if kind[0] in _COSTLY and kind[1] != "i32")))
    return told


def onnx_graph(artifact: str) -> dict[str, dict[str, Any]]:
    """nodes: name -> type, domain, inputs, outputs, attributes; tensors: name -> type and shape of the initializers; ports: name -> type."""
    import onnx
    from onnx import helper

    graph = onnx.load(Path(artifact) / "model.onnx", load_external_data=False).graph

    def value(attribute: Any) -> Any:
        return onnx.numpy_helper.to_array(attribute.t).tolist() if attribute.type == onnx.AttributeProto.TENSOR else helper.get_attribute_value(attribute)

    nodes = {node.name: [node.op_type, node.domain, list(node.input), list(node.output), {each.name: value(each) for each in node.attribute}] for node in graph.node}
    return {
        "nodes": nodes, "tensors": {tensor.name: [tensor.data_type, list(tensor.dims)] for tensor in graph.initializer},
        "ports": {port.name: port.type.tensor_type.elem_type for port in (*graph.input, *graph.output)},
    }


def safetensors(artifact: str) -> dict[str, list[Any]]:
    """Type and shape of each tensor by name."""
    content = (Path(artifact) / "model.safetensors").read_bytes()
    header = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
    return {name: [told["dtype"], told["shape"]] for name, told in header.items() if name != "__metadata__"}
