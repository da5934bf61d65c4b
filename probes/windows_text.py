"""The formats in which Windows tools print hardware, brought to records: mappings with lower-case keys without punctuation.

Read are PowerShell JSON, `Format-List`, `Format-Table`, `wmic` (list, table, CSV), `systeminfo` (several languages), `dxdiag`,
`msinfo32`, registry exports and queries, `winml sys`, and plain lists of adapter names. A record keeps the section it came
from under `section` where the source names one (cpu, gpu, npu).
"""

from __future__ import annotations

import csv
import html
import io
import re
from collections.abc import Iterator, Mapping
from typing import Any

from probes.printed import MAX_LINE, json_of, pairs
from probes.windows_names import vendor_of

Record = dict[str, Any]
MAX_DEPTH = 20
MAX_NAME = 120  # characters: no adapter has a longer name, prose has

_ENTRY = re.compile(r"^[ \t]*#\d+[ \t]+(CPU|GPU|NPU)\s+(\S.*?)\s*$", re.MULTILINE)
_REG_VALUE = re.compile(
    r'^"(?P<key>[^"]+)"=(?:"(?P<text>.*)"|(?P<type>dword|hex(?:\([0-9a-f]+\))?):(?P<data>.*))$', re.IGNORECASE
)
_REG_QUERY = re.compile(r"^\s+(\S.*?)\s{2,}REG_(\w+)\s+(.*)$")
_HEADINGS = {
    "name",
    "caption",
    "adapterram",
    "adaptercompatibility",
    "driverversion",
    "pnpdeviceid",
    "videoprocessor",
    "numberofcores",
    "deviceid",
    "numberoflogicalprocessors",
    "manufacturer",
    "maxclockspeed",
    "l2cachesize",
    "l3cachesize",
    "totalphysicalmemory",
    "model",
    "node",
    "hostname",
    "osname",
    "description",
    "capacity",
    "friendlyname",
    "status",
}
# Translations, and what Get-ComputerInfo calls the same facts.
_ALIASES = {
    "osname": (
        "betriebssystemname",
        "nomdusystèmedexploitation",
        "nombredelsistemaoperativo",
        "nomesistemaoperativo",
        "nomedosistemaoperacional",
        "os名称",
        "os名",
    ),
    "osversion": (
        "betriebssystemversion",
        "versiondusystème",
        "versióndelsistemaoperativo",
        "versionesistemaoperativo",
        "versãodosistemaoperacional",
        "os版本",
        "osバージョン",
    ),
    "systemmanufacturer": (
        "csmanufacturer",
        "systemhersteller",
        "fabricantdusystème",
        "fabricantedelsistema",
        "produttoresistema",
        "fabricantedosistema",
        "系统制造商",
        "システム製造元",
    ),
    "systemmodel": (
        "csmodel",
        "systemmodell",
        "modèledusystème",
        "modelodelsistema",
        "modeloelsistema",
        "modellosistema",
        "modelodosistema",
        "系统型号",
        "システムモデル",
    ),
    "systemtype": ("cssystemtype", "systemtyp", "typedusystème", "tipodesistema", "tiposistema", "系统类型", "システムの種類"),
    "totalphysicalmemory": (
        "cstotalphysicalmemory",
        "gesamterphysischerspeicher",
        "mémoirephysiquetotale",
        "cantidadtotaldememoriafísica",
        "memoriafisicatotale",
        "memóriafísicatotal",
        "物理内存总量",
        "物理メモリの合計",
    ),
    "availablephysicalmemory": (
        "verfügbarerphysischerspeicher",
        "mémoirephysiquedisponible",
        "memoriafísicadisponible",
        "memoriafisicadisponibile",
        "memóriafísicadisponível",
        "可用的物理内存",
        "利用できる物理メモリ",
    ),
    "totalvisiblememorysize": ("ostotalvisiblememorysize",),
    "processor": ("csprocessors",),
}
_CANONICAL = {alias: key for key, aliases in _ALIASES.items() for alias in aliases}


def records(text: str) -> list[Record]:
    """All records of one output, in order; empty when nothing in it has the shape of one."""
    lines = text.splitlines()
    if any(line.startswith("[HKEY_") for line in lines):
        return list(_registry_export(lines))
    if any(_REG_QUERY.match(line) for line in lines):
        return list(_registry_query(lines))
    if text.lstrip().startswith(("{", "[")) and (document := json_of(text)) is not None:
        return list(_flattened(document, ""))
    if _ENTRY.search(text):
        return list(_numbered(text))
    for shape in (_underlined, _comma_separated, _listed, _columns):
        found = list(shape(lines))
        if found:
            return found
    return [{"name": line.strip()} for line in lines if len(line) < MAX_NAME and vendor_of(None, line)]


def plain(key: str) -> str:
    """A key without case, spaces and punctuation; known translations in English."""
    word = "".join(letter for letter in key.casefold() if letter.isalnum())
    return _CANONICAL.get(word, word)


def _record(entries: Mapping[str, Any] | list[tuple[str, Any]], section: str = "") -> Record:
    found: Record = {"section": section} if section else {}
    for key, value in entries.items() if isinstance(entries, Mapping) else entries:
        found.setdefault(plain(key), html.unescape(value).strip() if isinstance(value, str) else value)
    return found


def _flattened(document: Any, section: str, depth: int = 0) -> Iterator[Record]:
    """Every object of a JSON document; the key it stands under is its section. Deeper than tools nest is passed over."""
    if depth > MAX_DEPTH:
        return
    if isinstance(document, list):
        for item in document:
            yield from _flattened(item, section, depth + 1)
    elif isinstance(document, Mapping):
        own = {key: value for key, value in document.items() if not isinstance(value, Mapping) and not _holds_objects(value)}
        if own:
            yield _record(own, section)
        for key, value in document.items():
            if key not in own:
                yield from _flattened(value, plain(key), depth + 1)


def _holds_objects(value: Any) -> bool:
    return isinstance(value, list) and any(isinstance(item, (Mapping, list)) for item in value)


def _registry_export(lines: list[str]) -> Iterator[Record]:
    found: Record = {}
    for line in _joined(lines):
        match = _REG_VALUE.match(line.strip())
        if line.startswith("[HKEY_") and found:
            yield found
            found = {}
        elif match:
            value = (
                match["text"].replace("\\\\", "\\")
                if match["text"] is not None
                else _registry_number(match["type"], match["data"])
            )
            found[plain(match["key"])] = value
    if found:
        yield found


def _joined(lines: list[str]) -> Iterator[str]:
    """Long values of an export go on in the next line after a backslash."""
    whole = ""
    for line in lines:
        whole += line.strip() if whole else line
        if whole.endswith(",\\"):
            whole = whole[:-1]
            continue
        yield whole
        whole = ""


def _registry_number(type_: str, data: str) -> int | None:
    """dword: hexadecimal; hex(b), hex: bytes, lowest first."""
    try:
        if type_.lower() == "dword":
            return int(data, 16)
        return int.from_bytes(bytes(int(byte, 16) for byte in data.split(",") if byte.strip()), "little")
    except ValueError:
        return None


def _registry_query(lines: list[str]) -> Iterator[Record]:
    found: Record = {}
    for line in lines:
        match = _REG_QUERY.match(line)
        if match:
            number = match[3].strip()
            found[plain(match[1])] = int(number, 16) if re.fullmatch(r"0x[0-9a-fA-F]+", number) else number
        elif line.startswith("HKEY_") and found:
            yield found
            found = {}
    if found:
        yield found


def _numbered(text: str) -> Iterator[Record]:
    """`#1  NPU  Name` with `Driver: x | Manufacturer: y` below it, and the environment's two-column lines."""
    environment = dict(re.findall(r"^[ \t]*(OS|Machine)[ \t]{2,}(\S.*?)\s*$", text, re.MULTILINE))
    if environment:
        yield _record({"osname": environment.get("OS", ""), "systemtype": environment.get("Machine", "")}, "system")
    starts = list(_ENTRY.finditer(text))
    for index, start in enumerate(starts):
        below = text[start.end() : starts[index + 1].start() if index + 1 < len(starts) else len(text)]
        details = [part.partition(":") for line in below.splitlines() for part in line.split("|")]
        told = {key.strip(): value.strip() for key, mark, value in details if mark}
        yield _record({"name": start[2], "driverversion": told.get("Driver", ""), **told}, start[1].lower())


def _underlined(lines: list[str]) -> Iterator[Record]:
    """PowerShell's Format-Table: headings, dashes, rows; columns begin where the dashes begin."""
    for number, line in enumerate(lines):
        if number and re.fullmatch(r"\s*-{2,}(\s+-{2,})*\s*", line) and ":" not in lines[number - 1]:
            starts = [match.start() for match in re.finditer(r"-+", line)]
            names = _cells(lines[number - 1], starts)
            if not all(re.fullmatch(r"[\w.]+", name) for name in names):
                continue  # a heading drawn with dashes, not a table
            for row in lines[number + 1 :]:
                if not row.strip():
                    break
                yield _record(list(zip(names, _cells(row, starts), strict=True)))


def _cells(line: str, starts: list[int]) -> list[str]:
    ends = [*starts[1:], None]
    return [line[start:end].strip() for start, end in zip(starts, ends, strict=True)]


def _comma_separated(lines: list[str]) -> Iterator[Record]:
    filled = [line for line in lines if line.strip() and len(line) <= MAX_LINE]
    if not filled or sum(plain(cell) in _HEADINGS for cell in filled[0].split(",")) < 2:
        return
    names, *rows = csv.reader(io.StringIO("\n".join(filled)))
    for row in rows:
        yield _record(list(zip(names, row, strict=False)))


def _listed(lines: list[str]) -> Iterator[Record]:
    """Lines of key and value; a blank line, a ruled heading or a key that comes again starts the next record."""
    found: dict[str, str] = {}
    for line in lines:
        entry = next(pairs(line), None)
        if entry is None or entry[0] in found:
            if found and (entry is not None or not line.strip() or set(line.strip()) == {"-"}):
                yield _record(found)
                found = {}
        if entry is not None:
            found[entry[0]] = entry[1]
    if found:
        yield _record(found)


def _columns(lines: list[str]) -> Iterator[Record]:
    """wmic's table: headings and rows in columns of fixed width."""
    filled = [line for line in lines if line.strip()]
    if len(filled) < 2 or not all(plain(word) in _HEADINGS for word in filled[0].split()):
        return
    starts = [match.start() for match in re.finditer(r"\S+", filled[0])]
    names = filled[0].split()
    for row in filled[1:]:
        yield _record(list(zip(names, _cells(row, starts), strict=True)))
