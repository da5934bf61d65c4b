"""Which machine this is, as its firmware tells Linux: DMI, device tree, SoC bus, hypervisor, system release.

Serial numbers, UUIDs, asset tags and addresses stand in the same folders and are never read.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from recommender.domain.fingerprint import Observation
from recommender.ports import PROBE_API, HostAccess

name = "machine_linux"
api = PROBE_API
volatile = False
platforms = ("linux", "android")

_DMI = "/sys/class/dmi/id"
_DMI_FILES = ("sys_vendor", "product_name", "product_version", "board_name", "bios_vendor", "chassis_type")
_TREES = ("/proc/device-tree", "/sys/firmware/devicetree/base")
_TREE_FILES = ("model", "compatible", "chassis-type", "hypervisor/compatible")
_SOC = "/sys/devices/soc0"
_FILES = {
    "os_release": ("/etc/os-release", "/usr/lib/os-release"),
    "kernel": ("/proc/sys/kernel/osrelease",),
    "version": ("/proc/version",),
    "cpuinfo": ("/proc/cpuinfo",),
    "hypervisor": ("/sys/hypervisor/type",),
    "clocks": ("/sys/devices/system/clocksource/clocksource0/available_clocksource",),
}
# What makers leave in a field that they did not fill in.
_BLANK = re.compile(
    r"(?:to be filled.*|default( string)?|system (product name|manufacturer|version)|not (specified|applicable|available)|none"
    r"|n/?a|unknown|invalid|o\.?e\.?m\.?|x+|\.+|0+|type\d.*|undefined)?",
    re.IGNORECASE,
)
_CHASSIS = {  # SMBIOS 3.7, table 17
    **dict.fromkeys((3, 4, 5, 6, 7, 13, 15, 16, 24, 35, 36), "desktop"),
    **dict.fromkeys((8, 9, 10, 14, 31, 32), "laptop"),
    **dict.fromkeys((17, 23, 25, 28, 29), "server"), 30: "tablet",
}
_TREE_CHASSIS = {  # Devicetree Specification, /chassis-type
    "desktop": "desktop", "all-in-one": "desktop", "laptop": "laptop", "convertible": "laptop", "tablet": "tablet",
    "handset": "phone", "server": "server",
}
_BOARD_MAKERS = (
    "raspberrypi", "radxa", "xunlong", "hardkernel", "friendlyarm", "libretech", "khadas", "bananapi", "sinovoip", "beagle",
    "milkv", "armsom", "firefly", "orangepi",
)
_MODULE = re.compile(r"compute-module|^nvidia,p\d{4}-|^radxa,cm\d|^turing,rk1", re.IGNORECASE)
_HYPERVISORS = (  # words of the firmware, in the order in which they are believed
    ("apple virtualization", "apple"), ("vmware", "vmware"), ("virtualbox", "virtualbox"), ("innotek", "virtualbox"),
    ("parallels", "parallels"), ("microsoft corporation virtual machine", "hyper-v"), ("xen", "xen"), ("bhyve", "bhyve"),
    ("kvm", "kvm"), ("qemu", "kvm"), ("amazon ec2", "kvm"), ("google compute engine", "kvm"), ("openstack", "kvm"),
    ("digitalocean", "kvm"), ("alibaba cloud", "kvm"), ("red hat", "kvm"), ("bochs", "kvm"), ("nutanix", "kvm"),
)
_CLOCKS = (("kvm-clock", "kvm"), ("hyperv_clocksource", "hyper-v"), ("xen", "xen"))
_ONLY_VIRTUAL = ("linux,dummy-virt", "xen,xenvm")
_CHIP = re.compile(r"(?:sun\d+i\w*-[a-z]+\d\w*|(?!j\d)[a-z]{1,8}\d[a-z0-9]*)")  # `j293` is a board of Apple's
_SOC_NAME = re.compile(r"(?:[A-Z]{1,8}\d[A-Z0-9]*|i\.MX\d\w*)", re.IGNORECASE)


def read(host: HostAccess) -> dict[str, Any] | None:
    """Texts of the named files by source; only those that are there."""
    raw: dict[str, Any] = {key: _first(host, paths) for key, paths in _FILES.items()}
    raw["dmi"] = _take(host, _DMI, _DMI_FILES)
    raw["tree"] = next((found for root in _TREES if (found := _take(host, root, _TREE_FILES))), {})
    raw["soc"] = _take(host, _SOC, ("machine", "soc_id", "family"))
    raw["os"] = host.platform().os
    return raw if any(value for key, value in raw.items() if key != "os") else None


def _first(host: HostAccess, paths: Sequence[str]) -> str:
    return next((text for path in paths if (text := host.read_text(path))), "")


def _take(host: HostAccess, folder: str, names: Sequence[str]) -> dict[str, str]:
    texts = {name: host.read_text(f"{folder}/{name}") for name in names}
    return {name: text for name, text in texts.items() if text and text.strip("\0 \n")}


def parse(raw: dict[str, Any]) -> Observation:
    """Facts of the host by name; those that are not told are left out."""
    dmi = {key: text for key, value in (raw.get("dmi") or {}).items() if (text := clean(value))}
    tree = raw.get("tree") or {}
    compatible = parse_compatible(tree.get("compatible", ""))
    guest = virtualization(raw, dmi, compatible)
    told = {
        "os": raw.get("os"),
        "os_version": parse_os_release(raw.get("os_release") or ""),
        "kernel": (raw.get("kernel") or "").strip() or parse_kernel(raw.get("version") or ""),
        "machine_vendor": dmi.get("sys_vendor") or (compatible[0].partition(",")[0] if compatible else None),
        "machine_model": clean(tree.get("model", "")) or dmi.get("product_name") or _cpuinfo_field(raw, "Model"),
        "board": dmi.get("board_name") or (compatible[0] if compatible else None),
        "machine_class": machine_class(raw, dmi, compatible, guest),
        "virtualization": guest,
        "soc": soc_of_compatible(compatible) or soc_of_bus(raw.get("soc") or {}),
        "compatible": list(compatible) or None,
    }
    return Observation(host={key: value for key, value in told.items() if value})


def clean(text: str) -> str | None:
    """The text without padding; None where the maker left the field as it came."""
    text = " ".join(text.strip("\0 \n").split())
    return None if _BLANK.fullmatch(text) else text


def parse_compatible(text: str) -> tuple[str, ...]:
    """A device tree's compatible strings, which NUL bytes part.

    Reports that lost those bytes are parted where the first maker recurs.
    """
    strings = [part.strip() for part in re.split(r"[\0\s]+", text) if part.strip()]
    maker = strings[0].partition(",")[0] if strings and "," in strings[0] else None
    if maker and len(strings) == 1:
        strings = re.split(rf"(?<!^)(?={re.escape(maker)},)", strings[0])
    return tuple(strings)


def soc_of_compatible(compatible: Sequence[str]) -> str | None:
    """`[raspberrypi,5-model-b, brcm,bcm2712]` -> BCM2712. Boards stand first, then chips from the particular to the general."""
    names = [text.partition(",")[2] for text in compatible[1:] or compatible]
    chips = [name for name in names if _CHIP.fullmatch(name)]
    if chips:
        return chips[0].upper()
    last = names[-1] if len(compatible) > 1 else ""
    return last.upper() if re.fullmatch(r"[a-z]+\d+-[a-z0-9]", last) else None


def soc_of_bus(told: Mapping[str, str]) -> str | None:
    """The chip's name from /sys/devices/soc0: the first of machine and soc_id that is one, not a number or a board."""
    names = [clean(told.get(key, "")) or "" for key in ("machine", "soc_id")]
    return next((name.upper().replace("I.MX", "IMX") for name in names if _SOC_NAME.fullmatch(name)), None)


def machine_class(raw: Mapping[str, Any], dmi: Mapping[str, str], compatible: Sequence[str], guest: str | None) -> str | None:
    """Class of the machine; None where nothing tells. Guests count as servers, but not WSL's, which is part of a PC."""
    if guest not in (None, "none"):
        return None if is_wsl(raw.get("version") or "") else "server"
    chassis = dmi.get("chassis_type", "")
    if chassis.isdecimal() and int(chassis) & 0x7F in _CHASSIS:  # the top bit tells of a lock
        return _CHASSIS[int(chassis) & 0x7F]
    told = _TREE_CHASSIS.get((raw.get("tree") or {}).get("chassis-type", "").strip("\0 \n"))
    if told or not compatible:
        return told
    if any(_MODULE.search(text) for text in compatible):
        return "module"
    return "sbc" if compatible[0].partition(",")[0] in _BOARD_MAKERS else None


def virtualization(raw: Mapping[str, Any], dmi: Mapping[str, str], compatible: Sequence[str]) -> str | None:
    """The hypervisor's name, `vm-other` where it has none, none where an x86 processor shows no hypervisor; else None."""
    if is_wsl(raw.get("version") or ""):
        return "hyper-v"
    if dmi.get("product_name", "").endswith(".metal"):  # a whole machine of a cloud that names its guests alike
        return "none"
    flags = _flags(raw)
    if flags and "hypervisor" not in flags:
        return "xen" if (raw.get("hypervisor") or "").strip() == "xen" else "none"
    tree = parse_compatible((raw.get("tree") or {}).get("hypervisor/compatible", ""))
    firmware = [dmi.get(key, "") for key in ("sys_vendor", "product_name", "bios_vendor", "product_version")]
    words = " ".join([*firmware, raw.get("hypervisor") or "", *tree]).lower()
    named = next((kind for word, kind in _HYPERVISORS if re.search(rf"\b{word}\b", words)), None)
    clocks = raw.get("clocks") or ""
    by_clock = next((kind for word, kind in _CLOCKS if word in clocks), None)
    if named or by_clock:
        return named or by_clock
    return "vm-other" if "hypervisor" in flags or any(text in _ONLY_VIRTUAL for text in compatible) else None


def _flags(raw: Mapping[str, Any]) -> list[str]:
    """Flags of the first x86 processor; none when the line is cut, for what is missing there says nothing."""
    match = re.search(r"^flags\s*:(.*)\n", raw.get("cpuinfo") or "", re.MULTILINE)
    return match[1].split() if match else []


def is_wsl(version: str) -> bool:
    """Whether the kernel's version text is that of the Windows Subsystem for Linux, second edition."""
    return bool(re.search(r"microsoft-standard|WSL2", version, re.IGNORECASE))


def parse_kernel(version: str) -> str | None:
    """`Linux version 6.1.0-13-amd64 (...)` -> 6.1.0-13-amd64."""
    match = re.match(r"Linux version (\S+)", version)
    return match[1] if match else None


def parse_os_release(text: str) -> str | None:
    """The system's name and version as it prints them (`PRETTY_NAME`)."""
    fields = dict(re.findall(r"^(\w+)=[\"']?(.*?)[\"']?\s*$", text, re.MULTILINE))
    return fields.get("PRETTY_NAME") or " ".join(filter(None, (fields.get("NAME"), fields.get("VERSION")))) or None


def _cpuinfo_field(raw: Mapping[str, Any], key: str) -> str | None:
    match = re.search(rf"^{key}\s*:[ \t]*(.*)$", raw.get("cpuinfo") or "", re.MULTILINE)
    return clean(match[1]) if match else None
