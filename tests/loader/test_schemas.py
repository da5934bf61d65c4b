from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any

import pytest

from recommender.loader import files, schemas

jsonschema = pytest.importorskip("jsonschema")
ROOT = files.built_in_root()
PATTERNS = schemas.patterns()
DEVICE = {"key": "a", "kind": "cpu", "vendor": "a", "name": "A", "family": "arm-cpu"}


def validator(name: str) -> Any:
    schema = schemas.stored()[name]
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


def test_stored_schemas_are_fresh() -> None:
    for name, schema in schemas.generated().items():
        stored = (ROOT / schemas.FOLDER / f"{name}{schemas.SUFFIX}").read_text("utf-8")
        assert stored == schemas.as_text(schema), f"{name}: run `python -m recommender.loader.schemas`"


def test_every_schema_belongs_to_a_section_or_a_document() -> None:
    assert set(schemas.stored()) == {*PATTERNS, *schemas.DOCUMENTS}


@pytest.mark.parametrize("name", sorted(PATTERNS))
def test_real_files_are_valid(name: str) -> None:
    check = validator(name)
    for path in ROOT.glob(PATTERNS[name]):
        fault = next(check.iter_errors(tomllib.loads(path.read_text("utf-8"))), None)
        assert fault is None, f"{path.name} {list(fault.path)}: {fault.message}"


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("devices", {"device": [{**DEVICE, "colour": "red"}]}),
        ("devices", {"device": [{"key": "a"}]}),
        ("devices", {"device": [{**DEVICE, "capability": {"x": {"value": 1, "unite": "GB/s"}}}]}),
        ("devices", {"devices": []}),
        (
            "machines",
            {
                "machine": [
                    {
                        "key": "m",
                        "name": "M",
                        "class_": "sbc",
                        "os": "linux",
                        "architecture": "a",
                        "devices": [],
                        "memory_options": [1.5],
                    }
                ]
            },
        ),
        ("workloads", {"workload": [{"key": "w", "name": "W", "tasks": [], "floor": [{"metric": "latency"}]}]}),
        ("rules", {"table": {"id": "t"}, "rule": []}),
        (
            "frameworks",
            {"framework": {"key": "f", "name": "F", "has_executor": True}, "support": [{"id": "S", "framework": "f"}]},
        ),
    ],
    ids=[
        "unknown key",
        "missing keys",
        "unknown key inside",
        "unknown table",
        "half a byte",
        "constraint as a table",
        "table without question",
        "support",
    ],
)
def test_faults_are_refused(name: str, content: dict[str, Any]) -> None:
    assert not validator(name).is_valid(content)


def test_write_drops_what_no_section_needs(tmp_path: Path) -> None:
    folder = tmp_path / schemas.FOLDER
    folder.mkdir()
    for name in ("gone", "probe"):
        (folder / f"{name}{schemas.SUFFIX}").write_text("{}")
    written = {path.name.removesuffix(schemas.SUFFIX) for path in schemas.write(tmp_path)}
    assert written == set(PATTERNS)
    assert set(schemas.stored(tmp_path)) == {*PATTERNS, "probe"}


def test_generated_schemas_are_json() -> None:
    assert all(json.loads(schemas.as_text(schema)) == schema for schema in schemas.generated().values())
