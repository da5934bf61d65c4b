"""One point of the decision space."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, kw_only=True, slots=True)
class Candidate:
    """Framework x execution provider x device x format x scheme, with its run options.

    `id` is readable and unique within a decision: `framework/execution_provider/scheme[@device]`.
    """

    id: str
    framework: str
    execution_provider: str
    device: str  # id of the device in the target
    device_kind: str
    format: str
    scheme: str
    preparers: tuple[str, ...] = ()
    portability: str = "universal"
    status: str = "stable"
    statement: str = ""
    is_as_is: bool = False  # the user's own artifact, shipped as it is
    options: Mapping[str, Any] = field(default_factory=dict)
