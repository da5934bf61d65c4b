"""ONNX Runtime's QNN execution provider, a plug-in of its own package: whether it is there, a session on it, and where the nodes went.

On x86-64 the library for the Hexagon NPU (HTP) computes as the NPU does, node by node on the processor: an emulator, good for correctness and
placement, meaningless for speed. The package also holds a Saver backend, which records calls and returns wrong outputs: never used here.
"""

from __future__ import annotations

import platform
import sys
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from recommender.domain.errors import Fallback, OutOfMemory, StepFailed, Unsupported
from recommender.ports import Availability

if TYPE_CHECKING:
    import onnxruntime

PROVIDER = "QNNExecutionProvider"
# From 1.32 on ONNX Runtime's Linux builds write an identity of the device and a store of events into the user's cache, to be sent to their maker.
NO_REPORTS = {"ORT_DISABLE_TELEMETRY": "1"}
INSTALL = "pip install 'edge-recommender[qualcomm]'"
# Names that the provider knows; it ignores any other without an error (onnxruntime.ai, QNN execution provider; confirmed with version 2.7).
PERFORMANCE_MODES = (
    "default", "burst", "balanced", "high_performance", "high_power_saver", "low_balanced", "low_power_saver", "power_saver", "extreme_power_saver",
    "sustained_high_performance",
)
HTP_ARCHITECTURES = (68, 69, 73, 75, 79, 81)
EMULATED = "emulated on x86-64: outputs and placement hold, its speed says nothing about a device; float layers run in fp32 here, in fp16 there"


def is_emulated() -> bool:
    return platform.machine().lower() in ("x86_64", "amd64")


def plugin_availability() -> Availability:
    """Whether the provider can be loaded; nothing is imported."""
    if sys.platform not in ("linux", "win32"):
        return Availability(ok=False, reason=f"the QNN plug-in exists for Linux and Windows, not for {sys.platform}", hint=f"{INSTALL}  # real devices by AI Hub")
    missing = [name for name in ("onnxruntime", "onnxruntime_qnn") if find_spec(name) is None]
    if missing:
        return Availability(ok=False, reason=f"{' and '.join(missing)} not installed", hint=INSTALL)
    try:
        return Availability(ok=True, version=version("onnxruntime-qnn"))
    except PackageNotFoundError:
        return Availability(ok=True)


@dataclass(frozen=True, kw_only=True, slots=True)
class Wanted:
    """A session to be opened. unit: qnn-htp or qnn-gpu. settings: of the provider. entries: of the session."""

    unit: str = "qnn-htp"
    settings: Mapping[str, str] = field(default_factory=dict)
    entries: Mapping[str, str] = field(default_factory=dict)
    may_fall_back: bool = False
    n_threads: int = 0  # of the processor, for nodes that fall back; 0: the framework's choice


@dataclass(frozen=True, kw_only=True, slots=True)
class Opened:
    """nodes: unit -> operator -> number of nodes, None where the framework does not tell."""

    session: onnxruntime.InferenceSession
    nodes: Mapping[str, Mapping[str, int]] | None

    @property
    def placement(self) -> dict[str, int] | None:
        return None if self.nodes is None else {unit: sum(operators.values()) for unit, operators in self.nodes.items()}


def open_on_qnn(model: Path, wanted: Wanted) -> Opened:
    """Load a model on the NPU or GPU.

    Raises:
        Fallback: nodes went to the processor though that was not allowed; the message counts and names them.
        Unsupported: the unit or its driver is not there, or the model cannot be loaded.
    """
    if wanted.unit not in ("qnn-htp", "qnn-gpu"):
        raise Unsupported(f"execution provider `{wanted.unit}`: QNN has qnn-htp and qnn-gpu")
    if wanted.unit == "qnn-gpu" and is_emulated():
        raise Unsupported("qnn-gpu needs an Adreno GPU: on x86-64 the QNN libraries emulate the NPU (qnn-htp) only")
    try:
        session = _session(model, wanted, strict=not wanted.may_fall_back)
    except Exception as error:  # noqa: BLE001  the framework's own exceptions share no base
        if "explicitly disabled by the user" not in str(error):
            raise translated(error, f"`{model.name}` does not load on QNN") from error
        raise Fallback(_fallen(model, wanted)) from None
    return Opened(session=session, nodes=_nodes(session, wanted.unit))


def _session(model: Path, wanted: Wanted, *, strict: bool) -> onnxruntime.InferenceSession:
    import onnxruntime as ort
    import onnxruntime_qnn

    options = ort.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = wanted.n_threads
    options.add_session_config_entry("session.record_ep_graph_assignment_info", "1")
    if strict:
        options.add_session_config_entry("session.disable_cpu_ep_fallback", "1")
    for key, value in wanted.entries.items():
        options.add_session_config_entry(key, value)
    library = onnxruntime_qnn.get_qnn_htp_path() if wanted.unit == "qnn-htp" else onnxruntime_qnn.get_qnn_gpu_path()
    # Quantizing the inputs and dequantizing the outputs would otherwise be left to the processor.
    options.add_provider_for_devices([_device(wanted.unit)], {"backend_path": library, "offload_graph_io_quantization": "0", **wanted.settings})
    return ort.InferenceSession(str(model), options)


def _device(unit: str) -> Any:
    """The plug-in's device of a unit; the emulator passes for the processor."""
    import onnxruntime as ort
    import onnxruntime_qnn

    if not any(device.ep_name == PROVIDER for device in ort.get_ep_devices()):
        ort.register_execution_provider_library(PROVIDER, onnxruntime_qnn.get_library_path())
    devices = [device for device in ort.get_ep_devices() if device.ep_name == PROVIDER]
    if not devices:
        raise Unsupported(f"the QNN plug-in finds no device for {unit} here")
    kind = "NPU" if unit == "qnn-htp" else "GPU"
    return next((device for device in devices if device.device.type.name == kind), devices[0])


def _nodes(session: onnxruntime.InferenceSession, unit: str) -> dict[str, dict[str, int]] | None:
    """By what the framework says of its graph partition (onnxruntime 1.24 and later)."""
    if not hasattr(session, "get_provider_graph_assignment_info"):
        return None
    found: dict[str, Counter[str]] = {unit: Counter(), "cpu": Counter()}
    for part in session.get_provider_graph_assignment_info():
        found[unit if part.ep_name == PROVIDER else "cpu"].update(node.op_type for node in part.get_nodes())
    return {name: dict(sorted(operators.items())) for name, operators in found.items()}


def _fallen(model: Path, wanted: Wanted) -> str:
    """Which nodes went to the processor: the model is loaded once more, with the fallback allowed, to see."""
    try:
        nodes = _nodes(_session(model, Wanted(unit=wanted.unit, settings=wanted.settings), strict=False), wanted.unit)
    except Exception:  # noqa: BLE001  only a better message was wanted
        nodes = None
    if nodes is None:
        return f"nodes of `{model.name}` run on the processor, not on {wanted.unit}"
    total = sum(sum(operators.values()) for operators in nodes.values())
    names = ", ".join(f"{number} {operator}" for operator, number in nodes["cpu"].items())
    return f"{sum(nodes['cpu'].values())} of {total} nodes of `{model.name}` run on the processor, not on {wanted.unit}: {names}"


def translated(error: Exception, what: str) -> Exception:
    """An exception of the framework by its class; `what` stands before its own first line."""
    if isinstance(error, StepFailed):
        return error
    text = str(error).splitlines()[0][:400] if str(error) else type(error).__name__
    if isinstance(error, MemoryError) or any(word in text for word in ("bad_alloc", "MEM_ALLOC", "Failed to allocate")):
        return OutOfMemory(f"{what}: {text}")
    return Unsupported(f"{what}: {text}")
