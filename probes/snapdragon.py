"""Qualcomm chips under Linux, Android and Windows on Arm: the chip's code, Oryon or Kryo cores, Adreno, Hexagon."""

from __future__ import annotations

import re
from typing import Any

from probes.printed import settings, text_of, texts_of
from probes.snapdragon_names import adreno_of, has_tensor_unit, soc_of, soc_of_number
from recommender.domain.fingerprint import Device, Observation
from recommender.ports import PROBE_API, HostAccess

name = "snapdragon"
api = PROBE_API
volatile = False
platforms = ("linux", "android", "windows")

_SOC0 = "/sys/devices/soc0"
_FILES = (
    f"{_SOC0}/machine",
    f"{_SOC0}/soc_id",
    f"{_SOC0}/family",
    "/proc/device-tree/compatible",
    "/sys/firmware/devicetree/base/compatible",
    "/sys/class/kgsl/kgsl-3d0/gpu_model",
    "/system/build.prop",
    "/vendor/build.prop",
)
_PROCESSOR = "HKLM\\HARDWARE\\DESCRIPTION\\System\\CentralProcessor\\0"
_PROPERTIES = (
    "ro.soc.model",
    "ro.vendor.qti.soc_model",
    "ro.chipname",
    "ro.hardware.chipname",
    "ro.board.platform",
    "ro.product.board",
)


def read(host: HostAccess) -> dict[str, Any] | None:
    """Text by path or command; None where nothing was found."""
    system = host.platform().os
    raw: dict[str, Any] = {}
    if system in ("linux", "android", None):
        raw = {path: host.read_text(path) for path in _FILES}
    if system in ("android", None):
        raw["getprop"] = host.run(("getprop",)).stdout
    if system in ("windows", None):
        raw["registry"] = host.run(("reg", "query", _PROCESSOR, "/v", "ProcessorNameString")).stdout
    return {key: text for key, text in raw.items() if text} or None


def parse(raw: dict[str, Any]) -> Observation:
    """Facts of a Qualcomm chip; nothing where no source names one."""
    sources = dict(raw) if isinstance(raw, dict) else {}
    texts = [text for _, text in texts_of(sources)]
    whole = "\n".join(texts)
    soc = _soc(sources, texts)
    if soc is None and not re.search(r"qualcomm|snapdragon|\bqcom\b|adreno|oryon|kryo", whole, re.IGNORECASE):
        return Observation()
    if soc is None and adreno_of(whole) is None and not re.search(r"oryon|kryo|hexagon", whole, re.IGNORECASE):
        return Observation()
    return Observation(devices=tuple(_devices(whole, soc, sources)), host={"soc": soc} if soc else {})


def _soc(sources: dict[str, Any], texts: list[str]) -> str | None:
    """The kernel's own name first, then properties, product names, last the device tree, which may be a sibling's."""
    joined = re.findall(r"(?:soc0/|== )(machine|soc_id)\s*:?\s+(\S+)", "\n".join(texts))  # several files printed in one
    told = {key: text_of(sources.get(f"{_SOC0}/{key}")) or dict(joined).get(key, "") for key in ("machine", "soc_id")}
    machine, number = soc_of(told["machine"]), soc_of_number(told["soc_id"])
    properties = [soc_of(value) for text in texts for key, value in settings(text).items() if key in _PROPERTIES]
    named = [
        soc_of(line)
        for text in texts
        for line in text.splitlines()
        if re.search(r"snapdragon|qualcomm|oryon|adreno|hexagon|dragonwing", line, re.IGNORECASE)
    ]
    trees = [soc_of(match) for text in texts for match in re.findall(r"qcom,([a-z0-9]+)", text)]
    return next((soc for soc in (machine, number, *properties, *named, *trees) if soc), None)


def _devices(text: str, soc: str | None, sources: dict[str, Any]) -> list[Device]:
    identifiers = {"soc": soc} if soc else {}
    core = next((word for word in ("Oryon", "Kryo") if word.lower() in text.lower()), None)
    # Windows prints full names of its units; a general one must not stand before them.
    is_windows = re.search(r"(Snapdragon|Qualcomm)\(R\)", text) is not None
    generic = {} if is_windows else {"gpu": "Adreno", "npu": "Qualcomm Hexagon NPU"}
    memory_kind = "shared" if is_windows else "unified"  # Windows carves its GPU memory from the system's and says so
    found = []
    if soc or core:
        found.append(
            Device(
                id="cpu0",
                kind="cpu",
                vendor="qualcomm" if core == "Oryon" else None,
                name=_name_line(text, r"oryon|kryo"),
                identifiers=identifiers,
            )
        )
    gpu = adreno_of(text_of(sources.get("/sys/class/kgsl/kgsl-3d0/gpu_model"))) or adreno_of(text)
    if gpu or soc:
        found.append(
            Device(
                id="gpu0",
                kind="gpu",
                vendor="qualcomm",
                name=_name_line(text, "adreno.*gpu") or gpu or generic.get("gpu"),
                identifiers=identifiers,
                memory_kind=memory_kind,
            )
        )
    told = re.search(r"hexagon|\bnpu\b", text, re.IGNORECASE)
    if told or (soc and has_tensor_unit(soc)):
        label = _name_line(text, r"hexagon.*npu") or generic.get("npu")
        found.append(
            Device(id="npu0", kind="npu", vendor="qualcomm", name=label, identifiers=identifiers, memory_kind=memory_kind)
        )
    return found


def _name_line(text: str, pattern: str) -> str | None:
    """A whole product name as Windows prints it, without the key or the registry type before it."""
    for line in text.splitlines():
        if re.search(pattern, line, re.IGNORECASE) and re.search(r"\((R|TM)\)", line):
            cut = re.split(r"REG_SZ\s+|^\s*[\w \"]+\s*[:=]\s*\"?", line, maxsplit=1)[-1]
            return cut.strip().rstrip('",').strip() or None
    return None
