"""JSON Schemas of the knowledge files, generated from the domain types, and those of the two public documents, written by hand.

A file is described as it is written: quantities are `{ value, unit }`, sizes and bounds may be text with a unit.
Run as a module to write the generated ones anew: `python -m recommender.loader.schemas`.
"""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

from recommender.loader.files import built_in_root
from recommender.loader.sections import CHILDREN, SECTIONS, Section

FOLDER = "schema"
SUFFIX = ".schema.json"
DRAFT = "https://json-schema.org/draft/2020-12/schema"
DOCUMENTS = ("recommendation", "probe")
_BYTES = {"anyOf": [{"type": "integer", "minimum": 0}, {"type": "string"}]}
# table -> fields that are written as text with a unit
_SIZES: dict[str, dict[str, Any]] = {
    "machine": {"memory_options": {"type": "array", "items": _BYTES}},
    "budget": {"cap": _BYTES, "reserve": _BYTES},
}
_TEXTS = {"type": "array", "items": {"type": "string"}}
_CONSTRAINTS = {"workload": ("floor", "comfort", "needs")}
_FILLED = {"support": ("framework",), "rule": ("where",)}  # told by the file itself


def generated() -> dict[str, dict[str, Any]]:
    """Name -> schema of each kind of knowledge file; files that hold several kinds of rows have one schema."""
    found: dict[str, list[Section]] = {}
    for section in SECTIONS:
        found.setdefault(section.pattern, []).append(section)
    return {_name(pattern): _file_schema(_name(pattern), sections) for pattern, sections in sorted(found.items())}


def patterns() -> dict[str, str]:
    """Name of the schema -> the files it describes."""
    return {_name(section.pattern): section.pattern for section in SECTIONS}


def _name(pattern: str) -> str:
    return pattern.split("/")[0].removesuffix(".toml")


def _file_schema(name: str, sections: list[Section]) -> dict[str, Any]:
    definitions: dict[str, Any] = {}
    properties: dict[str, Any] = {}
    for section in sections:
        row = _row_schema(section, definitions)
        if section.table in CHILDREN:
            target, child = CHILDREN[section.table]
            properties[child] = row["properties"].pop(target)
            row["required"] = [field for field in row.get("required", ()) if field != target]
            properties[section.table] = row
        else:
            properties[section.table] = {"type": "array", "items": row}
    return {
        "$schema": DRAFT,
        "title": f"knowledge/{sections[0].pattern}",
        "type": "object",
        "additionalProperties": False,
        "properties": properties,
        "$defs": definitions,
    }


def _row_schema(section: Section, definitions: dict[str, Any]) -> dict[str, Any]:
    from recommender.loader.codec import adapter

    schema = copy.deepcopy(adapter(section.type).json_schema())
    for name, definition in schema.pop("$defs", {}).items():
        definitions[name] = _as_written(name, definition)
    for name, written in _SIZES.get(section.table, {}).items():
        schema["properties"][name] = written
    for name in _CONSTRAINTS.get(section.table, ()):
        schema["properties"][name] = _TEXTS
    if section.table == "workload":
        definitions.pop("Constraint", None)
    return schema


def _as_written(name: str, definition: dict[str, Any]) -> dict[str, Any]:
    """A nested type in the form of the file."""
    if name == "Sourced":
        definition["properties"]["unit"] = {"type": "string"}
        definition["properties"]["value"] = {"type": ["number", "string", "array"], "items": {"type": ["number", "string"]}}
    for field in _FILLED.get({"SupportStatement": "support", "Rule": "rule"}.get(name, ""), ()):
        definition["properties"].pop(field)
        definition["required"] = [other for other in definition["required"] if other != field]
    return definition


def stored(root: Path | None = None) -> dict[str, dict[str, Any]]:
    """Name -> schema as it lies in the knowledge folder, sorted."""
    folder = (root or built_in_root()) / FOLDER
    return {path.name.removesuffix(SUFFIX): json.loads(path.read_text("utf-8")) for path in sorted(folder.glob(f"*{SUFFIX}"))}


def as_text(schema: dict[str, Any]) -> str:
    """The bytes of a schema file."""
    return json.dumps(schema, indent=1, sort_keys=True) + "\n"


def write(root: Path | None = None) -> list[Path]:
    """Write the generated schemas; those that no section needs any more are deleted, the documents' stay."""
    folder = (root or built_in_root()) / FOLDER
    folder.mkdir(exist_ok=True)
    found = generated()
    for path in folder.glob(f"*{SUFFIX}"):
        if path.name.removesuffix(SUFFIX) not in (*found, *DOCUMENTS):
            path.unlink()
    for name, schema in found.items():
        (folder / f"{name}{SUFFIX}").write_text(as_text(schema), "utf-8")
    return [folder / f"{name}{SUFFIX}" for name in found]


if __name__ == "__main__":
    for written in write():
        print(written)
