"""Run a graph, an OpenVINO IR or an ONNX file, with OpenVINO."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from recommender.domain.errors import Unsupported
from recommender.executors.openvino import device, graph, process
from recommender.ports import EXECUTOR_API, Availability, TensorSpec

if TYPE_CHECKING:
    import numpy as np
    import openvino


class Graph:
    """A compiled model with one request for single calls, and for many as many as its streams want."""

    def __init__(self, model: openvino.Model, compiled: openvino.CompiledModel, facts: Mapping[str, Any]):
        self.facts = facts
        self.inputs = tuple(_spec(port) for port in model.inputs)
        self._outputs = [graph.port_name(port) for port in model.outputs]  # compilation merges names of tensors that turn out to be the same
        self._compiled: openvino.CompiledModel | None = compiled
        self._request = compiled.create_infer_request()
        self._queue: openvino.AsyncInferQueue | None = None

    def run(self, feeds: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """One inference; the arrays are the caller's own. Raises Unsupported for inputs that do not fit."""
        try:
            found = self._request.infer(dict(feeds), share_inputs=True)
        except RuntimeError as error:
            raise Unsupported(f"OpenVINO cannot run the graph: {graph.reason(error)}") from None
        return {name: found[index] for index, name in enumerate(self._outputs)}

    def run_all(self, feeds: Sequence[Mapping[str, np.ndarray]]) -> None:
        """All of them, over the device's streams."""
        import openvino

        if self._queue is None:
            self._queue = openvino.AsyncInferQueue(self._compiled)
        for each in feeds:
            self._queue.start_async(dict(each), share_inputs=True)
        self._queue.wait_all()

    def close(self) -> None:
        self._queue = self._request = self._compiled = None


def _spec(port: Any) -> TensorSpec:
    shape = port.partial_shape
    if shape.rank.is_dynamic:
        raise Unsupported(f"the input {graph.port_name(port)} has no fixed number of dimensions")
    return TensorSpec(
        name=graph.port_name(port), dtype=port.element_type.to_dtype().name,
        shape=tuple(each.get_length() if each.is_static else None for each in shape),
    )


class _Runner:
    """Options: n_threads, performance_hint, streams, cache_dir, precision, execution_provider, scheme.

    Free dimensions stay free. Without `precision` the device's own choice holds (bf16 on processors that have it) and is a fact of the session.
    """

    name = "openvino"
    api = EXECUTOR_API
    environment = ""
    formats = ("openvino-ir", "onnx")

    def availability(self) -> Availability:
        if find_spec("openvino") is None:
            return Availability(ok=False, reason="openvino not installed", hint="pip install 'edge-recommender[openvino]'")
        return Availability(ok=True, version=version("openvino"))

    def environ(self, options: Mapping[str, Any]) -> dict[str, str]:
        """Nothing: threads are a property of the compiled model, and OpenVINO's waiting threads sleep."""
        return {}

    def open(self, artifact: Path, options: Mapping[str, Any]) -> Graph:
        """Raises Unsupported for a device that is not there or a graph it cannot read, Fallback when it runs other than asked."""
        process.send_no_reports()
        import openvino

        core = openvino.Core()
        unit, asked = device.device_of(core, options), device.properties(options)
        model, left_out = graph.read(graph.entry(artifact))
        try:
            compiled = core.compile_model(model, unit, asked)
        except RuntimeError as error:
            raise Unsupported(f"OpenVINO cannot compile `{artifact.name}` for {unit}: {graph.reason(error)}") from None
        facts = device.observed(compiled)
        device.prove(facts, unit, options)
        told = {"framework_version": version("openvino"), "build": openvino.get_version(), "execution_provider": options.get("execution_provider") or "cpu"}
        return Graph(model, compiled, {**told, **facts, "asked": asked, "left_out_outputs": list(left_out)})


RUNNER = _Runner()
