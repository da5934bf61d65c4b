"""What `nvidia-smi` prints, in each of its forms, as plain facts by GPU. Not a probe; pure.

A fact is a dict with the keys index, address, name, pci, memory_total, memory_available [bytes], unified, driver_version,
cuda_version, compute_capability, architecture, driver_model, mig_mode, mig; a missing key was not told.
"""

from __future__ import annotations

import re
from itertools import islice
from typing import Any
from xml.etree import ElementTree

from probes.tool_text import clean, csv_rows, drop_unknown, integer, known, pci_address, pci_id, size, size_pair

Facts = dict[str, Any]
MAX_GPUS = 256  # more in one report is a broken report

_BLOCK = re.compile(r"<gpu\b(?=[^>]*\bid=)[^>]*>.*?(?=<gpu\b[^>]*\bid=|\Z)", re.DOTALL)
_NO_MEMORY = re.compile(r"^\[?\s*(?:N/A|Not Supported)\s*\]?$", re.IGNORECASE)


def parse_any(text: Any) -> list[Facts]:
    """Every form found in one text: -q -x, --query-gpu CSV with a header, the default table, -L, --version, plain -q."""
    printed = clean(text)
    if "<nvidia_smi_log" in printed or "<gpu " in printed:
        return parse_xml(printed)
    header = parse_versions(printed)
    gpus = merge(parse_list(printed), parse_table(printed), parse_csv(printed), parse_query(printed))
    return [drop_unknown(header) | gpu for gpu in gpus]


def merge(*sources: list[Facts]) -> list[Facts]:
    """One fact a GPU. GPUs are the same when their address is, or without one when their index is; later sources win."""
    merged: list[Facts] = []
    for gpu in (gpu for source in sources for gpu in source):
        known_gpu = next((other for other in merged if _same(other, gpu)), None)
        if known_gpu is None and len(merged) < MAX_GPUS:
            merged.append(dict(gpu))
        elif known_gpu is not None:
            known_gpu |= gpu | ({"mig": _join_mig(known_gpu["mig"], gpu["mig"])} if "mig" in known_gpu and "mig" in gpu else {})
    return merged


def _same(one: Facts, other: Facts) -> bool:
    for key in ("address", "index"):
        if key in one and key in other:
            return bool(one[key] == other[key])
    return False


def _join_mig(one: list[Facts], other: list[Facts]) -> list[Facts]:
    by_index = {instance.get("index"): dict(instance) for instance in one}
    for instance in other:
        by_index[instance.get("index")] = by_index.get(instance.get("index"), {}) | instance
    return list(by_index.values())


def parse_xml(text: str) -> list[Facts]:
    """`-q -x`. Each <gpu> is read by itself, so a cut or broken document still gives what came before the fault."""
    start = text.find("<gpu ")
    head = text[: start if start >= 0 else len(text)]
    header = drop_unknown({"driver_version": _tag(head, "driver_version"), "cuda_version": _tag(head, "cuda_version")})
    blocks = islice(_BLOCK.finditer(text), MAX_GPUS)
    return [header | _xml_gpu(block[0], index) for index, block in enumerate(blocks)]


def _tag(text: str, tag: str) -> str | None:
    found = re.search(rf"<{tag}>([^<]*)</{tag}>", text)
    return known(found[1]) if found else None


def _salvage(text: str) -> ElementTree.Element | None:
    """The element with everything that was closed before the first fault."""
    parser: ElementTree.XMLPullParser[Any] = ElementTree.XMLPullParser(["start"])
    root: ElementTree.Element | None = None
    try:
        parser.feed(text)
        events: Any = parser.read_events()
        for _, element in events:
            root = element if root is None else root
    except ElementTree.ParseError:
        pass
    return root


def _xml_gpu(block: str, index: int) -> Facts:
    gpu = _salvage(block)
    if gpu is None:
        return {"index": index}

    def told(path: str) -> str | None:
        return known(gpu.findtext(path))

    total = gpu.findtext("fb_memory_usage/total")
    device = told("pci/pci_device_id") or ""
    return drop_unknown(
        {
            "index": index,
            "address": pci_address(told("pci/pci_bus_id") or gpu.get("id")),
            "name": told("product_name"),
            "pci": _packed_id(device),
            "memory_total": size(total, "mib"),
            "memory_available": size(gpu.findtext("fb_memory_usage/free"), "mib"),
            "unified": True if total and _NO_MEMORY.match(total.strip()) else None,
            "architecture": told("product_architecture"),
            "driver_model": told("driver_model/current_dm") or told("driver_model_list/driver_model/current_dm"),
            "mig_mode": (told("mig_mode/current_mig") or "").lower() or None,
            "mig": [_xml_mig(instance) for instance in gpu.findall("mig_devices/mig_device")] or None,
        }
    )


def _xml_mig(instance: ElementTree.Element) -> Facts:
    return drop_unknown(
        {
            "index": integer(instance.findtext("index")),
            "gpu_instance": integer(instance.findtext("gpu_instance_id")),
            "compute_instance": integer(instance.findtext("compute_instance_id")),
            "multiprocessors": integer(instance.findtext("device_attributes/shared/multiprocessor_count")),
            "memory_total": size(instance.findtext("fb_memory_usage/total"), "mib"),
            "memory_available": size(instance.findtext("fb_memory_usage/free"), "mib"),
        }
    )


def _packed_id(text: str) -> str | None:
    """`20B010DE` or `0x268410DE`: device and vendor in one number."""
    found = re.fullmatch(r"(?:0x)?([0-9A-Fa-f]{4})([0-9A-Fa-f]{4})", text)
    return pci_id(found[2], found[1]) if found else None


_PLAIN_COLUMNS = {"index", "name", "gpu_name", "compute_cap", "driver_version"}
_COLUMNS = {"gpu_name": "name", "gpu_bus_id": "pci.bus_id", "compute_cap.": "compute_cap"}


def parse_csv(text: str) -> list[Facts]:
    """`--query-gpu=... --format=csv`, with or without units; the header line names the columns."""
    lines = text.splitlines()
    start = next((at for at, line in enumerate(lines) if _is_header(line)), None)
    if start is None:
        return []
    header = [re.sub(r"\s*\[.*\]$", "", column).strip() for column in lines[start].split(",")]
    header = [_COLUMNS.get(column, column) for column in header]
    rows = [row for row in csv_rows(lines[start + 1 :]) if len(row) == len(header)]
    return [_csv_gpu(dict(zip(header, row, strict=True)), position) for position, row in enumerate(rows)]


def _is_header(line: str) -> bool:
    columns = [re.sub(r"\s*\[.*\]$", "", column).strip() for column in line.split(",")]
    telling = any("." in column or column in _PLAIN_COLUMNS for column in columns)
    return telling and all(re.fullmatch(r"[a-z][a-z0-9_.]*", column) for column in columns)


def _csv_gpu(row: dict[str, str], position: int) -> Facts:
    total, used = size(row.get("memory.total"), "mib"), size(row.get("memory.used"), "mib")
    free = size(row.get("memory.free"), "mib")
    if free is None and total is not None and used is not None:
        free = max(0, total - used)
    index = integer(row.get("index"))
    return drop_unknown(
        {
            "index": position if index is None else index,
            "address": pci_address(row.get("pci.bus_id")),
            "name": known(row.get("name")),
            "pci": _packed_id(row.get("pci.device_id", "")),
            "memory_total": total,
            "memory_available": free,
            "unified": True if _NO_MEMORY.match(row.get("memory.total", "").strip()) else None,
            "driver_version": known(row.get("driver_version")),
            "compute_capability": known(row.get("compute_cap")),
            "driver_model": known(row.get("driver_model.current")),
            "mig_mode": (known(row.get("mig.mode.current")) or "").lower() or None,
        }
    )


def parse_versions(text: str) -> Facts:
    """The banner of the default table and `--version`. Newer tools tell kernel and user drivers apart."""
    driver = re.search(r"(?:Driver|KMD) [Vv]ersion\s*:\s*([\d.]+)", text, re.IGNORECASE)
    cuda = re.search(r"CUDA (?:UMD )?Version\s*:\s*([\d.]+)", text, re.IGNORECASE)
    return {"driver_version": driver[1] if driver else None, "cuda_version": cuda[1] if cuda else None}


def parse_list(text: str) -> list[Facts]:
    """`-L`: whole names, and the profile of each MIG instance."""
    gpus: list[Facts] = []
    for line in text.splitlines():
        if found := re.match(r"\s*GPU (\d{1,4}): (.+?)(?: \(UUID: .*)?$", line):
            gpus.append({"index": int(found[1]), "name": found[2].strip()})
        elif gpus and (found := re.match(r"\s+MIG (\S+)\s+Device\s+(\d{1,4}):", line)):
            gpus[-1].setdefault("mig", []).append({"index": int(found[2]), "profile": found[1]})
    return gpus


_FIRST = re.compile(
    r"^\|\s*(\d{1,4})\s+(\S.*?)\s*(On|Off|N/A|WDDM|TCC|MCDM|Enabled|Disabled)\s*\|\s*([0-9A-Fa-f]+:[0-9A-Fa-f]{2}:[0-9A-Fa-f]{2}\.\d|N/A)\s"
)
_MIG_ROW = re.compile(r"^\|\s*(\d+)\s+(\d+)\s+(\d+)\s+(\d+)\s*\|([^|]*)\|\s*(\d+)?")


def parse_table(text: str) -> list[Facts]:
    """The default table, old and new widths. A name that the table cuts with dots is kept as `name_start` only."""
    gpus: dict[int, Facts] = {}
    current: Facts | None = None
    for line in text.splitlines():
        if row := _MIG_ROW.match(line):
            _add_mig(gpus.setdefault(int(row[1]), {"index": int(row[1])}), row)
        elif first := _FIRST.match(line):
            current = _table_gpu(first)
            gpus[int(first[1])] = current
        elif current is not None and line.startswith("|"):
            current |= _second_row(line.strip().strip("|").split("|"))
        else:
            current = None
    return list(gpus.values())


def _table_gpu(first: re.Match[str]) -> Facts:
    printed = first[2].strip()
    return drop_unknown(
        {
            "index": int(first[1]),
            "name": None if printed.endswith("...") else printed,
            "name_start": printed.removesuffix("...").strip() if printed.endswith("...") else None,
            "address": pci_address(first[4]),
            "driver_model": first[3] if first[3] in ("WDDM", "TCC", "MCDM") else None,
        }
    )


def _second_row(columns: list[str]) -> Facts:
    if len(columns) < 2:
        return {}
    memory = columns[1].strip()
    if pair := size_pair(memory):
        return {"memory_total": pair[1], "memory_available": max(0, pair[1] - pair[0])}
    if _NO_MEMORY.match(memory):
        return {"unified": True}
    mig = columns[2].strip().lower() if len(columns) > 2 else ""
    return {"mig_mode": mig} if mig in ("enabled", "disabled") else {}


def _add_mig(gpu: Facts, row: re.Match[str]) -> None:
    pair = size_pair(row[5])
    instance = drop_unknown(
        {
            "index": int(row[4]),
            "gpu_instance": int(row[2]),
            "compute_instance": int(row[3]),
            "multiprocessors": int(row[6]) if row[6] else None,
            "memory_total": pair[1] if pair else None,
            "memory_available": max(0, pair[1] - pair[0]) if pair else None,
        }
    )
    gpu["mig"] = _join_mig(gpu.get("mig", []), [instance])


def parse_query(text: str) -> list[Facts]:
    """Plain `-q`: indented `Key : value` lines below `GPU <address>`."""
    gpus: list[Facts] = []
    section = ""
    for line in text.splitlines():
        if start := re.match(r"GPU ([0-9A-Fa-f]+:[0-9A-Fa-f]{2}:[0-9A-Fa-f]{2}\.\d)\s*$", line):
            gpus.append(drop_unknown({"index": len(gpus), "address": pci_address(start[1])}))
        elif gpus and (pair := re.match(r"(\s+)(\S.*?)\s*:\s+(.*)$", line)):
            gpus[-1] |= _query_fact(section, pair[2], pair[3].strip())
        elif line.strip():
            section = line.strip()
    return gpus


def _query_fact(section: str, key: str, value: str) -> Facts:
    facts: Facts = {}
    if section == "FB Memory Usage":
        facts = {"Total": {"memory_total": size(value, "mib")}, "Free": {"memory_available": size(value, "mib")}}.get(key, {})
        if key == "Total" and _NO_MEMORY.match(value):
            facts = {"unified": True}
    elif section == "MIG Mode" and key == "Current":
        facts = {"mig_mode": (known(value) or "").lower()}
    elif key == "Product Name":
        facts = {"name": known(value)}
    elif key == "Product Architecture":
        facts = {"architecture": known(value)}
    elif key == "Device Id":
        facts = {"pci": _packed_id(value)}
    return drop_unknown(facts)
