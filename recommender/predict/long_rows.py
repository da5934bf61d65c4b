"""One row of a long-form table (one figure a row: platform, unit, framework, model, precision, ...) -> the case an estimator reads.

The tables say what a unit is in their own words, and a processor's cores and clock often only in its name. The columns of `knowledge/evidence/*.csv`
(`device_name`, `model_name`, `execution_provider`, `setting`) are understood as well, so that fits and predictions read a row the same way.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache

from recommender.domain.facts import DeviceFacts
from recommender.domain.model import ModelSpec
from recommender.estimate.learned.case import GraphCase, Silicon
from recommender.predict.cells import positive
from recommender.predict.spelling import Names

_WORD = re.compile(r"[a-z0-9.+]+")
_MARK = re.compile(r"\((?:r|tm)\)|[®™]", re.IGNORECASE)
_CLOCK = re.compile(r"(\d+(?:\.\d+)?)\s*([gm])hz")
_COUNT = re.compile(r"(?:hz|x60|a\d+|cores?|v8\))\s*[x*]\s*(\d{1,3})\b|x(\d{1,3}) cores|\(\s*(\d{1,2}) cortex")
_USUAL_CLOCK = 2e9  # Hz, of a processor whose microarchitecture is all that is known
_NUMBER = re.compile(r"\d+")
# Words of a model's name that say how it was stored, not which network it is.
_STORED = frozenset(["int8", "uint8", "fp32", "fp16", "f32", "f16", "quant", "quantized", "float", "onnx", "tf", "tf2", "pt", "pytorch", "non", "integer"])
_PRECISIONS = {"float32": "fp32", "f32": "fp32", "float16": "fp16", "f16": "fp16", "uint8": "int8"}
# What a table says of a run and what changes its speed on the very same path; all else that it says is the same for all of its rows.
_SETTINGS = ("little cores", "big cores", "32-bit", "sparse weights", "high frequency")


def long_case(row: Mapping[str, str], names: Names) -> GraphCase | str:
    """The case of a row, or the reason why there is none."""
    platform = row.get("platform") or row.get("device_name") or ""
    model, _, bracket = (row.get("model_name") or row.get("model") or "").partition(" [")  # some write the input behind the name
    published = row.get("framework") or ""
    if not platform or not model or not published:
        return f"no {'platform' if not platform else 'model' if not model else 'framework'} is named"
    unit = slug(row.get("unit") or "").replace("-", " ")
    kind = row.get("kind") or names.spelled["graph_unit"].get(unit) or ("" if unit else _kind_of_platform(names, platform))
    framework, provider, kind = _path(row, names, published, kind)
    if not kind:
        return f"which unit `{published}` runs on is not told"
    card = row.get("accelerator") or ""
    silicon = _silicon(names, kind, card if kind != "cpu" and device_of(names, kind, card) else platform)
    base, spec = _network(names, framework, model)
    size = _area(row.get("input") or bracket)
    usual = _area(spec.input) if spec else None
    macs = _amount(row.get("gmacs"), 1e9) or _amount(row.get("gops"), 0.5e9)
    if macs is None and spec and spec.macs:
        macs = spec.macs * (size / usual if size and usual else 1.0)  # operations of a convolution grow with its area
    threads = (row.get("threads") or "").removesuffix(".0")
    return GraphCase(
        silicon=silicon, path="/".join([framework, provider, *_settings(row, kind, unit, threads, names.spelled["graph_setting"])]), framework=framework, execution_provider=provider,
        scheme=row.get("scheme") or "", precision=precision_of(row.get("precision") or ""), model=spec.key if spec else "", base_model=base,
        task=row.get("task") or "", n_params=_amount(row.get("params_m"), 1e6) or (float(spec.n_params) if spec and spec.n_params else None), macs=macs,
        activations=_amount(row.get("activations_m") or row.get("macts_m"), 1e6), input_size=size or usual,
        batch=int(_amount(row.get("batch"), 1.0) or 1), threads=int(threads) if threads.isdigit() else None,
    )


def _kind_of_platform(names: Names, platform: str) -> str:
    """Where no unit is named, a platform's last word may be one."""
    return names.spelled["graph_unit"].get(slug(platform).rpartition("-")[2], "")


def _network(names: Names, framework: str, model: str) -> tuple[str, ModelSpec | None]:
    """What variants of the network share, and the catalogue's entry."""
    asked = ("graph network", framework, model)
    if asked not in names.memory:
        names.memory[asked] = base_model_of(names, framework, model), names.models.get(model_of(names, framework, model))
    return names.memory[asked]  # type: ignore[no-any-return]


def _path(row: Mapping[str, str], names: Names, published: str, kind: str) -> tuple[str, str, str]:
    """Framework, execution provider and kind of unit. Evidence names the first two itself."""
    if "execution_provider" in row and kind:
        return published, row["execution_provider"] or "", kind
    asked = ("graph path", published, kind)
    if asked not in names.memory:
        names.memory[asked] = _spelled_path(names.spelled["graph_path"], slug(published).split("-"), kind)
    framework, provider, kind = names.memory[asked]
    return (published, row["execution_provider"] or "", kind) if "execution_provider" in row else (framework, provider, kind)


def _spelled_path(table: Mapping[str, str], words: list[str], kind: str) -> tuple[str, str, str]:
    """The longest beginning of a framework's name that the table knows: what follows are versions."""
    for n in range(len(words), 0, -1):
        spelled = " ".join(words[:n])
        if exact := table.get(f"{spelled} {kind}".strip()):
            framework, provider, usual = exact.split("/")
            return framework, provider, usual
        if spelled in table:
            framework, provider, usual = table[spelled].split("/")
            return framework, provider, kind or usual
    return "-".join(words), "", kind


def _settings(row: Mapping[str, str], kind: str, unit: str, threads: str, of_unit: Mapping[str, str]) -> list[str]:
    """What splits a path: which cores, how many of a unit's cores, and threads that are told in words."""
    told = row.get("setting") or ""
    if not told:
        told = {"1": "little cores", "2": "big cores"}.get(row.get("powersave") or "", "")
        told = told or ("sparse weights" if "sparse" in (row.get("config") or "") else of_unit.get(unit, ""))
    counted = unit if _NUMBER.search(unit) and unit not in of_unit else ""
    told = told if told in _SETTINGS and not (kind == "gpu" and told.endswith("cores")) else ""
    return [part for part in (told, counted, threads if threads and not threads.isdigit() else "") if part]


def _silicon(names: Names, kind: str, platform: str) -> Silicon:
    """Facts of the catalogue, completed by what the name says of cores and clock."""
    asked = ("graph silicon", kind, platform)
    if asked not in names.memory:
        device = device_of(names, kind, platform)
        found = names.silicon(device) if device else Silicon(kind=kind, name=platform, group=group_of(names, None, platform))
        if kind == "cpu":
            text = f"{device.name if device else ''} {platform}".lower()
            core = _core_type(names, text)
            clock, count = _CLOCK.search(text), _COUNT.search(text)
            found = _with_operations(names, replace(
                found, generation=core or found.generation,
                clock=found.clock or (float(clock[1]) * (1e9 if clock[2] == "g" else 1e6) if clock else None),
                cores=found.cores or (int(next(filter(None, count.groups()))) if count else None),
            ))
        names.memory[asked] = found
    found = names.memory[asked]
    assert isinstance(found, Silicon)
    return found


def _with_operations(names: Names, silicon: Silicon) -> Silicon:
    """A processor's peak operations from its cores, where its entry has none."""
    if silicon.peak_ops or not (silicon.clock or silicon.generation):
        return silicon
    table = names.spelled["core_operations"]
    per_cycle = table.get(silicon.generation.replace("-", " "), table["other"]).split()
    per_second = (silicon.clock or _USUAL_CLOCK) * (silicon.cores or 1)
    return replace(silicon, peak_ops={name: float(n) * per_second for name, n in zip(("fp32", "fp16", "int8"), per_cycle, strict=True)})


def _core_type(names: Names, text: str) -> str:
    """The first of the known cores that the words of a name contain."""
    words = f" {slug(text).replace('-', ' ')} "
    return next((core for spelled, core in names.spelled["core_type"].items() if f" {spelled} " in words), "")


@lru_cache(maxsize=20_000)  # a table repeats its words
def slug(text: str, without: frozenset[str] = frozenset()) -> str:
    """Words in lower case, joined by hyphens."""
    words = _WORD.findall(_MARK.sub(" ", text).lower())
    return "-".join([word for word in words if word not in without] or words)


def device_of(names: Names, kind: str, spelling: str) -> DeviceFacts | None:
    """The catalogue's unit, or None; generic entries are no unit."""
    if not kind or not spelling:
        return None
    aliases, asked = names.spelled.get("graph_device", {}), slug(spelling).replace("-", " ")
    key = aliases.get(f"{asked} {kind}") or aliases.get(asked)
    device = names.devices.get(key, names.devices.get(f"{key}.{kind}")) if key else names.device(kind, spelling)
    return None if device is None or device.generic or device.kind != kind else device


def group_of(names: Names, device: DeviceFacts | None, spelling: str) -> str:
    """What is left out together: the silicon where the catalogue has it, else the platform in one spelling."""
    if device:
        return names.group(device)
    plain = slug(spelling)
    return names.spelled.get("platform", {}).get(plain.replace("-", " "), plain)


def model_of(names: Names, framework: str, spelling: str) -> str:
    """Catalogue key of the network, or an empty text: only names that are equal, or that an alias of this framework puts together."""
    aliases = names.spelled.get("graph_model", {})
    for asked in (f"{framework} {slug(spelling)}", f"{framework} {plain_name(spelling)}"):
        if (key := aliases.get(asked.replace("-", " "))) is not None:
            return key if key in names.models else ""
    known = names.memory.get(("graph models",))
    if known is None:
        known = names.memory[("graph models",)] = {
            _letters(name): key for key, model in names.models.items() for name in (*model.aliases, model.name, key)
        }
    return str(known.get(_letters(spelling)) or known.get(_letters(plain_name(spelling)), ""))


def base_model_of(names: Names, framework: str, spelling: str) -> str:
    """The same network under another name or precision shares it."""
    return model_of(names, framework, spelling) or plain_name(spelling)


@lru_cache(maxsize=20_000)
def plain_name(spelling: str) -> str:
    """A model's name without its folder and without the words that say how it was stored."""
    return slug((spelling.rpartition("/")[2] if spelling.count("/") == 1 else spelling).removesuffix(".onnx"), _STORED)


def _letters(text: str) -> str:
    return re.sub(r"[^a-z0-9]", "", text.lower())


@lru_cache(maxsize=20_000)
def precision_of(published: str) -> str:
    """One spelling: what stands in parentheses is left out, and synonyms are one."""
    plain = published.lower().partition("(")[0].strip()
    return _PRECISIONS.get(plain, plain)


@lru_cache(maxsize=20_000)
def _area(text: str) -> float | None:
    """Height x width of an input as tables write it (`640`, `640x640x3`, `[1, 3, 640, 640]`): the two largest of its numbers; one alone is a square."""
    numbers = sorted((float(number) for number in _NUMBER.findall(text)), reverse=True)
    return None if not numbers or numbers[0] < 2 else numbers[0] * (numbers[1] if len(numbers) > 1 else numbers[0])


def _amount(text: str | None, factor: float) -> float | None:
    value = positive(text)
    return value * factor if value else None
