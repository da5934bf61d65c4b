"""Find and read a graph: an OpenVINO IR or an ONNX file, alone or in a folder."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from recommender.domain.errors import Unsupported

if TYPE_CHECKING:
    import numpy as np
    import openvino

_ENTRIES = ("openvino_model.xml", "model.xml", "model.onnx")
_CLASSIC = "ai.onnx.ml"  # the domain of scikit-learn's operators, of which OpenVINO has none


def entry(artifact: Path) -> Path:
    """The file that holds the graph. Raises Unsupported when there is none."""
    if artifact.is_dir():
        found = next((artifact / name for name in _ENTRIES if (artifact / name).is_file()), None)
        if found is None:
            raise Unsupported(f"no graph in `{artifact.name}`: looked for {', '.join(_ENTRIES)}")
        return found
    if artifact.suffix not in (".xml", ".onnx"):
        raise Unsupported(f"`{artifact.name}` is neither an OpenVINO IR (.xml) nor an ONNX file (.onnx)")
    if not artifact.is_file():
        raise Unsupported(f"no file `{artifact}`")
    return artifact


def read(path: Path) -> tuple[openvino.Model, tuple[str, ...]]:
    """The graph in `path`, and the names of the outputs that were left out because only they need operators that OpenVINO lacks.

    Raises Unsupported when it cannot be read; operators without a conversion are named.
    """
    import openvino

    try:
        if path.suffix == ".onnx":
            return _read_onnx(path)
        return openvino.Core().read_model(path), ()
    except RuntimeError as error:
        raise Unsupported(f"OpenVINO cannot read `{path.name}`: {reason(error)}") from None


def _read_onnx(path: Path) -> tuple[openvino.Model, tuple[str, ...]]:
    """A classifier of scikit-learn often needs the classic operators only to look its label up: then it is read without them."""
    import onnx
    import openvino
    from google.protobuf.message import DecodeError

    try:
        graph = onnx.load(path, load_external_data=False).graph
    except DecodeError:
        raise Unsupported(f"`{path.name}` is not an ONNX file") from None
    kept, tainted, operators = _readable(graph)
    if not kept:
        raise Unsupported(
            f"OpenVINO has no {', '.join(operators)}, on which every output of `{path.name}` depends; ONNX Runtime runs it as it is"
        )
    model = openvino.Core().read_model(io.BytesIO(_cut(onnx.load(path), kept, tainted)) if operators else path)
    weights = {each.name for each in graph.initializer}  # which old files list among the inputs
    for name in (*(each.name for each in graph.input if each.name not in weights), *kept.values()):
        _name_alone(model, name)
    return model, tuple(each.name for each in graph.output if each.name not in kept)


def _readable(graph: Any) -> tuple[Mapping[str, str], set[str], list[str]]:
    """Outputs that need no classic operator (name -> tensor that holds it), tensors that do, and the names of the classic operators there are.

    A ZipMap only rewrites probabilities as a list of dictionaries: the tensor before it is as good.
    """
    sources = {each.name: each.name for each in graph.output}
    tainted: set[str] = set()
    operators: set[str] = set()
    for node in graph.node:  # in topological order, by ONNX's rules
        if node.domain == _CLASSIC:
            operators.add(f"{node.domain}.{node.op_type}")
        if node.op_type == "ZipMap" and node.output[0] in sources:
            sources[node.output[0]] = node.input[0]
        if node.domain == _CLASSIC or tainted.intersection(node.input):
            tainted.update(node.output)
    return {name: source for name, source in sources.items() if source not in tainted}, tainted, sorted(operators)


def _cut(model: Any, kept: Mapping[str, str], tainted: set[str]) -> bytes:
    """The same model without what depends on classic operators."""
    from onnx import TensorProto, helper

    graph = model.graph
    known = {each.name: each for each in graph.output}
    outputs = [known.get(source) or helper.make_tensor_value_info(source, TensorProto.FLOAT, None) for source in kept.values()]
    nodes = [node for node in graph.node if not tainted.intersection(node.output)]
    del graph.node[:], graph.output[:]
    graph.node.extend(nodes)
    graph.output.extend(outputs)
    return bytes(model.SerializeToString())


def _name_alone(model: openvino.Model, name: str) -> None:
    """Drop the other names of a port: conversion merges the names of tensors that turn out to be the same."""
    for port in (*model.inputs, *model.outputs):
        if name in port.get_names():
            port.get_tensor().set_names({name})


def port_name(port: Any) -> str:
    """The name by which an input or output is fed or read; of several, its node's own or the first."""
    names, own = port.get_names(), str(port.get_node().get_friendly_name())
    return own if own in names or not names else str(min(names))


def language_inputs(model: Any, tokens: Sequence[int]) -> dict[str, np.ndarray]:
    """Inputs of a language model (or a compiled one) for one sequence from the start. Raises Unsupported when it wants others."""
    import numpy as np

    n = len(tokens)
    known: Mapping[str, Any] = {
        "input_ids": [tokens], "attention_mask": np.ones((1, n)), "position_ids": np.arange(n)[None], "token_type_ids": np.zeros((1, n)), "beam_idx": [0],
    }
    ports = {port_name(port): port for port in model.inputs}
    if unknown := sorted(ports.keys() - known.keys()):
        raise Unsupported(f"a language model with the input {', '.join(unknown)}")
    return {name: np.asarray(known[name], port.element_type.to_dtype()) for name, port in ports.items()}


def reason(error: Exception) -> str:
    """The telling line of a message of OpenVINO: the last that is not empty, without the list of places it passed through."""
    lines = [line.strip(" -") for line in str(error).splitlines() if line.strip()]
    return lines[-1][:300] if lines else type(error).__name__
