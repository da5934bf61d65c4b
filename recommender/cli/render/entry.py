"""One catalogue entry as text, with its sources."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from recommender.cli.render.quantity import readable
from recommender.domain.facts import Source

CHAPTER_TITLE = "the teaching chapter, part"
_UNITS = {
    "memory_bandwidth": "bytes/s",
    "memory_capacity": "bytes",
    "clock": "Hz",
    "runtime_size": "bytes",
    "peak_ops": "ops/s",
    "memory_options": "bytes",
    "cap": "bytes",
    "reserve": "bytes",
}


def entry_text(title: str, entry: Mapping[str, Any]) -> str:
    """`key: value` lines, nested ones indented; figures in readable units."""
    return "\n".join([title, *_lines(entry, 1)])


def _lines(data: Mapping[str, Any], depth: int) -> Iterable[str]:
    pad = "  " * depth
    for name, value in data.items():
        label = name.rstrip("_")
        if isinstance(value, Mapping) and "value" in value:
            yield f"{pad}{label}: {_fact(name, value)}"
        elif isinstance(value, Mapping):
            yield f"{pad}{label}:"
            yield from _lines(value, depth + 1)
        elif isinstance(value, list) and value and isinstance(value[0], Mapping):
            yield f"{pad}{label}:"
            for item in value:
                yield f"{pad}  - {_flat(item)}"
        elif isinstance(value, list):
            yield f"{pad}{label}: {', '.join(_value(name, item) for item in value)}"
        else:
            yield f"{pad}{label}: {_value(name, value)}"


def _value(name: str, value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "not known" if value is None else readable(value, _UNITS.get(name.partition(".")[0], ""))


def _fact(name: str, fact: Mapping[str, Any]) -> str:
    rest = "; ".join(str(fact[part]) for part in ("kind", "source", "note") if fact.get(part))
    return f"{_value(name, fact['value'])}" + (f"  ({rest})" if rest else "")


def _flat(item: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} = {_flat(value) if isinstance(value, Mapping) else _joined(value)}" for name, value in item.items())


def _joined(value: Any) -> str:
    return " ".join(str(part) for part in value) if isinstance(value, list) else str(value)


def sources_of(ids: Iterable[str], declared: Mapping[str, Source]) -> list[dict[str, str]]:
    """id, title, URL, kind and date of each source, in order, once; a part of the chapter has no URL."""
    found = []
    for name in dict.fromkeys(name for name in ids if name):
        if name.startswith("chapter:"):
            found.append(
                {
                    "id": name,
                    "title": f"{CHAPTER_TITLE} {name.removeprefix('chapter:')}",
                    "url": "",
                    "kind": "chapter",
                    "retrieved": "",
                }
            )
        elif name in declared:
            source = declared[name]
            found.append(
                {"id": name, "title": source.title, "url": source.url, "kind": source.kind, "retrieved": source.retrieved}
            )
        else:
            found.append({"id": name, "title": "not declared", "url": "", "kind": "", "retrieved": ""})
    return found


def sources_text(sources: list[dict[str, str]]) -> str:
    """`sources:` and one or two lines for each."""
    lines = ["  sources:"]
    for source in sources:
        read = f" (read {source['retrieved']})" if source["retrieved"] else ""
        lines.append(f"    {source['id']}: {source['title']}{read}")
        if source["url"]:
            lines.append(f"      {source['url']}")
    return "\n".join(lines)


def cited_in(value: Any) -> list[str]:
    """Source ids anywhere inside plain data (`source` and `sources`)."""
    found: list[str] = []
    if isinstance(value, Mapping):
        for name, item in value.items():
            if name == "source" and isinstance(item, str):
                found.append(item)
            elif name == "sources" and isinstance(item, list):
                found += [str(source) for source in item]
            else:
                found += cited_in(item)
    elif isinstance(value, list):
        for item in value:
            found += cited_in(item)
    return found
