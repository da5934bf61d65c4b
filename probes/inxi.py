"""The report of `inxi`, where a recording holds one: people attach it to reports. A live machine is read at its sources."""

from __future__ import annotations

import re
from typing import Any

from probes.tool_text import clean, drop_unknown, known, load_json, size, walk
from probes.vendor_names import vendor_in
from recommender.domain.fingerprint import Cores, Device, HostMemory, Observation
from recommender.ports import PROBE_API, HostAccess

name = "inxi"
api = PROBE_API
volatile = False
platforms = ("linux",)

_CPU = re.compile(r"^CPU:\s*\n?\s*Info:\s*(?:(\d+)x\s*)?(\d+|single|dual|quad|hexa|octa|deca)[- ]core\s+(?:model:\s*)?(.+?)"
                  r"(?:\s+\[[^\]]*\]|\s+bits:.*|\s+type:.*|\s+speed.*|$)", re.MULTILINE)  # fmt: skip
_WORDS = {"single": 1, "dual": 2, "quad": 4, "hexa": 6, "octa": 8, "deca": 10}
_DEVICE = re.compile(r"^\s+Device-\d+:\s*(.{1,400}?)\s+driver:\s*(\S+)", re.MULTILINE | re.DOTALL)


def read(host: HostAccess) -> dict[str, Any] | None:
    if host.is_live:
        return None
    texts = (host.run(["inxi", *flags]).stdout for flags in (["-Fxxx"], ["-Fxx"], ["-Fx"], ["-F"], ["-Fz"]))
    found = next((text for text in texts if text.strip()), "")
    return {"inxi": found} if found else None


def parse(raw: dict[str, Any]) -> Observation:
    """raw: `inxi`, the report itself or a JSON document that holds it as a text."""
    printed = clean(raw.get("inxi"))
    if printed.lstrip()[:1] == "{":
        texts = (value for node in walk(load_json(printed)) for value in node.values() if isinstance(value, str))
        printed = next((text for text in texts if re.search(r"^CPU:", text, re.MULTILINE)), "")
    total = re.search(r"\bMemory:\s*(?:\n\s*)?(?:System RAM:\s*)?total:\s*([\d.]+ [KMGT]iB)", printed)
    machine = re.search(r"\bSystem:\s+(\S.*?)\s+product:\s+(.+?)\s+(?:v:|serial:)", printed)
    kernel = re.search(r"\bKernel:\s*(\S+)", printed)
    return Observation(
        devices=(*_processors(printed), *_gpus(printed)),
        host=drop_unknown(
            {
                "kernel": kernel[1] if kernel else None,
                "machine_vendor": known(machine[1]) if machine else None,
                "machine_model": known(machine[2]) if machine else None,
            }
        ),
        memory=HostMemory(total=size(total[1])) if total else None,
    )


def _processors(text: str) -> tuple[Device, ...]:
    found = _CPU.search(text)
    if not found:
        return ()
    each = int(found[2]) if found[2].isdigit() else _WORDS[found[2]]
    printed = known(found[3])
    cores = Cores(physical=each * int(found[1] or 1))
    return (Device(id="cpu0", kind="cpu", vendor=vendor_in(printed), name=printed, cores=cores),)


def _gpus(text: str) -> tuple[Device, ...]:
    section = re.search(r"^Graphics:\n(.*?)(?=^\S|\Z)", text, re.MULTILINE | re.DOTALL)
    devices = []
    for index, (described, driver) in enumerate(_DEVICE.findall(section[1]) if section else ()):
        printed = " ".join(described.split()).split(" vendor: ")[0]
        if (vendor := vendor_in(printed)) is None:
            continue
        bound = known(driver)
        devices.append(Device(id=f"gpu@inxi:{index}", kind="gpu", vendor=vendor, name=printed, driver=bound))
    return tuple(devices)
