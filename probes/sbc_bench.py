"""Reports of sbc-bench: title, SMBIOS block, memory line, CPU topology, lscpu block, SoC guess and device-tree strings. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass

from probes.device_tree import compatibles
from probes.printed import first, integer, known, size_in_bytes
from recommender.domain.fingerprint import Cache, Cores

_ROW = re.compile(r"^ *(\d+) +(\d+) +(\d+) +(?:(\d+|-) +)?(?:(\d+|-) +)?([A-Z][\w-]+)(?: */ *r\d+p\d+)? *$", re.MULTILINE)
_CACHE = re.compile(r"^(L(\d)([di]?)) cache:\s*([\d.]+ ?[KMG]iB)(?: \((\d+) instances?\))?", re.MULTILINE)
_CODE = re.compile(r"\b([A-Z]{1,4}\d{3,5}[A-Z]*\d?)\b")
_TYPES = {"d": "data", "i": "instruction", "": "unified"}


@dataclass(frozen=True, kw_only=True, slots=True)
class SbcReport:
    """What one report told; bytes for sizes. `smbios_family` and `cpu_version` are the firmware's own words for the chip."""

    model: str | None
    maker: str | None
    memory: int | None
    compatible: tuple[str, ...]
    guess: str | None
    smbios_family: str | None
    cpu_version: str | None
    architecture: str | None
    kernel: str | None
    cores: Cores | None
    core_types: tuple[str, ...]  # small to big
    clusters: int | None
    features: tuple[str, ...]
    caches: tuple[Cache, ...]


def read_sbc_bench(text: str) -> SbcReport | None:
    """The report in `text`; None when it is none."""
    if not re.search(r"^sbc-bench v[\d.]+|^SoC guess:|^DT compat:", text, re.MULTILINE):
        return None
    rows = [match.groups() for match in _ROW.finditer(text)]
    guess = re.search(r"^SoC guess:\s*(.+)$", text, re.MULTILINE)
    kernel = re.search(r"^[ \t]*Kernel:[ \t]*([^\s/]+)/(\S+)", text, re.MULTILINE)
    code = _CODE.search(guess[1]) if guess else None
    flags = re.findall(r"^Flags:\s*(.+)$", text, re.MULTILINE)
    types = _core_types(rows)
    return SbcReport(
        model=first(known(_value(text, "Product Name")), _title(text)),
        maker=known(_value(text, "Manufacturer")),
        memory=_memory(text),
        compatible=_compatible(text),
        guess=code[1] if code else None,
        smbios_family=known(_value(text, "Family")),
        cpu_version=known(_value(_after(text, "Processor Information"), "Version")),
        architecture=first(_lscpu(text, "Architecture"), kernel[2] if kernel else None),
        kernel=kernel[1] if kernel else None,
        cores=_cores(text, rows, types),
        core_types=types,
        clusters=len({(row[1], row[2]) for row in rows}) or None,
        features=tuple(sorted(set.intersection(*(set(line.split()) for line in flags)))) if flags else (),
        caches=_caches(text, len(types) > 1),
    )


def _value(text: str, key: str) -> str | None:
    """A line of the SMBIOS blocks, which are indented by a tab."""
    found = re.search(rf"^\t{key}:\s*(.*)$", text, re.MULTILINE)
    return found[1].strip() if found else None


def _after(text: str, heading: str) -> str:
    return text.partition(heading)[2]


def _lscpu(text: str, key: str) -> str | None:
    found = re.search(rf"^{re.escape(key)}:\s*(\S.*)$", text, re.MULTILINE)
    return found[1].strip() if found else None


def _title(text: str) -> str | None:
    """`sbc-bench v0.9.35 RPi 4 Model B Rev 1.1 / BCM2711 Rev B0 review (date)` -> `Raspberry Pi 4 Model B Rev 1.1`."""
    found = re.search(r"^sbc-bench v[\d.]+\s+(.+?)(?:\s+review)?\s*(?:\([^()]*\))?\s*$", text, re.MULTILINE)
    return known(re.sub(r"^RPi\b", "Raspberry Pi", found[1].split(" / ")[0].strip())) if found else None


def _memory(text: str) -> int | None:
    found = re.search(r"^Mem:\s+(\S+)", text, re.MULTILINE)
    return size_in_bytes(found[1]) if found else None


def _compatible(text: str) -> tuple[str, ...]:
    found = re.search(r"^DT compat:(.*\n?(?:[ \t]{6,}\S+,\S+[ \t]*\n?)*)", text, re.MULTILINE)
    return compatibles(found[1]) if found else ()


def _core_types(rows: list[tuple[str | None, ...]]) -> tuple[str, ...]:
    speeds: dict[str, int] = {}
    for row in rows:
        speeds[str(row[5])] = max(speeds.get(str(row[5]), 0), integer(row[4]) or 0)
    return tuple(sorted(speeds, key=lambda type_: speeds[type_]))


def _cores(text: str, rows: list[tuple[str | None, ...]], types: tuple[str, ...]) -> Cores | None:
    """Where kinds of cores differ, the slowest kind is the efficient one."""
    logical = first(integer(_lscpu(text, "CPU(s)")), len(rows) or None)
    if logical is None:
        return None
    threads = integer(_lscpu(text, "Thread(s) per core")) or None
    slow = sum(row[5] == types[0] for row in rows) if len(types) > 1 else None
    return Cores(
        physical=logical // threads if threads else None,
        logical=logical,
        performance=len(rows) - slow if slow is not None else None,
        efficiency=slow,
    )


def _caches(text: str, has_kinds: bool) -> tuple[Cache, ...]:
    """lscpu prints the sum of all instances: one size cannot be told without their number, nor where cores differ in kind."""
    found = []
    for _, level, kind, size, count in _CACHE.findall(text):
        whole = size_in_bytes(size)
        if whole and count and (count == "1" or not has_kinds):
            found.append(Cache(level=int(level), type=_TYPES[kind], size=whole // int(count), instances=int(count)))
    return tuple(found)
