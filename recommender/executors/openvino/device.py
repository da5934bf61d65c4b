"""Where and in what precision OpenVINO computes: our options as its properties, and what it says it really does."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from recommender.domain.errors import Fallback, Unsupported

if TYPE_CHECKING:
    import openvino

DEVICES = {"cpu": "CPU", "openvino-gpu": "GPU", "openvino-npu": "NPU", "auto": "AUTO"}  # our execution provider -> OpenVINO's device
PRECISIONS = ("f32", "bf16", "f16")
_HINTS = ("LATENCY", "THROUGHPUT")
_READ = {  # fact -> property, where the device has it
    "precision": "INFERENCE_PRECISION_HINT", "n_threads": "INFERENCE_NUM_THREADS", "streams": "NUM_STREAMS", "performance_hint": "PERFORMANCE_HINT",
    "n_requests": "OPTIMAL_NUMBER_OF_INFER_REQUESTS", "kv_cache_precision": "KV_CACHE_PRECISION",
    "dynamic_quantization_group_size": "DYNAMIC_QUANTIZATION_GROUP_SIZE", "loaded_from_cache": "LOADED_FROM_CACHE",
}
_NO_WORK = ("Const", "Input", "Output")
_PRODUCTS = ("Convolution", "Deconvolution", "FullyConnected", "MatMul", "RNNCell", "RNNSeq")  # where a graph's time goes, as the CPU names them
_INT8 = {"i8", "u8"}


def device_of(core: openvino.Core, options: Mapping[str, Any]) -> str:
    """OpenVINO's name of the device asked for (the CPU by default). Raises Unsupported when it is not there."""
    asked = str(options.get("execution_provider") or "cpu")
    if asked not in DEVICES:
        raise Unsupported(f"OpenVINO has no execution provider `{asked}` (it has {', '.join(DEVICES)})")
    device, present = DEVICES[asked], core.available_devices
    if device != "AUTO" and not any(name.partition(".")[0] == device for name in present):
        raise Unsupported(f"OpenVINO finds no {device} here (it finds {', '.join(present) or 'no device'})")
    return device


def properties(options: Mapping[str, Any]) -> dict[str, Any]:
    """Our options as OpenVINO's properties; what is not given is left to the device. Raises Unsupported for values it does not know."""
    found: dict[str, Any] = {}
    if hint := options.get("performance_hint"):
        found["PERFORMANCE_HINT"] = _one_of("performance_hint", str(hint).upper(), _HINTS)
    if precision := options.get("precision"):
        found["INFERENCE_PRECISION_HINT"] = _one_of("precision", precision, PRECISIONS)
    for name, key in (("n_threads", "INFERENCE_NUM_THREADS"), ("streams", "NUM_STREAMS")):
        if options.get(name):
            found[key] = int(options[name])
    if options.get("cache_dir"):
        found["CACHE_DIR"] = str(options["cache_dir"])
    return found


def _one_of(name: str, value: str, allowed: tuple[str, ...]) -> str:
    if value not in allowed:
        raise Unsupported(f"{name} `{value}` (there are {', '.join(allowed)})")
    return value


def observed(compiled: openvino.CompiledModel) -> dict[str, Any]:
    """What a compiled model says of itself.

    Returns:
        execution_devices, and the facts of `_READ` that the device tells.
        placement: device -> number of nodes. runtime_precisions: precision -> number of nodes, constants and ports apart.
        product_precisions: precision of the activations that enter -> number of convolutions and matrix products. (The precision that
            such a node has by name is that of its weights, which may be unpacked before the arithmetic.)
    """
    devices = [str(name).strip("()") for name in compiled.get_property("EXECUTION_DEVICES")]
    of_device = _properties_behind_auto(compiled, devices)
    facts: dict[str, Any] = {"execution_devices": devices}
    for fact, name in _READ.items():
        value = of_device.get(name, _property(compiled, name))
        if value is not None:
            facts[fact] = plain(value)
    runtime, products, placement = _nodes(compiled, devices[0])
    return {**facts, "placement": placement, "runtime_precisions": runtime, "product_precisions": products}


def _property(compiled: openvino.CompiledModel, name: str) -> Any:
    try:
        return compiled.get_property(name)
    except RuntimeError:  # this device has no such property
        return None


def _properties_behind_auto(compiled: openvino.CompiledModel, devices: list[str]) -> Mapping[str, Any]:
    """AUTO tells the properties of the device it chose under the name of that device."""
    nested = _property(compiled, "DEVICE_PROPERTIES")
    return nested.get(devices[0], {}) if isinstance(nested, dict) else {}


def _nodes(compiled: openvino.CompiledModel, device: str) -> tuple[dict[str, int], dict[str, int], dict[str, int]]:
    """Counts of the executed graph: precisions of all nodes, of what enters products, and nodes by device. Empty where a plug-in shows none."""
    runtime: Counter[str] = Counter()
    products: Counter[str] = Counter()
    try:
        nodes = compiled.get_runtime_model().get_ops()
    except RuntimeError:
        return {}, {}, {}
    for node in nodes:
        told = node.get_rt_info()
        if "layerType" not in told or "runtimePrecision" not in told:
            continue
        kind, precision = told["layerType"].astype(str), told["runtimePrecision"].astype(str)
        if kind not in _NO_WORK:
            runtime[precision] += 1
        if kind in _PRODUCTS:
            products[node.input_value(0).get_element_type().get_type_name()] += 1
    return dict(runtime), dict(products), {device: runtime.total()}


def plain(value: Any) -> Any:
    """A property as JSON holds it: types and enumerations by their names."""
    if isinstance(value, (bool, int, float, str)):
        return value
    return value.get_type_name() if hasattr(value, "get_type_name") else value.name


def prove(facts: Mapping[str, Any], device: str, options: Mapping[str, Any]) -> None:
    """Raises Fallback when what was asked for is not what is executed: another device, another precision, or no product in 8 bit."""
    used = [name.partition(".")[0] for name in facts["execution_devices"]]
    if device != "AUTO" and any(name != device for name in used):
        raise Fallback(f"asked for {device}, OpenVINO executes on {', '.join(used)}")
    asked = options.get("precision")
    if asked and facts.get("precision", asked) != asked:
        raise Fallback(f"asked for {asked}, {used[0]} computes in {facts['precision']}")
    products: Mapping[str, int] = facts["product_precisions"]
    is_in_int8 = bool(products.keys() & _INT8)
    told = ", ".join(f"{n} in {name}" for name, n in products.items())
    if products and not is_in_int8 and str(options.get("scheme", "")).startswith("int8-static"):
        raise Fallback(f"asked for int8, but none of the convolutions and matrix products is executed in it ({told})")
    if asked and products and not is_in_int8 and asked not in products:
        raise Fallback(f"asked for {asked}, but none of the convolutions and matrix products is executed in it ({told})")
