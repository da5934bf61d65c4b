"""The text of /proc/cpuinfo on every architecture. Pure; broken text gives fewer facts, never an error."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

_FEATURE_KEYS = ("flags", "Features", "features", "isa", "hart isa")
_X86_VENDORS = {
    "GenuineIntel": "intel", "AuthenticAMD": "amd", "HygonGenuine": "hygon", "CentaurHauls": "centaur", "Shanghai": "zhaoxin",
}
_RISCV_G = ("i", "m", "a", "f", "d", "zicsr", "zifencei")  # what the letter g stands for
_ARM_PART = re.compile(r"0x[0-9a-fA-F]{3}")  # the kernel prints three digits; fewer is a line that was cut


@dataclass(frozen=True, kw_only=True, slots=True)
class CpuInfo:
    """processors: number -> its fields. common: fields that stand outside of a processor's block (32-bit Arm, board lines).

    cut: the text ends in the middle of the features of its last processor.
    """

    processors: Mapping[int, Mapping[str, str]] = field(default_factory=dict)
    common: Mapping[str, str] = field(default_factory=dict)
    cut: bool = False

    def values(self, key: str) -> Iterator[str]:
        """Every non-empty value of a field, in order."""
        for block in (*self.processors.values(), self.common):
            if block.get(key):
                yield block[key]

    def first(self, *keys: str) -> str | None:
        """The first non-empty value of the first key that has one."""
        return next((value for key in keys for value in self.values(key)), None)

    def number(self, key: str) -> int | None:
        """The first whole number of a field."""
        return next((int(value) for value in self.values(key) if value.isdecimal()), None)


def parse_cpuinfo(text: str) -> CpuInfo:
    """Blocks by processor; lines outside of one (a prompt, a heading, `Hardware`) are common."""
    processors: dict[int, dict[str, str]] = {}
    common: dict[str, str] = {}
    block: dict[str, str] | None = None
    key = ""
    for line in text.splitlines():
        if not line.strip():
            block = None
            continue
        key, colon, value = (part.strip() for part in line.partition(":"))
        if not colon:
            continue
        if key == "processor" and value.isdecimal():
            block = processors.setdefault(int(value), {})
        elif block is not None:
            block[key] = value
        else:
            common.setdefault(key, value)
    cut = bool(text) and not text.endswith("\n") and key in _FEATURE_KEYS
    return CpuInfo(processors=processors, common=common, cut=cut)


def architecture(info: CpuInfo, byte_order: str | None = None) -> str | None:
    """x86_64, i686, aarch64, armv7l, riscv64, ... as the fields show it; None where they do not.

    byte_order: text of /sys/kernel/cpu_byteorder, needed for POWER alone.
    """
    isa = (info.first("isa", "hart isa") or "").lower()
    if isa.startswith(("rv64", "rv32")):
        return f"riscv{isa[2:4]}"
    if info.first("vendor_id") == "IBM/S390":
        return "s390x"
    if (info.first("CPU Family", "Model Name") or "").startswith("Loongson-") or isa.startswith("loongarch64"):
        return "loongarch64"
    if (info.first("cpu") or "").startswith("POWER"):
        return "ppc64le" if (byte_order or "").strip() == "little" else "ppc64"
    if info.first("flags") and info.first("vendor_id"):
        found = features(info)
        return "x86_64" if "lm" in found else None if info.cut and len(info.processors) < 2 else "i686"
    return _arm_architecture(info)


def _arm_architecture(info: CpuInfo) -> str | None:
    told = info.first("CPU architecture") or ""
    named = f"{info.first('Processor') or ''} {info.first('model name') or ''}"
    if told.lower() == "aarch64" or "aarch64" in named.lower() or (told.isdecimal() and int(told) >= 8):
        return "aarch64"
    if told.startswith("7"):
        return "armv7l"
    if told.startswith(("5", "6")):
        return "armv6l" if told[0] == "6" else "armv5tel"
    found = features(info) if info.first("CPU implementer") else ()
    return "aarch64" if "asimd" in found else "armv7l" if "vfpv3" in found else None


def features(info: CpuInfo) -> tuple[str, ...]:
    """Instruction-set features that all processors share, in Linux spelling, sorted. RISC-V: letters and named extensions."""
    key = next((key for key in _FEATURE_KEYS if info.first(key)), None)
    if key is None:
        return ()
    split = riscv_extensions if key in ("isa", "hart isa") else str.split
    sets = [frozenset(split(value)) for value in info.values(key)]
    if info.cut:
        sets = sets[:-1] or [frozenset(split(next(info.values(key)))[:-1])]
    return tuple(sorted(frozenset.intersection(*sets)))


def riscv_extensions(isa: str) -> list[str]:
    """`rv64imafdcv_zba_zbb` -> [i, m, a, f, d, c, v, zba, zbb]; g is written out. Anything else: no extension."""
    match = re.match(r"rv\d+([a-z]*)(.*)", isa.strip().lower())
    if not match:
        return []
    letters = [name for letter in match[1] for name in (_RISCV_G if letter == "g" else (letter,))]
    return letters + [name for name in match[2].split("_") if name.isalnum()]


def arm_parts(info: CpuInfo) -> dict[int, tuple[int, int]]:
    """Processor -> (implementer, part); a processor without its own lines takes the common ones (32-bit Arm)."""
    parts = {}
    for number, block in info.processors.items():
        implementer = block.get("CPU implementer", info.common.get("CPU implementer", ""))
        part = block.get("CPU part", info.common.get("CPU part", ""))
        if re.fullmatch(r"0x[0-9a-fA-F]{2}", implementer) and _ARM_PART.fullmatch(part):
            parts[number] = (int(implementer, 16), int(part, 16))
    return parts


def vendor(info: CpuInfo) -> str | None:
    """Short name of the maker, of all but Arm cores."""
    told = info.first("vendor_id")
    if told == "IBM/S390" or (info.first("cpu") or "").startswith("POWER"):
        return "ibm"
    if told:
        return _X86_VENDORS.get(told, told.lower())
    if (info.first("Model Name") or "").startswith("Loongson"):
        return "loongson"
    maker, comma, _ = (info.first("uarch") or "").partition(",")
    return maker.lower() if comma else None


def model_name(info: CpuInfo) -> str | None:
    """The processor's marketing name, or what stands for it."""
    power = (info.first("cpu") or "").split(",")[0]
    return info.first("model name", "Model Name") or (power if power.startswith("POWER") else None)


def cpuid(info: CpuInfo) -> str | None:
    """`GenuineIntel:6:140:1` of an x86 processor."""
    maker, family, model = info.first("vendor_id"), info.number("cpu family"), info.number("model")
    if not maker or family is None or model is None:
        return None
    stepping = info.number("stepping")
    return f"{maker}:{family}:{model}" + ("" if stepping is None else f":{stepping}")


def counts(info: CpuInfo) -> tuple[int | None, int | None, int | None]:
    """(sockets, physical, logical) where the text itself tells. Per-package lines still count where blocks were left out."""
    logical = len(info.processors) or info.number("# processors")
    packages: dict[int, dict[str, int]] = {}
    for block in info.processors.values():
        told = {key: int(block[key]) for key in ("physical id", "cpu cores", "siblings") if block.get(key, "").isdecimal()}
        if "physical id" in told:
            known = packages.setdefault(told["physical id"], {})
            known.update({key: max(known.get(key, 0), value) for key, value in told.items()})
    if not packages:
        return None, None, logical
    siblings = sum(package.get("siblings", 0) for package in packages.values())
    cores = [package.get("cpu cores", 0) for package in packages.values()]
    return len(packages), sum(cores) if all(cores) else None, max(logical or 0, siblings) or None
