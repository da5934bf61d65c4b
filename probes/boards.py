"""Boards and modules: Raspberry Pi, Jetson, Rockchip and others by device tree and SMBIOS; sbc-bench reports of them too."""

from __future__ import annotations

import re
from typing import Any

from probes.board_devices import DMI_KEYS, Facts, devices_of, host_of, memory_of
from probes.device_tree import compatibles
from probes.jetson import default_power_mode, l4t_version, module_part, power_mode, power_modes, tegrastats
from probes.printed import known, text_of, texts_of, without_none
from probes.sbc_bench import read_sbc_bench
from recommender.domain.fingerprint import Observation
from recommender.ports import PROBE_API, HostAccess

name = "boards"
api = PROBE_API
volatile = True  # the power mode of a module changes while it runs
platforms = ("linux",)

_TREES = ("/proc/device-tree", "/sys/firmware/devicetree/base")
_DMI = "/sys/class/dmi/id"
_FILES = (
    "/etc/nv_tegra_release",
    "/etc/nvpmodel.conf",
    "/sys/kernel/debug/rknpu/version",
    "/proc/rknpu/version",
    "/sys/module/rknpu/version",
)
_UNIT_NODE = re.compile(r"^(gpu|npu|rknpu|v3d|vpu)@")


def read(host: HostAccess) -> dict[str, Any] | None:
    """Texts by path or command, and `nodes`: the device tree's compute units with their compatible strings."""
    if host.platform().os not in ("linux", None):
        return None
    raw: dict[str, Any] = {path: host.read_text(path) for path in _FILES}
    raw |= {f"{_DMI}/{key}": host.read_text(f"{_DMI}/{key}") for key in DMI_KEYS}
    for tree in _TREES:
        found = {f"{tree}/{key}": host.read_text(f"{tree}/{key}") for key in ("model", "compatible")}
        if any(found.values()):
            raw |= found | {"nodes": _nodes(host, tree)}
            break
    if raw.get("/etc/nv_tegra_release") or "tegra" in text_of(next((raw[key] for key in raw if key.endswith("/compatible")), "")):
        raw["nvpmodel"] = host.run(("nvpmodel", "-q")).stdout
    return {key: value for key, value in raw.items() if value} or None


def parse(raw: dict[str, Any]) -> Observation:
    """Facts of a board; each text is recognised by its name where it is a path, else by what it says."""
    facts = Facts()
    sources = raw if isinstance(raw, dict) else {}
    for label, text in texts_of(sources):
        facts = facts.joined(_facts_of(label, text))
    nodes = sources.get("nodes")
    if isinstance(nodes, dict):
        facts = facts.joined(Facts(nodes={str(node): text_of(value) for node, value in nodes.items()}))
    if facts == Facts():
        return Observation()
    mode = facts.power.get("profile")
    return Observation(
        devices=devices_of(facts), host=host_of(facts), memory=memory_of(facts), power={"profile": mode} if mode else {}
    )


def _nodes(host: HostAccess, tree: str) -> dict[str, str]:
    """Compute units stand at the root or below a bus node (`soc`, `axi`, `v3dbus`, `bus@0`); their strings by node name."""
    folders = [
        tree,
        *(f"{tree}/{child}" for child in host.list_dir(tree) if re.match(r"(soc|axi|bus|v3dbus|host1x)(@|$)", child)),
    ]
    found: dict[str, str] = {}
    for folder in folders:
        for node in host.list_dir(folder):
            status = text_of(host.read_text(f"{folder}/{node}/status")) if _UNIT_NODE.match(node) else "disabled"
            if not status.startswith("disabled"):
                found[node] = host.read_text(f"{folder}/{node}/compatible") or ""
    return found


def _facts_of(label: str, text: str) -> Facts:
    key = label.rpartition("/")[2]
    if label.startswith(_DMI):
        value = known(text.splitlines()[0])
        return Facts(dmi={key: value} if value else {})
    if label.startswith("/") and key == "model":
        return Facts(model=known(text.strip("\0\n ")))
    if label.startswith("/") and key == "compatible":
        return Facts(compatible=compatibles(text))
    report = read_sbc_bench(text)
    if report is not None:
        return Facts(report=report, compatible=report.compatible)
    return _loose_facts(label, text)


def _loose_facts(label: str, text: str) -> Facts:
    """Everything that one text of any origin tells."""
    sections = _sections(text)
    tree = next((body for path, body in sections.items() if path.endswith("/compatible")), "")
    if not sections and all(
        re.fullmatch(r"[a-z][a-z0-9]+,[\w.+,-]+", word) for word in re.split(r"[\0\s]+", text.strip("\0\n "))
    ):
        tree = text
    release = re.search(r"(?:RKNPU driver:|Initialized rknpu)\s*v?([\d.]+)", text)
    tool = re.search(r"P-Number:\s*(p\d{4}-\d{4})", text)  # jetson_release
    chip = re.search(r"\bSoC:\s*(tegra\d+)\b", text)
    version = known(text.strip()) if "rknpu" in label and re.fullmatch(r"v?[\d.]+", text.strip()) else None
    kernel = re.search(r"^(?:Release:\s*)?(\d+\.\d+\.\d+[-\w.+]*)$", text, re.MULTILINE)
    modes = power_modes(text)
    return Facts(
        model=next((known(body) for path, body in sections.items() if path.endswith("/model")), None),
        compatible=compatibles(tree) or ((f"nvidia,{chip[1]}",) if chip else ()),
        l4t=l4t_version(text),
        rknpu=release[1] if release else (version.lstrip("v") if version else None),
        kernel=kernel[1] if kernel and (sections or release or "uname" in text) else None,
        tegrastats=tegrastats(text),
        dmi=_lstopo(text),
        power=without_none({"profile": power_mode(text), "default_mode": default_power_mode(text), "modes": modes or None}),
        part=module_part(tree) or (module_part(tool[1]) if tool else None),
    )


def _sections(text: str) -> dict[str, str]:
    """Reports that print several files: `Path: /x`, `/x:` or `== /x`, the content below."""
    found: dict[str, str] = {}
    path = ""
    for line in text.splitlines():
        heading = re.match(r"^(?:Path:\s*|==\s*|\S*# cat )?(/[\w/.,-]+?):?\s*$", line)
        if heading:
            path = heading[1]
        elif path and line.strip() and not re.fullmatch(r"-+", line.strip()) and "No such file" not in line:
            found[path] = f"{found[path]}\n{line.strip()}" if path in found else line.strip()
    return found


def _lstopo(text: str) -> dict[str, str]:
    """SMBIOS facts in an lstopo export (also a truncated one), with `pus` and `local_memory`."""
    if "<topology" not in text and '<info name="DMI' not in text:
        return {}
    names = {
        "DMIProductName": "product_name",
        "DMISysVendor": "sys_vendor",
        "DMIBoardVendor": "board_vendor",
        "DMIBoardName": "board_name",
        "DMIChassisType": "chassis_type",
        "DMIProductVersion": "product_version",
    }
    found = {
        names[key]: value
        for key, value in re.findall(r'<info name="(DMI\w+)" value="([^"]*)"', text)
        if key in names and known(value)
    }
    cpus = re.search(r'type="Machine"[^>]*?\bcpuset="([0-9a-fx,]+)"', text)
    if cpus:
        found["pus"] = str(sum(int(part, 16).bit_count() for part in cpus[1].split(",") if part))
    memory = sum(int(size) for size in re.findall(r'local_memory="(\d+)"', text))
    if memory:
        found["local_memory"] = str(memory)
    return found
