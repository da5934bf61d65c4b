"""Sourced claims about the world: devices, machines, frameworks. They come from files only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from recommender.domain.fingerprint import Cores
from recommender.domain.quantity import FROM_FILE, Sourced

MACHINE_CLASSES = ("phone", "tablet", "laptop", "desktop", "workstation", "server", "sbc", "module", "microcontroller", "card")
SUPPORT_STATUSES = ("stable", "preview", "deprecated", "no")


@dataclass(frozen=True, kw_only=True, slots=True)
class Source:
    """Where a fact was read. `retrieved` is an ISO date."""

    __pydantic_config__ = FROM_FILE

    id: str
    title: str
    url: str
    kind: str  # vendor-specification, documentation, measured, third-party, chapter, derived, standard
    retrieved: str


@dataclass(frozen=True, kw_only=True, slots=True)
class DeviceFacts:
    """What is known of one compute unit.

    Attributes:
        key: lower case with dots: vendor.chip.unit (`apple.m4-max-40.gpu`).
        family: the class that support statements and efficiencies speak of (`apple-gpu`, `hexagon-npu`, `x86-cpu`, ...).
        match: each entry is a set of identifiers that must all be equal (normalised); the first matching entry wins.
            Keys: those of Device.identifiers, `name` (whole, normalised) and, last, `name_pattern` (glob).
        capability: memory_bandwidth [bytes/s], memory_capacity [bytes], peak_ops.<precision> [ops/s, dense unless the note says
            sparse], memory_options [bytes, list], clock [Hz].
        precisions: what the unit executes natively.
        attributes: further facts by vocabulary name (compute_capability, hexagon_arch, sram, ...).
    """

    __pydantic_config__ = FROM_FILE

    key: str
    kind: str
    vendor: str
    name: str
    family: str
    generation: str = ""
    soc: str = ""
    match: tuple[Mapping[str, str], ...] = ()
    features: tuple[str, ...] = ()
    cores: Cores | None = None
    memory_kind: str | None = None
    capability: Mapping[str, Sourced] = field(default_factory=dict)
    precisions: tuple[str, ...] = ()
    attributes: Mapping[str, Any] = field(default_factory=dict)
    generic: bool = False  # a fallback for silicon that no other entry matches
    source: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class MachineFacts:
    """What people name: a phone, a laptop, a board, or a card in a stated default host.

    Attributes:
        devices: keys of its devices, the main memory's owner (cpu) first.
        memory_options: bytes, ascending; the smallest is assumed when none is given.
        default_host: for a bare card: the sentence that states the assumed host.
    """

    __pydantic_config__ = FROM_FILE

    key: str
    name: str
    class_: str
    os: str
    architecture: str
    devices: tuple[str, ...]
    memory_options: tuple[int, ...] = ()
    memory_kind: str = "dedicated"
    aliases: tuple[str, ...] = ()
    match: tuple[Mapping[str, str], ...] = ()
    default_host: str = ""
    year: int | None = None
    source: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class SupportStatement:
    """A framework's claim, read like a rule: where all conditions of `when` hold, these formats and schemes work.

    Attributes:
        when: attribute -> condition (the closed set of matchers).
        schemes: scheme keys; preparers: how the artifact is made, in order of steps.
        status: stable, preview, deprecated, no (known not to work; `because` says so).
        since, until: framework versions.
        options: run options every candidate from here starts with.
    """

    __pydantic_config__ = FROM_FILE

    id: str
    framework: str
    execution_provider: str
    format: str
    schemes: tuple[str, ...]
    when: Mapping[str, Any] = field(default_factory=dict)
    preparers: tuple[str, ...] = ()
    status: str = "stable"
    since: str = ""
    until: str = ""
    portability: str = "universal"
    options: Mapping[str, Any] = field(default_factory=dict)
    because: str = ""
    sources: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class FrameworkFacts:
    """A framework. `has_executor`: we can run it ourselves; `extra` is the install extra that brings it."""

    __pydantic_config__ = FROM_FILE

    key: str
    name: str
    has_executor: bool
    package: str = ""
    extra: str = ""
    install: str = ""
    os: tuple[str, ...] = ()
    tasks: tuple[str, ...] = ()
    runtime_size: Sourced | None = None  # bytes of the runtime library a product ships
    license: str = ""
    homepage: str = ""
    launch: Mapping[str, str] = field(default_factory=dict)  # task -> command template
    support: tuple[SupportStatement, ...] = ()
    sources: tuple[str, ...] = ()
    note: str = ""
