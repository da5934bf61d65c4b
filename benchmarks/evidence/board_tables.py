"""Published tables of boards, phones and cards -> figures: which columns mean what, and which rows say nothing that can be kept.

Every reader takes one row of a long-form table (one figure a row) and returns a Figure, or None for what is left out.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from benchmarks.evidence.figure import Figure, scheme_of

Row = Mapping[str, str]
Reader = Callable[[Row], Figure | None]

MIB = 2.0**20
_TO_BASE = {"latency_ms": ("latency", 1e-3), "throughput_fps": ("throughput", 1.0), "throughput_ips": ("throughput", 1.0), "throughput_sps": ("throughput", 1.0)}
_INPUT_OF_NAME = re.compile(r"\s*\[([^\]]*)\]")


def openvino(row: Row) -> Figure | None:
    """Throughput over all streams, and the latency of one. Runs over processor and graphics at once are no device of ours: left out."""
    kind = {"CPU": "cpu", "iGPU": "gpu", "dGPU": "gpu", "VPU": "accelerator"}.get(row["unit"])
    if kind is None:
        return None
    name, size = row["model"], _INPUT_OF_NAME.search(row["model"])
    # Servers have two sockets or more, and the tables do not say that their throughput is that of both.
    is_one_chip = row["ie_type"] != "xeon" or row["metric"] == "latency_ms"
    return _figure(
        row, "ev-openvino-bench", kind=kind, framework="openvino", model_name=_INPUT_OF_NAME.sub("", name), input=size[1] if size else "",
        execution_provider="cpu" if kind == "cpu" else "openvino-gpu" if kind == "gpu" else "", version=row["framework_version"].removeprefix("OV-"),
        conditions="one stream" if row["metric"] == "latency_ms" else "all streams",
        is_plain=is_one_chip and row["precision"] in ("fp32", "int8") if kind == "cpu" else kind == "gpu" and row["precision"] in ("fp16", "int8"),
    )


def ncnn(row: Row) -> Figure | None:
    """Mean of the loops, by threads and by which cores were asked for (`powersave`: 0 all, 1 little, 2 big).

    Vulkan has no int8: such rows ran on the processor, and serve no decision. More than 64 threads are left out.
    """
    kind = {"CPU": "cpu", "GPU (Vulkan)": "gpu"}.get(row["unit"])
    if kind is None or kind == "cpu" and int(row["threads"]) > 64:
        return None
    name = row["model"].removesuffix("_int8")
    cores = {"1": "little cores", "2": "big cores"}.get(row["powersave"], "")
    return _figure(
        {**row, "metric": "latency_ms"}, "ev-ncnn", kind=kind, framework="ncnn", model_name=name, execution_provider="cpu" if kind == "cpu" else "vulkan",
        precision=row["precision"].replace(" (ncnn default)", ""), conditions=cores, is_plain=kind == "cpu" or row["precision"] != "int8", threads=row["threads"] if kind == "cpu" else "",
    )


def hailo(row: Row) -> Figure | None:
    """Frames per second of the pipelined network: no latency follows from it."""
    return _figure(
        row, "ev-hailo", kind="accelerator", framework="hailo", execution_provider="hailo", model_name=re.sub(r"[^\x20-\x7e]", "", row["model"]),
        version=row["framework_version"].rstrip("."), gmacs=_half(row["gops"]), scheme="int8-static", precision="int8",
        conditions="pipelined", is_plain=row["batch"] == "1.0",
    )


def executorch(row: Row) -> Figure | None:
    """Phones; memory is that of the whole app. Rows of language models, of ranges and without a named device are left out."""
    path = row["framework"].removeprefix("ExecuTorch").strip()
    metric, factor = {"latency_ms": ("latency", 1e-3), "peak_memory_mb": ("peak_memory", MIB), "peak_memory_gb": ("peak_memory", 1024 * MIB)}.get(row["metric"], ("", 0.0))
    if not metric or not path or row["task"] == "LLMs" or row["platform"] in ("(model file)", "Android") or row["note"]:
        return None
    is_coreml = path == "Core ML"
    precision = row["precision"] or ("INT8" if "QUANTIZED" in row["model"] else "")
    name = f"{row['model']} ({row['task']})" if row["task"].startswith(("Speech", "Vertical OCR")) else row["model"]  # parts of one model share its name
    return _figure(
        row, "ev-rn-executorch", metric=metric, value=float(row["value"]) * factor, kind="npu" if is_coreml else "cpu", framework="executorch",
        execution_provider="coreml" if is_coreml else "xnnpack", version=row["framework_version"], precision=precision, unit="" if is_coreml else "CPU",
        scheme=scheme_of(precision or ("FP16" if is_coreml else "FP32")), conditions="whole app" if metric == "peak_memory" else "",
        order=tuple(int(part) for part in re.findall(r"\d+", row["framework_version"])) or (99,), is_plain="Speech" not in row["task"], model_name=name,
    )


def litert(row: Row) -> Figure | None:
    """Old phones. The float column of the example pages says neither 32 nor 16 bits."""
    kind = {"CPU": "cpu", "GPU": "gpu", "NNAPI": ""}.get(row["unit"])
    if kind is None:
        return None
    single = "single big core" in row["platform"]
    threads = "" if kind != "cpu" else "1" if single else "2" if row["platform"].startswith("iPhone") else "4"
    return _figure(
        row, "ev-litert", kind=kind, framework="litert", execution_provider={"cpu": "xnnpack", "gpu": "opencl"}.get(kind, ""), threads=threads,
        scheme=scheme_of("fp32" if row["precision"].startswith("fp32") else row["precision"]), conditions="" if single else "TensorFlow Lite of 2019",
        is_plain=kind == "cpu" and not single,
    )


_ULTRALYTICS_CPU = ("TF SavedModel", "TF GraphDef", "TF Lite", "MNN", "NCNN", "PaddlePaddle", "ExecuTorch", "OpenVINO")


def ultralytics(row: Row) -> Figure | None:
    """One image, without pre- and post-processing. On a Jetson only the frameworks of the graphics unit ran there."""
    platform, framework = row["platform"], row["framework"]
    framework = {"ONNX": "onnxruntime", "NCNN": "ncnn", "TF Lite": "litert"}.get(framework, framework.lower().replace(" ", "-"))
    if row["metric"] != "latency_ms":
        return None
    if "Coral" in platform:
        kind, provider, framework = "accelerator", "edgetpu", "litert"
    elif framework == "rknn":
        kind, provider = "npu", "rknpu"
    elif framework == "imx":
        kind, provider = "npu", ""
    elif "NPU" in platform and framework == "openvino":
        kind, provider = "npu", "openvino-npu"
    elif platform.endswith(("CPU", "NPU")) or row["framework"] in _ULTRALYTICS_CPU and "GPU" not in platform:
        kind, provider = "cpu", "xnnpack" if framework in ("executorch", "litert") else "cpu"
    else:
        kind, provider = "gpu", {"tensorrt": "tensorrt", "openvino": "openvino-gpu"}.get(framework, "cuda")
    precision = row["precision"] or {"rknn": "fp16", "imx": "int8", "litert": "int8" if kind == "accelerator" else "fp32"}.get(framework, "fp32")
    is_wide = framework == "openvino" and kind != "cpu" and precision.lower() == "fp32"  # the plugin computes in half precision
    name = row["model"].removesuffix(" family (see section)")
    task = re.search(r"/ (Pose|OBB|Classification)", platform)
    return _figure(
        row, "ev-ultralytics", kind=kind, unit=kind.upper(), framework=framework, execution_provider=provider, precision=precision,
        scheme="fp16" if is_wide else scheme_of(precision), model_name=f"{name}-{task[1].lower()}" if task else name,
        device_name=platform.partition(" / ")[0] if task or "(COCO)" in platform else platform.removesuffix(" (see source)"),
        version=row["framework_version"], order=(int(bool(row["framework_version"])),),
        conditions=_coral(row["note"]), is_plain=framework in ("openvino", "tensorrt", "executorch", "rknn") and row["batch"] == "1" and row["input"] == "640",
    )


def rknn(row: Row) -> Figure | None:
    """Rate of the network alone at maximum clock, one input at a time."""
    return _figure(
        row, "ev-rknn", kind="npu", framework="rknn", execution_provider="rknpu", input=row["input"].strip("[]").replace(", ", "x"),
        conditions="NPU at maximum clock" + (", single core" if "single" in row["unit"] else ""), unit="NPU",
    )


def rknn_latency(row: Row) -> Figure | None:
    """The same, as the time of one input."""
    rate = rknn(row)
    if rate is None or rate.metric != "throughput":
        return None
    fields = {name: getattr(rate, name) for name in Figure.__dataclass_fields__}
    return Figure(**{**fields, "metric": "latency", "value": 1 / rate.value, "conditions": f"one over the published frame rate, {rate.conditions}"})


def opencv_zoo(row: Row) -> Figure | None:
    """Only rows of which no other run of the class is a part."""
    if row["clean_row"] != "1":
        return None
    kind = row["unit"].lower()
    provider = {"OpenCV DNN (OPENCV)": "cpu", "OpenCV DNN (CUDA)": "cuda"}.get(row["framework"], "")
    name = row["model"].removesuffix(".onnx")
    return _figure(
        {**row, "metric": "latency_ms", "value": row["latency_ms_median"]}, "ev-opencv-zoo", kind=kind, framework="opencv-dnn", execution_provider=provider,
        model_name=name, conditions=row["framework"].partition("(")[2].rstrip(")"),
    )


def mmdeploy(row: Row) -> Figure | None:
    """Boards and a server card."""
    provider = {"TensorRT": "tensorrt", "ncnn": "vulkan" if row["unit"] == "GPU" else "cpu"}.get(row["framework"], "")
    kind = {"GPU": "gpu", "CPU": "cpu", "NPU": "accelerator"}[row["unit"]]
    return _figure(row, "ev-mmdeploy", kind=kind, framework=row["framework"].lower(), execution_provider=provider, is_plain=False)


def apple_nvidia(row: Row) -> Figure | None:
    """Core ML as its authors ran it (the best unit), and small tables of Jetson boards. Whole pictures and steps of diffusion are left out."""
    is_jetson = "torch2trt" in row["framework"] or row["framework"] == "PyTorch"
    framework = {"Core ML": "coreml", "PyTorch": "pytorch"}.get(row["framework"], "tensorrt")
    if "GPU+" in row["unit"]:  # several engines at once
        return None
    kind = "gpu" if row["unit"] == "GPU" else "npu"
    return _figure(
        row, "ev-torch2trt" if is_jetson else f"ev-{row['source'].replace('/', '-')}", kind=kind, framework=framework,
        execution_provider={"coreml": "coreml", "pytorch": "cuda"}.get(framework, "tensorrt"), input=re.sub(r"[\[\]() ]", "", row["input"]).replace(",", "x"),
        conditions="torch2trt batch 1" if is_jetson else "", is_plain=is_jetson and framework == "tensorrt",
    )


def edge_chips(row: Row) -> Figure | None:
    """Chips for boxes and microcontrollers, phones of 2016 to 2020. Whole recordings of speech are left out."""
    unit = row["unit"]
    kind = "gpu" if unit.startswith("GPU") else "cpu" if unit.startswith("CPU") else "accelerator"
    framework = {"sophon bmrt_test": "sophon", "Pulsar2/axengine": "axengine"}.get(row["framework"], row["framework"].lower().replace(" ", "-"))
    sparse = "sparse weights" if "sparse" in row["config"] else ""
    return _figure(
        row, {"axengine": "ev-axera", "sophon": "ev-sophon", "esp-dl": "ev-esp-dl", "xnnpack": "ev-xnnpack"}.get(framework, "ev-paddle-lite"), kind=kind,
        framework=framework, execution_provider="opencl" if kind == "gpu" else "cpu" if kind == "cpu" else "", unit=unit,
        conditions=sparse or _armv7(unit), is_plain=False,
    )


def vitis_ai(row: Row) -> Figure | None:
    """End to end with the processor's part; `multi`: as many threads as gave the most. Pruned variants are models of their own. Boards, no server cards."""
    if row["platform"].startswith(("U", "V70", "VCK5000")):
        return None
    return _figure(
        row, "ev-Xilinx-Vitis-AI", kind="accelerator", framework="vitis-ai", version=row["framework_version"], gmacs=_half(row["gops"]),
        conditions="end to end", is_plain=False, order=tuple(int(part) for part in row["framework_version"].lstrip("v").split(".")),
    )


def timm(row: Row) -> Figure | None:
    """Compiled, channels first. One image on a processor is a latency; the large batches of the cards are throughputs."""
    if "dynamo" not in row["framework"] or row["precision"] not in ("amp", "fp32") or row["framework_version"].startswith("2.4.0 cu") or row["platform"] not in ("Intel Core i7-12700H", "NVIDIA RTX 4090"):
        return None  # a processor, and of the cards the one with the most tables, in its newest version
    is_single = float(row["batch"]) == 1
    return _figure(
        {**row, "metric": "latency_ms" if is_single else "throughput_sps", "value": row["value"] if is_single else row["samples_per_s"]}, "ev-timm",
        kind=row["unit"].lower(), framework="pytorch", execution_provider="cpu" if row["unit"] == "CPU" else "cuda", version=row["framework_version"],
        order=tuple(int(part) for part in row["framework_version"].partition(" ")[0].split(".")), activations_m=row["macts_m"], is_plain=False,
        scheme="F32" if row["precision"] == "fp32" else "fp16", task="image classification",
    )


def neural_compressor(row: Row) -> Figure | None:
    """Sum over 8 to 14 instances of four cores each. Rows whose model column holds the framework are left out."""
    if row["model"] in ("", "intel-tensorflow", "onnxrt", "mxnet", "pytorch", "keras") or row["framework"].startswith("Intel-tensorflow"):
        return None
    framework = {"ONNX": "onnxruntime", "Keras": "tensorflow"}.get(row["framework"].split()[0], row["framework"].split()[0].lower())
    instances = re.search(r"\d+s\d+c\d+ins\d+bs|1s 10ins.*bs=\d+", row["config"])
    return _figure(
        row, "ev-intel-neural-compressor", kind="cpu", framework=framework, execution_provider="cpu", version=row["note"].removeprefix("neural-compressor v"),
        order=tuple(int(part) for part in row["note"].rpartition("v")[2].split(".")), conditions=" ".join((instances[0] if instances else "instances", row["task"].lower())).strip(),
        is_plain=False, task="",
    )


def _figure(row: Row, source: str, **given: Any) -> Figure | None:
    """A Figure from the columns that all tables share; None for a metric that is none of ours (accuracy, file size, real-time factor, ...)."""
    metric, factor = _TO_BASE.get(row["metric"], (given.get("metric", ""), 1.0))
    value = given.get("value", float(row["value"]) * factor)
    if not metric or value <= 0:
        return None
    precision = given.get("precision", row.get("precision", ""))
    found: dict[str, Any] = {
        "metric": metric, "value": value, "source": source, "device_name": row["platform"], "unit": row.get("unit", ""), "model_name": row["model"],
        "precision": precision, "scheme": scheme_of(precision), "date": row["date"], "order": _order(row["date"]), "task": row.get("task", ""),
        "params_m": row.get("params_m", ""), "gmacs": row.get("gmacs", ""), "input": row.get("input", ""), "batch": row.get("batch", "").removesuffix(".0"),
        "threads": row.get("threads", ""),
    }  # fmt: skip
    return Figure(**{name: " ".join(value.split()) if isinstance(value, str) else value for name, value in {**found, **given}.items()})


def _order(date: str) -> tuple[int, ...]:
    return tuple(int(part) for part in date.split("-"))


def _half(gops: str) -> str:
    """10^9 multiply-accumulates of 10^9 operations."""
    return f"{float(gops) / 2:g}" if gops else ""


def _coral(note: str) -> str:
    return "high frequency" if "High Frequency" in note else ""


def _armv7(unit: str) -> str:
    return "32-bit" if "ARMv7" in unit else ""


READERS: Mapping[str, tuple[str, tuple[Reader, ...]]] = {  # table -> (name of the evidence file, readers)
    "perf_openvino": ("openvino", (openvino,)), "perf_ncnn": ("ncnn", (ncnn,)), "perf_hailo": ("hailo", (hailo,)),
    "perf_executorch_rn": ("phones", (executorch,)), "perf_litert_docs": ("phones", (litert,)), "perf_ultralytics": ("vision-boards", (ultralytics,)),
    "perf_rknn": ("vision-boards", (rknn, rknn_latency)), "perf_apple_nvidia_misc": ("vision-boards", (apple_nvidia,)),
    "perf_opencv_zoo": ("vision-boards", (opencv_zoo,)), "perf_mmdeploy": ("vision-boards", (mmdeploy,)), "perf_edge_chips_misc": ("edge-chips", (edge_chips,)),
    "perf_vitis_ai": ("vitis-ai", (vitis_ai,)), "perf_timm": ("timm", (timm,)), "perf_neural_compressor": ("neural-compressor", (neural_compressor,)),
}  # fmt: skip
