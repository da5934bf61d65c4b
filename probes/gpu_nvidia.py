"""NVIDIA GPUs: `nvidia-smi` in any of its forms, the kernel driver's own files, NVML through Python where the tool is missing."""

from __future__ import annotations

import re
from typing import Any

from probes import nvml
from probes.nvidia_smi import Facts, merge, parse_any
from probes.tool_text import clean, drop_unknown, integer, known, pci_address, pci_id
from recommender.domain.fingerprint import Device, Observation
from recommender.ports import PROBE_API, HostAccess

name = "gpu_nvidia"
api = PROBE_API
volatile = False
platforms = ("linux", "windows")
questions = {"nvml": nvml.ask}  # asked when the tool is missing
timeout = 30.0  # seconds: four forms of the tool may be tried, each of which may wake the driver

_PROC = "/proc/driver/nvidia"
_TOOLS = ("nvidia-smi", "/usr/lib/wsl/lib/nvidia-smi")
_FIELDS = "index,pci.bus_id,name,pci.device_id,memory.total,memory.free,driver_version,compute_cap"
_FORMS = (("-q", "-x"), (f"--query-gpu={_FIELDS}", "--format=csv"), (), ("-L",))
_SECONDS = 10.0  # the first call wakes a sleeping driver
# System-on-chip parts whose GPU has no memory of its own, as the driver names them.
_ON_CHIP = re.compile(r"\b(?:GB10|Orin|Thor|Xavier|Tegra)\b|\bnvgpu\b", re.IGNORECASE)


def read(host: HostAccess) -> dict[str, Any] | None:
    raw: dict[str, Any] = {"tool": _ask_tool(host), "module": host.read_text(f"{_PROC}/version") or ""}
    cards = host.list_dir(f"{_PROC}/gpus")
    raw["cards"] = {card: host.read_text(f"{_PROC}/gpus/{card}/information") or "" for card in cards}
    if not raw["tool"]:
        raw["nvml"] = host.python("nvml")
    return raw if any(raw.values()) else None


def _ask_tool(host: HostAccess) -> list[str]:
    """The full report and the compute capability, which it lacks; the simpler forms only where the report fails."""
    for tool in _TOOLS:
        report = host.run([tool, *_FORMS[0]], _SECONDS)
        table = host.run([tool, *_FORMS[1]], _SECONDS) if report.returncode != 127 or not host.is_live else report
        texts = [done.stdout for done in (report, table) if done.ok and done.stdout.strip()]
        if not texts and (report.returncode != 127 or not host.is_live):
            texts = [done.stdout for form in _FORMS[2:] if (done := host.run([tool, *form], _SECONDS)).ok and done.stdout.strip()]
        if texts:
            return texts
    return []


def parse(raw: dict[str, Any]) -> Observation:
    """raw: `tool` (texts of nvidia-smi, any form), `module` and `cards` from /proc/driver/nvidia, `nvml` (see `nvml.ask`)."""
    texts = raw.get("tool")
    texts = [texts] if isinstance(texts, str) else texts if isinstance(texts, list) else []
    gpus = merge(_proc(raw), _nvml(raw.get("nvml")), *(parse_any(text) for text in texts))
    return Observation(devices=tuple(_device(gpu, position) for position, gpu in enumerate(gpus)))


def _proc(raw: dict[str, Any]) -> list[Facts]:
    version = re.search(r"Kernel Module(?: for \S+)?\s+(\d+\.[\d.]+)", clean(raw.get("module")))
    cards = raw.get("cards")
    found = []
    for address, text in cards.items() if isinstance(cards, dict) else ():
        model = re.search(r"^Model:\s*(.+?)\s*$", clean(text), re.MULTILINE)
        facts = {
            "address": pci_address(address),
            "name": known(model[1]) if model else None,
            "driver_version": version[1] if version else None,
        }
        found.append(drop_unknown(facts))
    return [facts for facts in found if "address" in facts]


def _nvml(answer: Any) -> list[Facts]:
    if not isinstance(answer, dict) or not isinstance(answer.get("gpus"), list):
        return []
    shared = {key: known(answer.get(key)) for key in ("driver_version", "cuda_version")}
    return [drop_unknown(shared | _nvml_gpu(gpu)) for gpu in answer["gpus"] if isinstance(gpu, dict)]


def _nvml_gpu(gpu: dict[str, Any]) -> Facts:
    packed = gpu.get("pci_device_id")
    return {
        "index": integer(gpu.get("index")),
        "address": pci_address(gpu.get("pci_bus_id")),
        "name": known(gpu.get("name")),
        "pci": pci_id(packed & 0xFFFF, packed >> 16 & 0xFFFF) if isinstance(packed, int) else None,
        "memory_total": integer(gpu.get("memory_total")),
        "memory_available": integer(gpu.get("memory_free")),
        "compute_capability": known(gpu.get("compute_capability")),
    }


def _device(gpu: Facts, position: int) -> Device:
    address, place = gpu.get("address"), f"nvidia:{gpu.get('index', position)}"
    kind = _memory_kind(gpu)
    own = kind == "dedicated"
    return Device(
        id=f"gpu@{address or place}",
        kind="gpu",
        vendor="nvidia",
        name=gpu.get("name"),
        identifiers=drop_unknown({key: gpu.get(key) for key in ("pci", "compute_capability")}),
        memory_kind=kind,
        memory_total=gpu["memory_total"] if own else None,
        memory_available=gpu.get("memory_available") if own else None,
        driver="nvidia" if gpu.get("driver_version") else None,
        driver_version=gpu.get("driver_version"),
        attributes=_attributes(gpu),
    )


def _memory_kind(gpu: Facts) -> str | None:
    """Dedicated where the tool gives a size. An explicit "not supported" means one pool with the host, except under MIG."""
    if _ON_CHIP.search(gpu.get("name", "")):
        return "unified"
    if "memory_total" in gpu:
        return "dedicated"
    split = gpu.get("mig_mode") == "enabled" or "mig" in gpu
    return "unified" if gpu.get("unified") and not split else None


def _attributes(gpu: Facts) -> dict[str, Any]:
    kept = ("cuda_version", "architecture", "driver_model", "mig_mode", "mig")
    attributes = drop_unknown({"pci_address": gpu.get("address"), **{key: gpu.get(key) for key in kept}})
    if "name" not in gpu and "name_start" in gpu:
        attributes["name_start"] = gpu["name_start"]
    return attributes | ({"mig": gpu.get("mig", [])} if gpu.get("mig_mode") == "enabled" else {})
