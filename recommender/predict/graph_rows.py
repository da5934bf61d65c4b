"""A row about a model that runs once per input -> the case an estimator reads.

A row that names a `runtime` says one job each: a network on a unit, its latency and its memory. All others are of the long form (one figure a row), which
`long_rows` reads. The columns of `knowledge/evidence/*.csv` are understood as well, so that fits and predictions read a row the same way. Values repeat a lot
in such tables: what is read of some columns is kept in the memory of the names.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from math import prod

from recommender.domain.facts import DeviceFacts
from recommender.estimate.learned.case import GraphCase, Silicon
from recommender.estimate.learned.graph import SYSTEM
from recommender.predict.cells import first, positive
from recommender.predict.long_rows import long_case
from recommender.predict.spelling import Names

UNIT = "npu"  # what such jobs are compiled for; where a network ends up is an outcome
_COLOURS = 3
_PAIR = re.compile(r"\((\d+)\s*x\s*(\d+)\)")
_NUMBER = re.compile(r"\d+")
_WORD = re.compile(r"[a-z0-9.+]+")
_PLACE = ("runtime", "device_name", "device", "chipset", "silicon_group", "os", "form_factor")
_LAYERS = ("layers_npu", "layers_gpu", "layers_cpu")


def graph_case(row: Mapping[str, str], names: Names) -> GraphCase | str:
    """The case of a row, or the reason why there is none."""
    if not row.get("runtime"):
        return long_case(row, names)
    asked = ("graph-row", *[row.get(column) or "" for column in _PLACE])
    place = names.memory.get(asked)
    if place is None:
        place = names.memory[asked] = _place(row, names)
    if isinstance(place, str):
        return place
    silicon, path, framework = place
    precision = (row.get("precision") or "").strip().lower()
    is_whole = row.get("params_scope") == "whole_model"  # then the figure says little of this one of its networks
    params = None if is_whole else positive(first(row, "params_m", "n_params_m"))
    size, float_size = positive(row.get("model_size_mb")), positive(first(row, "model_size_float_mb", "float_size_mb"))
    layers = sum(positive(row.get(name)) or 0.0 for name in _LAYERS)
    model = first(row, "base_model", "model", "model_name")
    return GraphCase(
        silicon=silicon, path=path, framework=framework, precision=precision, scheme=row.get("scheme") or "", model=model,
        base_model=model, component=row.get("component") or "", task=first(row, "use_case", "task"), domain=row.get("domain") or "",
        n_params=params * 1e6 if params else None, input_size=input_size(row.get("input") or "", names), n_operators=layers or None,
        float_bytes=float_size * 1e6 if float_size else None, weight_bytes=size * 1e6 if size else None,
    )


def input_size(text: str, names: Names) -> float | None:
    """Elements of the first input, without its colours: `1x3x224x224`, `224x224`, `720p (720x1280)`, `80x3000 (30 seconds audio)`."""
    if not text:
        return None
    asked = ("input-size", text)
    if asked not in names.memory:
        pair = _PAIR.search(text)
        told = pair.groups() if pair else _NUMBER.findall(text.partition("(")[0].partition(",")[0])
        sides = [int(number) for number in told if int(number) > 0]
        if len(sides) > 2 and _COLOURS in sides:
            sides.remove(_COLOURS)
            if len(sides) - sides.count(1) == 1:  # `1x3x224`: a square
                sides.append(max(sides))
        names.memory[asked] = float(prod(sides)) if sides else None
    return names.memory[asked]  # type: ignore[no-any-return]


def _place(row: Mapping[str, str], names: Names) -> tuple[Silicon, str, str] | str:
    """Silicon, path and framework, or why the row is of no use."""
    known = names.spelled["runtime"].get(_plain(row["runtime"]), "")
    if not known:
        return f"runtime `{row['runtime']}` is none of {', '.join(names.spelled['runtime'])}"
    path, _, framework = known.partition("/")
    device, chipset, group = first(row, "device_name", "device"), row.get("chipset") or "", row.get("silicon_group") or ""
    if not (device or chipset or group):
        return "the row names no device, chipset or silicon group"
    facts = names.device(UNIT, device, chipset, group)
    return _silicon(facts, device or chipset or group, group, row, names), path, framework


def _silicon(facts: DeviceFacts | None, name: str, group: str, row: Mapping[str, str], names: Names) -> Silicon:
    """What the catalogue knows of the unit, under the name of its machine; the machine's form and system as the row tells them."""
    system, form = _plain(row.get("os") or ""), _plain(row.get("form_factor") or "")
    told = frozenset({SYSTEM + system} if system else ())
    class_ = names.spelled["form_factor"].get(form, form)
    if facts is None:
        return Silicon(kind=UNIT, group=_plain(group or name).replace(" ", "-"), name=name, machine_class=class_, features=told)
    found = names.silicon(facts)
    return replace(found, name=name, machine_class=class_ or found.machine_class, features=found.features | frozenset(facts.precisions) | told)


def _plain(text: str) -> str:
    return " ".join(_WORD.findall(text.lower()))
