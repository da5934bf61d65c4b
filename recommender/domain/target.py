"""What we decide for: a fingerprint joined with the facts that matched, or a catalogue machine."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from recommender.domain.facts import DeviceFacts, MachineFacts
from recommender.domain.fingerprint import Fingerprint


@dataclass(frozen=True, kw_only=True, slots=True)
class Target:
    """`matched`: device id -> facts. `assumptions` are shown with every answer. `overrides`: attribute -> (value, words)."""

    kind: str  # this-machine, recording, catalogue
    name: str
    fingerprint: Fingerprint
    machine: MachineFacts | None = None
    matched: Mapping[str, DeviceFacts] = field(default_factory=dict)
    unmatched: tuple[str, ...] = ()
    assumptions: tuple[str, ...] = ()
    overrides: Mapping[str, object] = field(default_factory=dict)
