"""MLPerf result files and microcontroller tables -> figures. See board_tables for what a reader is."""

from __future__ import annotations

import re
from collections.abc import Mapping

from benchmarks.evidence.board_tables import Reader, Row
from benchmarks.evidence.figure import Figure, scheme_of

KIB = 2.0**10
_ORDER = re.compile(r"v(\d+)\.(\d+)")
_ALTERED = re.compile(r"precision_(float|quant)-")  # one submitter writes what another writes as a suffix


def inference(row: Row) -> Figure | None:
    """Edge systems with one accelerator or none: median latency of the single stream, and the offline rate.

    Left out: data centre systems, several accelerators at once, server scenarios, means and 90th percentiles, language models and their tokens.
    """
    if "mobile_results" in row["source"]:
        return mobile(row)
    is_latency = row["metric"] == "latency_ms_p50" and row["task"].replace(" ", "") == "SingleStream"
    is_rate = row["metric"] == "throughput_sps" and row["task"] == "Offline"
    if not (is_latency or is_rate) or "edge" not in row["system_type"] or row["accelerators_per_node"] not in ("", "0", "1", "N/A") or _is_language(row["model"]):
        return None
    if "MIG" in row["platform"] or "x " in row["platform"] and row["accelerators_per_node"] == "0":
        return None
    framework, provider = _framework(row["framework"])
    accelerator = row["accelerator"] if row["accelerator"] not in ("", "-", "N/A") else ""
    kind = _kind(row["framework"], accelerator)
    return Figure(
        metric="latency" if is_latency else "throughput", value=float(row["value"]) / (1e3 if is_latency else 1.0), source="ev-mlperf-inference",
        device_name=_device_name(row, kind, accelerator), unit=kind.upper(), kind=kind,
        framework=framework, execution_provider=provider.get(kind, ""), model_name=_ALTERED.sub("", row["model"]), precision=_precision(row["precision"]),
        scheme=scheme_of(_precision(row["precision"])), version=row["framework"], order=_release(row["framework_version"]), date=row["date"],
        conditions=" ".join(filter(None, (row["division"], "MaxQ" if "MaxQ" in row["platform"] else "", "" if is_latency else "offline"))),
        task="", batch="1" if is_latency else "", is_plain=False,
    )


def mobile(row: Row) -> Figure | None:
    """Phones with the vendor's delegate: the unit is not said, mostly the neural one."""
    if row["metric"] not in ("latency_ms_p50", "throughput_sps"):
        return None
    is_latency = row["metric"].startswith("latency")
    return Figure(
        metric="latency" if is_latency else "throughput", value=float(row["value"]) / (1e3 if is_latency else 1.0), source="ev-mlperf-mobile",
        device_name=row["platform"], unit="", kind="npu", framework="mlperf-mobile", model_name=row["model"], precision=_precision(row["precision"]),
        version=row["framework_version"].removeprefix("MLPerf mobile "), order=_release(row["framework_version"]), date=row["date"],
        conditions="closed" if is_latency else "closed offline", batch="1" if is_latency else "", is_plain=False,
    )


def tiny(row: Row) -> Figure | None:
    """Microcontrollers, one input at a time, so that the rate gives the latency; and the energy of an inference."""
    metric = {"throughput_ips": "latency", "energy_uj_per_inf": "energy"}.get(row["metric"])
    value = float(row["value"] or 0)
    if metric is None or value <= 0 or metric == "energy" and row["task"] == "sww":  # of the whole stream, not of one inference
        return None
    chip = " ".join(filter(None, (row["platform"].removesuffix("_int8"), "" if row["freq"] in ("", "N/A") else f"@ {row['freq']}")))
    return Figure(
        metric=metric, value=1 / value if metric == "latency" else value * 1e-6, source="ev-mlperf-tiny", device_name=chip,
        unit="CPU" if row["accelerator"] in ("", "N/A") else row["accelerator"], kind="cpu" if row["accelerator"] in ("", "N/A") else "accelerator",
        framework=_plain(row["framework"]) or f"{_plain(row['submitter'])} own", model_name=row["model"].removeprefix("MLPerf Tiny "),
        precision="float" if "_float" in row["platform"] else "fp16" if row["quantization"] == "FP16" else "int8", version=row["framework_version"],
        order=_release(row["framework_version"]), date=row["date"], conditions=row["division"], batch="1", is_plain=False,
    )


def stm32(row: Row) -> Figure | None:
    """Latency of a named board, and its main memory (activations and what the runtime holds)."""
    metric, factor = {"latency_ms": ("latency", 1e-3), "total_ram_kib": ("peak_memory", KIB)}.get(row["metric"], ("", 0.0))
    if not metric or not row["platform"]:
        return None
    clock = row["config"].removesuffix(" MHz")
    return Figure(
        metric=metric, value=float(row["value"]) * factor, source="ev-stm32", device_name=row["platform"], unit=row["unit"] or "CPU", kind="cpu",
        framework="stm32cube-ai", model_name=row["model"], precision=row["precision"], scheme=scheme_of(row["precision"]), version=row["framework_version"],
        order=_release(f"v{row['framework_version'] or '0.0'}"), date=row["date"], conditions=f"{clock} MHz" if clock else "", task=row["task"].replace("_", " "),
        input=row["input"].replace(" ", ""), batch="1", is_plain=False,
    )


def _framework(text: str) -> tuple[str, Mapping[str, str]]:
    lower = text.lower()
    for word, key in (("tensorrt", "tensorrt"), ("armnn", "armnn"), ("tflite", "litert"), ("openvino", "openvino"), ("onnxruntime", "onnxruntime"), ("qaic", "qaic")):
        if word in lower:
            providers = {"tensorrt": {"gpu": "tensorrt"}, "armnn": {"cpu": "cpu", "gpu": "opencl"}, "litert": {"cpu": "xnnpack", "accelerator": "edgetpu"}}
            return key, providers.get(key, {"cpu": "cpu"})
    return _plain(text) or "own", {}


def _device_name(row: Row, kind: str, accelerator: str) -> str:
    """The card; else the processor where its name tells which it is, else the board."""
    if kind != "cpu" and accelerator and "Mali" not in accelerator:
        return accelerator
    return row["host_cpu"] if re.search(r"Intel|AMD", row["host_cpu"]) and re.search(r"\d{4}", row["host_cpu"]) else row["platform"]


def _kind(framework: str, accelerator: str) -> str:
    if "OpenCL" in framework or "NVIDIA" in accelerator:
        return "gpu"
    return "accelerator" if accelerator and "Mali" not in accelerator else "cpu"


def _is_language(model: str) -> bool:
    return any(word in model.lower() for word in ("llama", "gpt", "mixtral", "deepseek"))


def _precision(text: str) -> str:
    """The first precision that a free text names."""
    found = re.search(r"(u?int|fp)\s?-?\d+|8-bit", text.lower())
    return "int8" if found and found[0] == "8-bit" else found[0] if found else ""


def _plain(text: str) -> str:
    words = re.split(r"[\s,(=/']", text.strip())
    return "" if text in ("", "N/A") else "-".join(words[:2]).lower().strip("-")


def _release(text: str) -> tuple[int, ...]:
    found = _ORDER.search(text)
    return (int(found[1]), int(found[2])) if found else (0,)


READERS: Mapping[str, tuple[str, tuple[Reader, ...]]] = {
    "perf_mlperf_inference": ("mlperf", (inference,)), "perf_mlperf_tiny": ("microcontrollers", (tiny,)), "perf_stm32": ("microcontrollers", (stm32,)),
}
