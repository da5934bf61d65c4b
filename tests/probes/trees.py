"""Builds /proc and /sys trees for the tests, and finds the recorded ones beside the checkout."""

from __future__ import annotations

import tarfile
from collections.abc import Iterable, Mapping
from pathlib import Path

import pytest

from recommender.intake.host import SysrootHost

SNAPSHOTS = Path(__file__).resolve().parents[2] / ".." / "shared" / "snapshots"
CPU = "sys/devices/system/cpu"


def tree(root: Path, files: Mapping[str, str]) -> SysrootHost:
    """A host that holds these files, by path below its root."""
    for path, text in files.items():
        target = root / path.lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)
    return SysrootHost(root)


def recorded_tree(root: Path, archive: str) -> SysrootHost:
    """A recorded machine, unpacked; skips the test where the recordings are not there."""
    found = SNAPSHOTS / archive
    if not found.exists():
        pytest.skip(f"no recorded tree {archive} beside the checkout")
    with tarfile.open(found) as packed:
        packed.extractall(root, filter="data")
    return SysrootHost(next(path.parents[1] for path in root.rglob("proc/cpuinfo")))


def recorded_output(name: str) -> str:
    """A recorded output; skips the test where it is not there."""
    found = SNAPSHOTS / "outputs" / name
    if not found.exists():
        pytest.skip(f"no recorded output {name} beside the checkout")
    return found.read_text()


def joined_files(text: str) -> dict[str, str]:
    """The parts of a recorded output that joins several files, by the name in its `== name` lines."""
    parts: dict[str, str] = {}
    key = ""
    for line in text.splitlines(keepends=True):
        if line.startswith("== "):
            key = line[3:].strip()
        elif key and line.strip():
            parts[key] = parts.get(key, "") + line
    return parts


def cpu_files(
    siblings: Mapping[int, str],
    *,
    package: Mapping[int, int] | None = None,
    khz: Mapping[int, int] | None = None,
    capacity: Mapping[int, int] | None = None,
    caches: Iterable[tuple[int, int, str, str, str]] = (),
    online: str | None = None,
    present: str | None = None,
) -> dict[str, str]:
    """Files of /sys/devices/system/cpu. siblings: CPU -> list of its core. caches: (CPU, level, type, size, shared with)."""
    every = f"0-{max(siblings)}"
    files = {f"{CPU}/online": online or every, f"{CPU}/present": present or every}
    for number, shared in siblings.items():
        files[f"{CPU}/cpu{number}/topology/thread_siblings_list"] = shared
        files[f"{CPU}/cpu{number}/topology/physical_package_id"] = str((package or {}).get(number, 0))
    for number, value in (khz or {}).items():
        files[f"{CPU}/cpu{number}/cpufreq/cpuinfo_max_freq"] = f"{value}\n"
    for number, value in (capacity or {}).items():
        files[f"{CPU}/cpu{number}/cpu_capacity"] = f"{value}\n"
    counts: dict[int, int] = {}
    for number, level, kind, size, shared in caches:
        index = counts[number] = counts.get(number, -1) + 1
        base = f"{CPU}/cpu{number}/cache/index{index}"
        files |= {f"{base}/level": str(level), f"{base}/type": kind, f"{base}/size": size, f"{base}/shared_cpu_list": shared}
    return files


def x86_cpuinfo(count: int, *, flags: str = "fpu lm avx2", vendor: str = "GenuineIntel", cores: int | None = None) -> str:
    """Blocks of like processors of one package."""
    told = f"physical id : 0\nsiblings : {count}\ncpu cores : {cores}\n" if cores else ""
    return "".join(
        f"processor\t: {number}\nvendor_id\t: {vendor}\ncpu family\t: 6\nmodel\t\t: 143\nmodel name\t: Test CPU\n"
        f"stepping\t: 8\n{told}flags\t\t: {flags}\n\n"
        for number in range(count)
    )


def arm_cpuinfo(parts: Iterable[str], *, implementer: str = "0x41", features: str = "fp asimd asimddp") -> str:
    """One block for each part number."""
    return "".join(
        f"processor\t: {number}\nFeatures\t: {features}\nCPU implementer\t: {implementer}\nCPU architecture: 8\n"
        f"CPU variant\t: 0x1\nCPU part\t: {part}\nCPU revision\t: 0\n\n"
        for number, part in enumerate(parts)
    )
