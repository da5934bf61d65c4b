"""Android phones and tablets: chip, GPU, memory, model and system version from properties and from Termux."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from probes.printed import first, json_of, known, settings, size_in_bytes, texts_of, without_none
from probes.snapdragon_names import adreno_of, soc_of
from recommender.domain.fingerprint import Device, HostMemory, Observation
from recommender.ports import PROBE_API, HostAccess

name = "android"
api = PROBE_API
volatile = False
platforms = ("android",)

_FILES = (
    "/system/build.prop",
    "/vendor/build.prop",
    "/odm/etc/build.prop",
    "/product/build.prop",
    "/product/etc/build.prop",
    "/build.prop",
)
_GPU_MODEL = "/sys/class/kgsl/kgsl-3d0/gpu_model"  # Adreno only
_COMMANDS = {"getprop": ("getprop",), "surfaceflinger": ("dumpsys", "SurfaceFlinger"), "termux-info": ("termux-info",)}
_MODELS = ("ro.soc.model", "ro.vendor.soc.model", "ro.soc.model.external_name")
_CHIPS = ("ro.hardware.chipname", "ro.chipname", "ro.vendor.chipname", "ro.boot.chipname", "ro.arch")
_BOARDS = (
    "ro.board.platform",
    "ro.vendor.mediatek.platform",
    "ro.mediatek.platform",
    "ro.boot.hardware.platform",
    "ro.product.board",
    "ro.boot.hardware",
    "ro.hardware",
)
_ABIS = {
    "arm64-v8a": "aarch64",
    "armeabi-v7a": "armv7l",
    "armeabi": "armv7l",
    "x86_64": "x86_64",
    "x86": "x86",
    "riscv64": "riscv64",
}
_TERMUX = {
    "Packages CPU architecture": "abi",
    "Android version": "version",
    "Kernel build information": "kernel",
    "Device manufacturer": "vendor",
    "Device model": "model",
    "Supported ABIs": "abis",
}
_GPUS = (
    ("adreno", "qualcomm", "Adreno"),
    ("freedreno", "qualcomm", "Adreno"),
    ("immortalis", "arm", "Immortalis"),
    ("mali", "arm", "Mali"),
    ("panfrost", "arm", "Mali"),
    ("powervr", "imagination", "PowerVR"),
    ("img", "imagination", "PowerVR"),
    ("xclipse", "samsung", "Xclipse"),
    ("sgpu", "samsung", "Xclipse"),
    ("tegra", "nvidia", "Tegra"),
)
# Parts of property names that only the software of such a unit sets.
_NEURAL = (
    ("edgetpu", "google", "Google Edge TPU"),
    ("apusys", "mediatek", "MediaTek APU"),
    ("neuropilot", "mediatek", "MediaTek APU"),
    ("apuware", "mediatek", "MediaTek APU"),
    ("samsung_slsi.hardware.eden", "samsung", "Samsung NPU"),
    ("eden_runtime", "samsung", "Samsung NPU"),
)
_SHAPED = (
    (re.compile(r"^(?:s5e)?exynos\s?(\d{4,5})\w?$|^universal(\d{4,5})$", re.IGNORECASE), "EXYNOS {}"),
    (re.compile(r"^(s5e\d{4})$", re.IGNORECASE), "{}"),
    (re.compile(r"^(mt\d{4}\w{0,4})$", re.IGNORECASE), "{}"),
    (re.compile(r"^(gs\d{3})$", re.IGNORECASE), "{}"),
    (re.compile(r"^(kirin\d{3,4}\w?|hi\d{4}|rk\d{4}\w?|ums\d{3,4}|sc\d{4}a?|sp\d{4}a|t\d{3})$", re.IGNORECASE), "{}"),
)


def read(host: HostAccess) -> dict[str, Any] | None:
    """Property files and command outputs by name; None where there are none."""
    if host.platform().os not in ("android", None):
        return None
    raw: dict[str, Any] = {key: host.run(argv, timeout=5.0).stdout for key, argv in _COMMANDS.items()}
    raw |= {path: host.read_text(path) for path in (*_FILES, _GPU_MODEL)}  # after the running system, which parse believes first
    return {key: text for key, text in raw.items() if text} or None


def parse(raw: dict[str, Any]) -> Observation:
    """Facts from `getprop`, `build.prop`, the same as JSON, `termux-info`, SurfaceFlinger's GLES line, a bare `ro.soc.model`."""
    properties: dict[str, str] = {}
    termux: dict[str, str] = {}
    renderer = None
    for label, text in texts_of(raw):
        renderer = first(renderer, known(text) if label == _GPU_MODEL else _renderer(text))
        if label in ("surfaceflinger", _GPU_MODEL):
            continue
        for key, value in properties_of(text).items():
            properties.setdefault(key, value)
        for key, value in _termux(text).items():
            termux.setdefault(key, value)
    if not properties and not termux and renderer is None:
        return Observation()
    soc = soc_of_properties(properties)
    host = _host(properties, termux, soc)
    memory = _memory(properties)
    return Observation(devices=tuple(_devices(properties, soc, renderer)), host={"os": "android", **host}, memory=memory)


def properties_of(text: str) -> dict[str, str]:
    """The properties in `text`; a text of one bare value is the answer to `getprop ro.soc.model`."""
    document = json_of(text) if text.lstrip().startswith("{") else None
    lines: Mapping[str, Any] = document if isinstance(document, Mapping) else settings(text)
    found = {
        key: str(value).strip() for key, value in lines.items() if re.fullmatch(r"[a-zA-Z0-9_]+(\.[a-zA-Z0-9_\-]+)+", str(key))
    }
    bare = text.strip()
    if not found and "\n" not in bare and re.fullmatch(r"[A-Za-z][A-Za-z0-9 \-]{2,30}", bare) and _looks_like_chip(bare):
        return {"ro.soc.model": bare}
    return found


def soc_of_properties(properties: Mapping[str, str]) -> str | None:
    """The chip's code as its vendor writes it. Board names that are shared by several chips (`kalama`, `exynos5`) name none."""
    named = [value for key in _MODELS if (value := known(properties.get(key)))]
    chips = [value for key in (*_CHIPS, *_BOARDS) if (value := known(properties.get(key)))]
    for value in named:
        code = chip_code(value)
        if code and code.startswith(
            "S5E"
        ):  # Samsung's part number; the product name, where printed too, is the one that people use
            return next((other for other in map(chip_code, chips) if other and other.startswith("EXYNOS")), code)
        return code or value
    return next((code for code in map(chip_code, chips) if code), None)


def chip_code(value: str) -> str | None:
    """`exynos8890` -> `EXYNOS 8890`, `mt8173` -> `MT8173`, `SM8550-AB` -> `SM8550`; None for what is no chip's code."""
    qualcomm = soc_of(value)
    if qualcomm:
        return qualcomm
    for pattern, form in _SHAPED:
        match = pattern.match(value)
        if match:
            return form.format(next(group for group in match.groups() if group).upper())
    return None


def _looks_like_chip(value: str) -> bool:
    return bool(chip_code(value) or re.match(r"(Tensor|Dimensity|Helio|Snapdragon|Exynos|Kirin|Unisoc)\b", value, re.IGNORECASE))


def _termux(text: str) -> dict[str, str]:
    """`termux-info` prints a heading line and the value in the next one."""
    lines = [line.strip() for line in text.splitlines()]
    found = {}
    for heading, key in _TERMUX.items():
        index = next((number for number, line in enumerate(lines) if line.rstrip(":") == heading), None)
        value = known(lines[index + 1]) if index is not None and index + 1 < len(lines) else None
        if value and value.rstrip(":") not in _TERMUX:
            found[key] = value
    return found


def _renderer(text: str) -> str | None:
    """The GPU by SurfaceFlinger (`GLES: Qualcomm, Adreno (TM) 740, OpenGL ES ...`)."""
    match = re.search(r"^[ \t]*GLES:[ \t]*[^,\n]+,\s*([^,\n]+)", text, re.MULTILINE)
    return match[1].strip() if match else None


def _host(properties: Mapping[str, str], termux: Mapping[str, str], soc: str | None) -> dict[str, Any]:
    abi = first(
        known(properties.get("ro.product.cpu.abi")),
        known(properties.get("ro.product.cpu.abilist", "").split(",")[0]),
        termux.get("abi"),
    )
    kernel = re.search(r"\bLinux (?:version )?(?:\S+ )?(\d+\.\d+\S*)", termux.get("kernel", ""))
    emulated = (
        properties.get("ro.kernel.qemu") == "1"
        or properties.get("ro.boot.qemu") == "1"
        or properties.get("ro.hardware") in ("ranchu", "goldfish")
    )
    return without_none(
        {
            "os_version": first(_any(properties, "build.version.release"), termux.get("version")),
            "kernel": kernel[1] if kernel else None,
            "architecture": _ABIS.get(str(abi), abi if abi in _ABIS.values() else None),
            "machine_vendor": first(_product(properties, "manufacturer"), _product(properties, "brand"), termux.get("vendor")),
            "machine_model": first(_product(properties, "model"), termux.get("model")),
            "machine_class": _class(properties),
            "board": known(properties.get("ro.board.platform")),
            "soc": soc,
            "virtualization": "qemu" if emulated else None,
        }
    )


def _product(properties: Mapping[str, str], field: str) -> str | None:
    """ro.product.FIELD, else the same of one partition (system images name themselves generically, so they come last)."""
    own = known(properties.get(f"ro.product.{field}"))
    parts = [
        value
        for key in properties
        if re.fullmatch(rf"ro\.product\.(?!system)\w+\.{field}", key) and (value := known(properties[key]))
    ]
    return first(own, *parts, known(properties.get(f"ro.product.system.{field}")))


def _any(properties: Mapping[str, str], field: str) -> str | None:
    keys = (f"ro.{field}", f"ro.vendor.{field}", f"ro.system.{field}", f"ro.product.{field}")
    return first(*(known(properties.get(key)) for key in keys))


def _class(properties: Mapping[str, str]) -> str | None:
    told = properties.get("ro.build.characteristics", "").split(",")
    if "tablet" in told:
        return "tablet"
    if any(kind in told for kind in ("tv", "watch", "automotive", "embedded")):
        return None
    radio = any(key.startswith(("gsm.", "ril.", "rild.", "persist.radio.", "ro.telephony.")) for key in properties)
    return "phone" if "phone" in told or radio else None


def _memory(properties: Mapping[str, str]) -> HostMemory | None:
    """Some makers print the memory chips: `ro.boot.hardware.ddr` = `12GB,Micron,LPDDR5`."""
    told = first(known(properties.get("ro.boot.hardware.ddr")), known(properties.get("ro.boot.ddr_info")))
    total = size_in_bytes(told) if told and re.match(r"\d+\s*GB", told) else None
    kind = re.search(r"LPDDR\d\w?", told or "")
    return HostMemory(total=total, kind=kind[0] if kind else None) if total or kind else None


def _devices(properties: Mapping[str, str], soc: str | None, renderer: str | None) -> Iterable[Device]:
    identifiers = {"soc": soc} if soc else {}
    if soc:
        yield Device(id="cpu0", kind="cpu", identifiers=identifiers, memory_kind="unified")
    vendor, label = _gpu(properties, renderer)
    if vendor:
        yield Device(id="gpu0", kind="gpu", vendor=vendor, name=label, identifiers=identifiers, memory_kind="unified")
    keys = " ".join(properties)
    unit = next(((maker, title) for word, maker, title in _NEURAL if word in keys), None)
    if unit:
        yield Device(id="npu0", kind="npu", vendor=unit[0], name=unit[1], identifiers=identifiers, memory_kind="unified")


def _gpu(properties: Mapping[str, str], renderer: str | None) -> tuple[str | None, str | None]:
    """Vendor and name: the renderer's own, else what the driver properties say (often the family only)."""
    drivers = [value for key in sorted(properties) if key.startswith("ro.gfx.driver") and (value := known(properties[key]))]
    told = [
        renderer,
        *drivers,
        *(known(properties.get(key)) for key in ("ro.hardware.vulkan", "ro.hardware.egl", "ro.board.gpu")),
    ]
    for text in filter(None, told):
        found = next(((vendor, label) for word, vendor, label in _GPUS if word in text.lower()), None)
        if found:
            label = (
                adreno_of(text)
                if found[0] == "qualcomm" and "adreno" in text.lower()
                else (text if text == renderer else found[1])
            )
            return found[0], label
    return None, None
