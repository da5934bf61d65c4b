"""What a container or a job may use of the machine: control groups of both versions, the CPU mask, the kind of container.

A process is bound by every group on the way from its own to the root, so the tightest limit on that way holds.
Sources: Linux `Documentation/admin-guide/cgroup-v2.rst` and `cgroup-v1/`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from recommender.domain.fingerprint import HostMemory, Observation
from recommender.ports import PROBE_API, HostAccess

name = "limits"
api = PROBE_API
volatile = True
platforms = ("linux", "android")

_NO_LIMIT = 1 << 50  # bytes; version 1 writes a huge number where there is no limit
_FILES = {
    (2, "cpu"): ("cpu.max",), (1, "cpu"): ("cpu.cfs_quota_us", "cpu.cfs_period_us"),
    (2, "memory"): ("memory.max",), (1, "memory"): ("memory.limit_in_bytes",),
    (2, "cpuset"): ("cpuset.cpus.effective",), (1, "cpuset"): ("cpuset.effective_cpus", "cpuset.cpus"),
}
_USED = {2: ("memory.current", "memory.stat"), 1: ("memory.usage_in_bytes", "memory.stat")}
_CONTROLLERS = ("cpu", "memory", "cpuset")
_MARKS = {"/.dockerenv": "docker", "/run/.containerenv": "podman", "/var/run/secrets/kubernetes.io": "kubernetes"}
_PATHS = (  # words of a group's path, the outer manager before the engine that it uses
    ("kubernetes", r"kubepods|cri-containerd|/crio-"),
    ("slurm", r"slurm|/uid_\d+/job_\d+|/job_\d+/step_"),
    ("podman", r"libpod"),
    ("docker", r"/docker/|docker-[0-9a-f]{12}|/ecs/"),
    ("lxc", r"/lxc/|/lxc\.payload|^/\.lxc"),
)
_KINDS = ("docker", "podman", "kubernetes", "lxc")


@dataclass(frozen=True, kw_only=True, slots=True)
class Membership:
    """A line of /proc/self/cgroup. controllers: empty for version 2."""

    controllers: tuple[str, ...]
    path: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Mount:
    """A mounted hierarchy: where, and which group of it is seen there as the root."""

    version: int
    point: str
    root: str = "/"
    controllers: tuple[str, ...] = ()


_DEFAULT_MOUNTS = (  # where they are when no mount table tells
    *(
        Mount(version=1, point=f"/sys/fs/cgroup/{folder}", controllers=(controller,))
        for folder, controller in (
            ("cpu", "cpu"), ("cpu,cpuacct", "cpu"), ("cpuacct,cpu", "cpu"), ("memory", "memory"), ("cpuset", "cpuset"),
        )
    ),
    Mount(version=2, point="/sys/fs/cgroup"),
    Mount(version=2, point="/sys/fs/cgroup/unified"),
)


def read(host: HostAccess) -> dict[str, Any] | None:
    """Texts, and `levels`: the files of each group from the process's own to the root, by version and controller."""
    groups = host.read_text("/proc/self/cgroup") or ""
    cpuset = "" if groups else host.read_text("/proc/self/cpuset") or ""
    mounts = next((text for path in ("/proc/self/mountinfo", "/proc/mounts") if (text := host.read_text(path))), "")
    marks = [path for path in _MARKS if host.exists(path)]
    raw: dict[str, Any] = {
        "cgroup": groups,
        "cpuset": cpuset,
        "mounts": "\n".join(line for line in mounts.splitlines() if "cgroup" in line or root_type(line)),
        "marks": marks,
        "manager": host.read_text("/run/systemd/container") or ("" if marks else _manager(host)),
        "version": host.read_text("/proc/version") or "",
        "allowed": allowed_cpus(host.read_text("/proc/self/status") or ""),
        "online": host.read_text("/sys/devices/system/cpu/online") or "",
    }
    by_cpuset = (Membership(controllers=(), path=cpuset.strip()),) if cpuset.strip() else ()
    members = parse_proc_cgroup(groups) or by_cpuset
    raw["levels"] = list(_read_levels(host, members, parse_mounts(mounts)))
    return raw if any(value for key, value in raw.items() if key != "online") else None


def _manager(host: HostAccess) -> str:
    """Of the first process's environment only what a container manager writes; the rest is private."""
    environ = host.read_text("/proc/1/environ") or ""
    return next((entry.partition("=")[2] for entry in environ.split("\0") if entry.startswith("container=")), "")


def _read_levels(host: HostAccess, members: Iterable[Membership], mounts: tuple[Mount, ...]) -> Iterable[dict[str, Any]]:
    own = {controller: member.path for member in members for controller in member.controllers or ("",)}
    for controller in _CONTROLLERS:
        for mount in [m for m in mounts or _DEFAULT_MOUNTS if m.version == 2 or controller in m.controllers]:
            path = own.get(controller if mount.version == 1 else "", own.get("", "/"))
            for folder in group_folders(mount, path):
                files = _read_group(host, folder, mount.version, controller)
                if files:
                    yield {"version": mount.version, "controller": controller, "folder": folder, "files": files}


def _read_group(host: HostAccess, folder: str, version: int, controller: str) -> dict[str, str]:
    names = _FILES[version, controller]
    files = {name: text for name in names if (text := host.read_text(f"{folder}/{name}")) is not None}
    if controller == "memory" and any(parse_limit(text) for text in files.values()):
        files |= {name: text for name in _USED[version] if (text := host.read_text(f"{folder}/{name}")) is not None}
    return files


def group_folders(mount: Mount, path: str) -> tuple[str, ...]:
    """Folders of a group and of all above it, innermost first.

    A container may see its own group as the root of the mount while its path is the machine's: the prefix goes.
    """
    root = mount.root.rstrip("/")
    if root and (path == root or path.startswith(f"{root}/")):
        path = path[len(root):]
    parts = [part for part in path.split("/") if part not in ("", ".", "..")]
    point = mount.point.rstrip("/")
    return tuple("/".join((point, *parts[:depth])) for depth in range(len(parts), -1, -1))


def parse(raw: dict[str, Any]) -> Observation:
    """host: cpu_quota (CPUs), cpuset_cpus (count), cgroup_version, container. memory: limit and limit_used in bytes."""
    members = parse_proc_cgroup(raw.get("cgroup") or "")
    levels = raw.get("levels") or []
    limits = [found for level in levels if (found := _memory_of(level))]
    limit, used = min(limits, key=lambda pair: pair[0]) if limits else (None, None)
    told = {
        "cpu_quota": min((quota for level in levels if (quota := _quota_of(level))), default=None),
        "cpuset_cpus": _usable_cpus(levels, raw),
        "cgroup_version": _version(members, levels, parse_mounts(raw.get("mounts") or "")),
        "container": container(members, raw),
    }
    return Observation(
        host={key: value for key, value in told.items() if value is not None},
        memory=HostMemory(limit=limit, limit_used=used) if limit else None,
    )


def _quota_of(level: Mapping[str, Any]) -> float | None:
    files = level["files"]
    if level["controller"] != "cpu":
        return None
    first_version = f"{files.get('cpu.cfs_quota_us', '')} {files.get('cpu.cfs_period_us', '')}"
    return parse_cpu_max(files.get("cpu.max") or first_version)


def _memory_of(level: Mapping[str, Any]) -> tuple[int, int | None] | None:
    files = level["files"]
    limit = parse_limit(files.get("memory.max") or files.get("memory.limit_in_bytes") or "")
    current = files.get("memory.current") or files.get("memory.usage_in_bytes") or ""
    if not limit:
        return None
    return limit, used_memory(current, files.get("memory.stat") or "")


def _usable_cpus(levels: Iterable[Mapping[str, Any]], raw: Mapping[str, Any]) -> int | None:
    """CPUs that the innermost set and the process's mask leave of those that run.

    The mask alone says nothing: it also names CPUs that a machine could have but has not.
    """
    texts = [text for level in levels if level["controller"] == "cpuset" for text in level["files"].values()]
    sets = [found for text in texts if (found := parse_cpu_list(text))][:1]
    online, allowed = parse_cpu_list(raw.get("online") or ""), parse_cpu_list(raw.get("allowed") or "")
    if online:
        sets.append(online)
    if allowed and sets:
        sets.append(allowed)
    return len(frozenset.intersection(*sets)) or None if len(sets) > 1 or (sets and not online) else None


def _version(members: Iterable[Membership], levels: Iterable[Mapping[str, Any]], mounts: Iterable[Mount]) -> int | None:
    """The version that holds our controllers; without their files, the one that the process's groups are of."""
    versions = {level["version"] for level in levels}
    if versions:
        return 2 if 2 in versions else 1
    kinds = [member.controllers for member in members]
    if kinds:
        return 1 if any(kinds) else 2
    return max((mount.version for mount in mounts), default=None)


def container(members: tuple[Membership, ...], raw: Mapping[str, Any]) -> str | None:
    """docker, podman, kubernetes, lxc, slurm, wsl2 or none; None where nothing was to be seen."""
    paths = [member.path for member in members] + [(raw.get("cpuset") or "").strip()]
    by_path = next((kind for kind, words in _PATHS if any(re.search(words, path) for path in paths)), None)
    marks = [_MARKS[mark] for mark in raw.get("marks") or () if mark in _MARKS]
    if "kubernetes" in marks or by_path == "kubernetes":
        return "kubernetes"
    manager = (raw.get("manager") or "").strip().lower()
    found = (marks[0] if marks else None) or by_path or (manager if manager in _KINDS else None)
    if found:
        return found
    if re.search(r"microsoft-standard|WSL2", raw.get("version") or "", re.IGNORECASE):
        return "wsl2"
    # A group that looks like the root above a layered file system is a container that shows no mark.
    layered = "overlay" in [root_type(line) for line in (raw.get("mounts") or "").splitlines()]
    hidden = manager or (layered and all(path in ("", "/") for path in paths))
    return "none" if members and not hidden else None


def parse_proc_cgroup(text: str) -> tuple[Membership, ...]:
    """`4:memory:/docker/1f` -> one entry a line; a path may hold colons."""
    found = []
    for line in text.splitlines():
        match = re.fullmatch(r"(\d+):([^:]*):(/.*)", line.strip())
        if match:
            found.append(Membership(controllers=tuple(filter(None, match[2].split(","))), path=match[3]))
    return tuple(found)


def parse_mounts(text: str) -> tuple[Mount, ...]:
    """Control groups of a mount table, /proc/mounts or /proc/self/mountinfo."""
    found = []
    for line in text.splitlines():
        left, dash, right = line.partition(" - ")
        fields, kind = (left.split(), right.split()) if dash else (line.split(), line.split()[2:])
        if not kind or kind[0] not in ("cgroup", "cgroup2") or len(fields) < 4:
            continue
        point, root = (fields[4], fields[3]) if dash and len(fields) > 4 else (fields[1], "/")
        options = tuple(kind[2 if dash else 1].split(",")) if len(kind) > (2 if dash else 1) else ()
        version = 2 if kind[0] == "cgroup2" else 1
        found.append(Mount(version=version, point=point, root=root, controllers=options if version == 1 else ()))
    return tuple(found)


def root_type(line: str) -> str | None:
    """File system type of a mount table's line when it is the root's."""
    left, dash, right = line.partition(" - ")
    fields = line.split()
    if dash:
        return right.split()[0] if len(fields) > 4 and fields[4] == "/" and right.split() else None
    return fields[2] if len(fields) > 3 and fields[1] == "/" else None


def allowed_cpus(status: str) -> str:
    """`Cpus_allowed_list` of /proc/self/status."""
    match = re.search(r"^Cpus_allowed_list:\s*(\S+)", status, re.MULTILINE)
    return match[1] if match else ""


def parse_cpu_max(text: str) -> float | None:
    """`4800000 100000` (microseconds of quota and period) -> 48.0 CPUs; `max`, -1 or nothing: None."""
    match = re.fullmatch(r"\s*(\d{1,15})\s+(\d{1,15})\s*", text)
    return int(match[1]) / int(match[2]) or None if match and int(match[2]) else None


def parse_limit(text: str) -> int | None:
    """Bytes; `max`, -1 and numbers that no machine has: None."""
    text = text.strip()
    return int(text) or None if re.fullmatch(r"\d{1,20}", text) and int(text) < _NO_LIMIT else None


def used_memory(current: str, stat: str) -> int | None:
    """Bytes in use less file pages that the kernel gives back on demand."""
    if not re.fullmatch(r"\d{1,20}", current.strip()):
        return None
    fields: dict[str, str] = dict(re.findall(r"^(\w+) (\d{1,20})$", stat, re.MULTILINE))
    return max(0, int(current) - int(fields.get("total_inactive_file") or fields.get("inactive_file") or 0))


def parse_cpu_list(text: str) -> frozenset[int]:
    """`0-3,7` -> {0, 1, 2, 3, 7}; empty for anything that is not a list of CPUs."""
    found: set[int] = set()
    for part in text.strip().split(","):
        match = re.fullmatch(r"(\d{1,5})(?:-(\d{1,5}))?", part)
        if not match:
            return frozenset()
        found.update(range(int(match[1]), int(match[2] or match[1]) + 1))
    return frozenset(found)
