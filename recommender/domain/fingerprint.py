"""What probes observed about a host. Only what was observed; knowledge comes later, in Target."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from recommender.domain.quantity import FROM_FILE

SCHEMA_VERSION = 1
DEVICE_KINDS = ("cpu", "gpu", "npu", "accelerator")
QUIET_SHARE = 0.9  # of the processors' time that the microbenchmark got; less means that others were at work
PROBE_STATUSES = ("ok", "absent", "failed", "skipped")


@dataclass(frozen=True, kw_only=True, slots=True)
class Cores:
    """Core counts; None = not observed. `performance` and `efficiency` count physical cores of each kind."""

    __pydantic_config__ = FROM_FILE

    physical: int | None = None
    logical: int | None = None
    performance: int | None = None
    efficiency: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Cache:
    """One cache level; `size` in bytes of one instance, `instances` how many there are."""

    level: int
    type: str  # data, instruction, unified
    size: int
    instances: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Device:
    """One compute unit as observed.

    Attributes:
        id: unique in one fingerprint: cpu0, gpu0, npu0, accelerator0.
        vendor: lower-case short name (intel, amd, apple, nvidia, qualcomm, arm, google, hailo, ...).
        identifiers: what a catalogue entry may match on. Keys used: pci (`10de:2684`), usb (`1a6e:089a`), soc
            (`SM8750`, `BCM2712`, `Apple M4 Max`), cpuid (`GenuineIntel:6:140:1`), part (`0x41:0xd0b` implementer:part,
            several joined by `+` from small to big core), gpu_cores (text), compute_capability, gfx, board, model.
        features: Linux spelling (avx2, avx512_vnni, amx_int8, asimddp, i8mm, sve2, ...), sorted.
        attributes: further observed facts by vocabulary name (clusters, numa_nodes, driver branch, power mode, ...).
        memory_total, memory_available: bytes of the device's own memory; None when it shares the host's.
    """

    id: str
    kind: str
    vendor: str | None = None
    name: str | None = None
    identifiers: Mapping[str, str] = field(default_factory=dict)
    features: tuple[str, ...] = ()
    cores: Cores | None = None
    caches: tuple[Cache, ...] = ()
    memory_kind: str | None = None  # dedicated, unified, shared
    memory_total: int | None = None
    memory_available: int | None = None
    driver: str | None = None
    driver_version: str | None = None
    attributes: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class InstalledFramework:
    """A framework found on the host. `execution_providers` uses our short keys; None = not asked."""

    framework: str
    package: str
    version: str
    execution_providers: tuple[str, ...] | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class HostMemory:
    """Bytes. `limit` is the container's (cgroup) limit, None when there is none or it was not observed."""

    total: int | None = None
    available: int | None = None
    limit: int | None = None
    limit_used: int | None = None
    swap_total: int | None = None
    kind: str | None = None  # LPDDR5, DDR4, ... when told
    numa_nodes: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class ProbeOutcome:
    """How one probe ended. `elapsed` in seconds; `produced` names the facts it gave."""

    probe: str
    status: str
    reason: str = ""
    elapsed: float = 0.0
    produced: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Observation:
    """What one probe returns: partial facts. Assembly merges them by the precedence written there.

    Attributes:
        devices: partial devices; assembly merges those of one kind that share an identifier, name or id.
        host: facts of the host by vocabulary name without the `host.` prefix: os (linux, macos, windows, android, ios),
            os_version, kernel, architecture (x86_64, aarch64, armv7l, riscv64, ...), machine_vendor, machine_model,
            board, machine_class, soc, virtualization, container, cpu_quota (CPUs, float), cpuset_cpus (count), cgroup_version.
        power: source (mains, battery), governor, profile, battery_percent, load_1m, temperature_max_c.
        microbenchmark: memory_bandwidth (of copying) and read_bandwidth [bytes/s], with `_1t` of one thread, fp32_ops [ops/s], threads, elapsed.
    """

    devices: tuple[Device, ...] = ()
    host: Mapping[str, Any] = field(default_factory=dict)
    memory: HostMemory | None = None
    frameworks: tuple[InstalledFramework, ...] = ()
    power: Mapping[str, Any] = field(default_factory=dict)
    microbenchmark: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class Fingerprint:
    """All observations of one host, merged. `digest` leaves out volatile and private fields."""

    os: Mapping[str, Any]
    architecture: str | None
    machine: Mapping[str, Any]
    devices: tuple[Device, ...]
    memory: HostMemory
    frameworks: tuple[InstalledFramework, ...]
    power: Mapping[str, Any]
    limits: Mapping[str, Any]
    microbenchmark: Mapping[str, float]
    outcomes: tuple[ProbeOutcome, ...]
    digest: str
    schema_version: int = SCHEMA_VERSION
