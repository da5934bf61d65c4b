"""Validate raw knowledge into domain types and emit JSON Schema. The only engine module that imports pydantic; not on the hot path."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import TypeAdapter, ValidationError

from recommender.domain.catalog import Audit, Catalog, MatchRow
from recommender.domain.errors import CatalogError
from recommender.domain.evidence import Evidence
from recommender.domain.facts import DeviceFacts
from recommender.domain.names import normalise_name
from recommender.loader import files
from recommender.loader.normalise import FieldError, normalise
from recommender.loader.plain import from_plain, to_plain
from recommender.loader.sections import SECTIONS

_UNKNOWN_KEY = ("unexpected_keyword_argument", "extra_forbidden")


def load(layers: tuple[files.Layer, ...]) -> Catalog:
    """Read, normalise and validate all layers; a later layer replaces entries of the same key.

    Raises:
        CatalogError: naming file, line, key and what would be valid.
    """
    vocabulary: dict[str, Any] = {}
    for layer in layers:
        for name, value in files.vocabulary(layer).items():
            vocabulary[name] = {**vocabulary.get(name, {}), **value}
    keyed: dict[str, dict[str, Any]] = {section.name: {} for section in SECTIONS if section.key}
    listed: dict[str, list[Any]] = {section.name: [] for section in SECTIONS if not section.key}
    places: dict[tuple[str, str], files.Row] = {}
    overlaid: dict[str, str] = {}
    audit: dict[str, tuple[Audit, ...]] = {}
    for layer in layers:
        fresh: dict[str, list[Any]] = {name: [] for name in listed}
        for row in files.rows(layer):
            value = _validated(row, vocabulary)
            name = row.section.name
            if not row.section.key:
                fresh[name].append(value)
                continue
            key = getattr(value, row.section.key)
            earlier = places.get((name, key))
            if earlier and earlier.layer == layer.name:
                raise CatalogError(f"`{key}` is already defined at {earlier.where}", where=row.where)
            places[name, key] = row
            if layer.name != files.BUILT_IN:
                overlaid[f"{name}:{key}"] = layer.name
                for rule in value.rules if name == "tables" else ():
                    audit.pop(rule.id, None)  # it speaks of the row that is replaced
                if name in ("frameworks", "tables") and key in keyed[name]:
                    value = _merged(keyed[name][key], value)
            keyed[name][key] = value
        audit.update(_audit(layer))
        for name, values in fresh.items():  # an overlay's rows come first, so that they win where the first match counts
            listed[name] = values + listed[name] if name != "ranking" or not listed[name] else (values or listed[name])
    entries: dict[str, Any] = {**keyed, **{name: tuple(values) for name, values in listed.items()}}
    versions = [files.version(layer) or layer.name for layer in layers]
    return Catalog(
        version="+".join(versions), layers=tuple(layer.name for layer in layers), vocabulary=vocabulary, overlaid=overlaid,
        evidence=_by_model(_evidence(row, where) for layer in layers for row, where in files.evidence_rows(layer) if _is_for_decisions(row)),
        audit=audit, learned={name: value for layer in layers for name, value in files.learned(layer).items()},
        matches=tuple(_match_row(row) for row in keyed["devices"].values()),
        **entries,
    )


def _merged(old: Any, new: Any) -> Any:
    """A framework or table of an overlay adds its rows to the built-in one; rows of the same id replace."""
    name = "rules" if hasattr(new, "rules") else "support"
    ids = {row.id for row in getattr(new, name)}
    rows = tuple(row for row in getattr(old, name) if row.id not in ids) + getattr(new, name)
    return dataclasses.replace(new, **{name: rows})


_adapters: dict[type, TypeAdapter[Any]] = {}


def adapter(cls: type) -> TypeAdapter[Any]:
    """The (cached) validator of a domain type."""
    if cls not in _adapters:
        _adapters[cls] = TypeAdapter(cls)
    return _adapters[cls]


def _validated(row: files.Row, vocabulary: Mapping[str, Any]) -> Any:
    try:
        data = normalise(row.section.table, row.data, vocabulary)
        checked = adapter(row.section.type).validate_python(data)
    except FieldError as error:
        raise CatalogError(f"{_name(row)}: `{error.field}`: {error}", where=_line(row, error.field)) from None
    except ValidationError as error:
        errors = error.errors()
        first = next((found for found in errors if found["type"] in _UNKNOWN_KEY), errors[0])  # a misspelled key tells more than the missing one
        path = [str(part) for part in first["loc"]]
        more = f" (and {error.error_count() - 1} more)" if error.error_count() > 1 else ""
        raise CatalogError(f"{_name(row)}: `{'.'.join(path)}`: {_words(first, row)}{more}", where=_line(row, path[-1] if path else "")) from None
    return from_plain(row.section.type, to_plain(checked))  # one way in, cold or from the compiled file


def _words(error: Mapping[str, Any], row: files.Row) -> str:
    if error["type"] in _UNKNOWN_KEY:
        valid = ", ".join(f.name for f in dataclasses.fields(row.section.type))
        return f"unknown key (valid: {valid})"
    return str(error["msg"])


def _name(row: files.Row) -> str:
    return f"{row.section.table} `{row.data.get(row.section.key or 'id', '?')}`"


def _line(row: files.Row, key: str) -> str:
    path, _, first = row.where.rpartition(":")
    lines = row.text.splitlines()
    start = int(first) - 1
    for number in range(start, len(lines)):
        stripped = lines[number].strip()
        if number > start and stripped.startswith("[[") and stripped.startswith(f"[[{row.section.table}]]"):
            break
        if key and stripped.split("=")[0].strip().strip("\"'") == key or key and stripped.endswith(f".{key}]"):
            return f"{path}:{number + 1}"
    return row.where


def _match_row(device: DeviceFacts) -> MatchRow:
    match = tuple({key: normalise_name(value) if key.startswith("name") else value for key, value in wanted.items()} for wanted in device.match)
    return MatchRow(key=device.key, kind=device.kind, generic=device.generic, match=match)


def _by_model(rows: Iterable[Evidence]) -> dict[str, tuple[Evidence, ...]]:
    found: dict[str, tuple[Evidence, ...]] = {}
    for row in rows:
        found[row.model] = (*found.get(row.model, ()), row)
    return found


def _audit(layer: files.Layer) -> dict[str, tuple[Audit, ...]]:
    found, where = files.audit(layer)
    try:
        return {rule: adapter(tuple[Audit, ...]).validate_python(claims) for rule, claims in found.items()}
    except ValidationError as error:
        first = error.errors()[0]
        raise CatalogError(f"audit: `{'.'.join(map(str, first['loc']))}`: {first['msg']}", where=where) from None


_EVIDENCE = frozenset(field.name for field in dataclasses.fields(Evidence))


def _is_for_decisions(row: dict[str, str]) -> bool:
    """A figure that names a model or a device which the catalogue does not have serves fits only, and so does what says so (`use`)."""
    return row.get("use") != "fit" and all(row.get(name) or not row.get(f"{name}_name") for name in ("model", "device"))


def _evidence(row: dict[str, str], where: str) -> Evidence:
    try:
        data: dict[str, Any] = {key: value for key, value in row.items() if key in _EVIDENCE and value not in ("", None)}
        checked: Evidence = adapter(Evidence).validate_python({**data, "value": float(data["value"])})
        return checked
    except ValidationError as error:
        first = error.errors()[0]
        raise CatalogError(f"evidence row: `{'.'.join(map(str, first['loc']))}`: {first['msg']}", where=where) from None
    except (KeyError, ValueError) as error:
        raise CatalogError(f"evidence row: {error}", where=where) from None
