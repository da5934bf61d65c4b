"""Running ONNX graphs: `onnxruntime`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from recommender.domain.errors import Fallback, Unsupported
from recommender.executors.onnxruntime.execution_provider import key_of, offered_name, provider
from recommender.executors.onnxruntime.failure import decoded
from recommender.executors.onnxruntime.model_file import model_file, versions
from recommender.executors.onnxruntime.process import NO_REPORTS
from recommender.ports import EXECUTOR_API, Availability, TensorSpec

if TYPE_CHECKING:
    import numpy as np
    import onnxruntime as ort

LEVELS = {"all": "ORT_ENABLE_ALL", "extended": "ORT_ENABLE_EXTENDED", "basic": "ORT_ENABLE_BASIC", "none": "ORT_DISABLE_ALL"}
PASSIVE = {"session.intra_op.allow_spinning": "0", "session.inter_op.allow_spinning": "0"}
_RECORD_PLACEMENT = "session.record_ep_graph_assignment_info"
_ERRORS_ONLY = 3  # log level
_DTYPES = {"float": "float32", "double": "float64", "string": "str"}  # where ONNX Runtime's word is not numpy's


class OnnxRuntime:
    """Options: n_threads, graph_optimization (a key of LEVELS), execution_provider, spin, streams (of `run_all`)."""

    name = "onnxruntime"
    api = EXECUTOR_API
    environment = ""
    formats = ("onnx",)
    tasks: tuple[str, ...] = ()

    def availability(self) -> Availability:
        if find_spec("onnxruntime") is None:
            return Availability(ok=False, reason="onnxruntime is not installed", hint="pip install 'edge-recommender[onnxruntime]'")
        return Availability(ok=True, version=versions("onnxruntime")["onnxruntime"])

    def environ(self, options: Mapping[str, Any]) -> dict[str, str]:
        """No reports to its maker. Threads and spinning are options of its session, and its builds bring their own thread pool."""
        return dict(NO_REPORTS)

    def open(self, artifact: Path, options: Mapping[str, Any]) -> OnnxSession:
        """Load a graph (a file, or a folder with one).

        Raises:
            Unsupported: an unknown option, a provider that this build lacks, a model that it cannot load.
            Fallback: the provider was asked for and refused, or got no node of the graph.
            OutOfMemory: as told by the framework.
        """
        import onnxruntime as ort

        file = model_file(artifact)
        key = str(options.get("execution_provider") or "cpu")
        name = offered_name(key, ort.get_available_providers(), ort.__version__)
        settings = _session_options(options)
        cpu = offered_name("cpu", ort.get_available_providers(), ort.__version__)
        providers = [(name, dict(provider(key).options)), *([] if name == cpu else [(cpu, {})])]
        with decoded(f"onnxruntime cannot load {file.name}"):
            session = ort.InferenceSession(str(file), settings, providers=providers)
        placement, operators = _placement(session, key)
        if name not in session.get_providers() or (placement and not placement.get(key)):
            raise Fallback(f"`{key}` was asked for and no node of {file.name} runs on it: {placement or session.get_providers()}")
        facts = {
            "framework_version": ort.__version__, "build": ort.get_build_info(), "execution_provider": key, "providers": session.get_providers(),
            "placement": placement, "operators": operators, "precision": "as stored in the graph", "n_threads": settings.intra_op_num_threads or None,
            "graph_optimization": options.get("graph_optimization", "all"), "spin": options.get("spin", "shipped"), "streams": _streams(options),
        }
        return OnnxSession(session, _streams(options), facts)


class OnnxSession:
    """A loaded graph. Outputs that are no tensors (a classifier's list of maps) are left out and named in facts["left_out"]."""

    def __init__(self, session: ort.InferenceSession, streams: int, facts: Mapping[str, Any]):
        outputs = session.get_outputs()
        self._session = session
        self._outputs = [each.name for each in outputs if each.type.startswith("tensor(")]
        if not self._outputs:
            raise Unsupported(f"no output of the graph is a tensor ({', '.join(each.type for each in outputs)})")
        self._pool = ThreadPoolExecutor(streams) if streams > 1 else None
        self.facts = {**facts, "left_out": [each.name for each in outputs if each.name not in self._outputs]}
        self.inputs = tuple(_spec(each) for each in session.get_inputs())

    def run(self, feeds: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """One inference; returns when the outputs are there. Raises Unsupported for inputs that do not fit, OutOfMemory."""
        with decoded("onnxruntime cannot run the graph"):
            return dict(zip(self._outputs, self._session.run(self._outputs, dict(feeds)), strict=True))

    def run_all(self, feeds: Sequence[Mapping[str, np.ndarray]]) -> None:
        """All of them, as many at once as there are streams (each a thread of ours; they share the session's own threads)."""
        for _ in map(self.run, feeds) if self._pool is None else self._pool.map(self.run, feeds):
            pass

    def close(self) -> None:
        if self._pool:
            self._pool.shutdown()
        del self._session


def _session_options(options: Mapping[str, Any]) -> ort.SessionOptions:
    import onnxruntime as ort

    level = str(options.get("graph_optimization") or "all")
    if level not in LEVELS:
        raise Unsupported(f"graph optimization `{level}`: there are {', '.join(LEVELS)}")
    settings = ort.SessionOptions()
    settings.intra_op_num_threads = int(options.get("n_threads") or 0)  # 0: as ONNX Runtime chooses
    settings.graph_optimization_level = getattr(ort.GraphOptimizationLevel, LEVELS[level])
    settings.log_severity_level = _ERRORS_ONLY
    settings.add_session_config_entry(_RECORD_PLACEMENT, "1")
    if options.get("spin") == "passive":
        for name, value in PASSIVE.items():
            settings.add_session_config_entry(name, value)
    return settings


def _placement(session: ort.InferenceSession, asked: str) -> tuple[dict[str, int], dict[str, int]]:
    """Nodes by our provider key and by operator as they were assigned when the session was made (before the last fusions); empty where not told."""
    if not hasattr(session, "get_provider_graph_assignment_info"):
        return {}, {}
    units: Counter[str] = Counter()
    operators: Counter[str] = Counter()
    for part in session.get_provider_graph_assignment_info():
        nodes = part.get_nodes()
        units[key_of(part.ep_name, asked)] += len(nodes)
        operators.update(node.op_type for node in nodes)
    return dict(units), dict(sorted(operators.items()))


def _spec(value: Any) -> TensorSpec:
    if not value.type.startswith("tensor("):
        raise Unsupported(f"input `{value.name}` is no tensor ({value.type})")
    word = value.type[len("tensor(") : -1]
    return TensorSpec(name=value.name, dtype=_DTYPES.get(word, word), shape=tuple(size if isinstance(size, int) else None for size in value.shape))


def _streams(options: Mapping[str, Any]) -> int:
    return max(1, int(options.get("streams") or 1))


RUNNER = OnnxRuntime()
