"""Machines: their devices exist, names lead to one machine, memory options make sense."""

from __future__ import annotations

import re
from collections.abc import Iterator

from recommender.domain.facts import MACHINE_CLASSES, MachineFacts
from recommender.loader.lint.finding import Finding, Knowledge, Reporter

LEAST_MEMORY, MOST_MEMORY = 2**18, 2**43


def check(knowledge: Knowledge) -> Iterator[Finding]:
    report = Reporter("machines", knowledge)
    systems = knowledge.catalog.vocabulary.get("attribute", {}).get("host.os", {}).get("values", ())
    taken: dict[str, str] = {}
    for machine in knowledge.catalog.machines.values():
        if machine.class_ not in MACHINE_CLASSES:
            yield report.error("machines", machine.key, f"class `{machine.class_}` is none of {', '.join(MACHINE_CLASSES)}")
        if systems and machine.os not in systems:
            yield report.error("machines", machine.key, f"operating system `{machine.os}` is none of {', '.join(systems)}")
        for name in dict.fromkeys(_spelled(name) for name in (machine.key, machine.name, *machine.aliases)):
            other = taken.setdefault(name, machine.key)
            if other != machine.key:
                yield report.error("machines", machine.key, f"the name `{name}` already leads to `{other}`")
        yield from _devices(machine, knowledge, report)
        yield from _memory(machine, report)


def _spelled(name: str) -> str:
    """As names are compared when a person types them: without case, spaces, hyphens and underscores."""
    return re.sub(r"[\s\-_]", "", name).lower()


def _devices(machine: MachineFacts, knowledge: Knowledge, report: Reporter) -> Iterator[Finding]:
    devices = knowledge.catalog.devices
    for key in machine.devices:
        if key not in devices:
            yield report.error("machines", machine.key, f"device `{key}` does not exist")
    kinds = [devices[key].kind for key in machine.devices if key in devices]
    if not machine.devices:
        yield report.error("machines", machine.key, "has no devices")
    elif kinds and kinds[0] != "cpu":
        yield report.error("machines", machine.key, "the processor, which owns the main memory, comes first")
    if machine.class_ == "card" and not machine.default_host:
        yield report.error("machines", machine.key, "a bare card states the host it is assumed in (default_host)")


def _memory(machine: MachineFacts, report: Reporter) -> Iterator[Finding]:
    if any(not LEAST_MEMORY <= size <= MOST_MEMORY for size in machine.memory_options):
        yield report.error("machines", machine.key, "a memory option is out of range: check the unit")
    if list(machine.memory_options) != sorted(set(machine.memory_options)):
        yield report.error("machines", machine.key, "memory options ascend, each once")
