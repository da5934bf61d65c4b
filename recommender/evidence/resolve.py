"""From what a tool tells to a row of the evidence store: its names looked up in the catalogue, what is unknown kept as it is written and said."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from recommender.domain.catalog import Catalog
from recommender.domain.facts import DeviceFacts
from recommender.domain.measurement import Measurement
from recommender.domain.model import ModelSpec
from recommender.evidence.formats import BackEnd, Format
from recommender.evidence.told import Told
from recommender.loader.plain import to_plain
from recommender.predict.spelling import Names

_KINDS = ("cpu", "gpu", "npu", "accelerator")
_PARTIAL = "partial-offload"
_ID = 16  # letters of an id, as all measurements have


@dataclass(frozen=True, kw_only=True, slots=True)
class Given:
    """What the user says where a file is silent. `model` and `device` are also taken over what the file says."""

    device: str = ""
    model: str = ""
    framework: str = ""
    execution_provider: str = ""
    scheme: str = ""
    version: str = ""
    source: str = ""
    date: str = ""


@dataclass(kw_only=True, slots=True)
class Unknown:
    """Names that the catalogue does not have, with how often they came: device, model, framework, scheme. Empty: none was told."""

    device: Counter[str] = field(default_factory=Counter)
    model: Counter[str] = field(default_factory=Counter)
    framework: Counter[str] = field(default_factory=Counter)
    scheme: Counter[str] = field(default_factory=Counter)


def measurement(told: Told, form: Format, given: Given, catalog: Catalog, names: Names, unknown: Unknown, *, now: datetime) -> Measurement:
    """A row of the store. `digest` is empty: no machine of ours took it. Its id is that of what was told, so that the same figure is the same row.

    Args:
        unknown: gets the names that the catalogue does not have.
    """
    back = _back_end(told, form)
    framework = given.framework or told.framework and _known(told.framework, form) or back.framework or form.framework
    device = _device(told, given, back.unit, form, names)
    kind = device.kind if device else back.unit or form.unit
    provider = given.execution_provider or back.execution_provider or (names.provider(told.back_end, framework, kind) if framework and kind else "")
    model, spelling = _model(told, given, names)
    scheme = _scheme(told, form, given, catalog, names)
    word = given.device or (told.devices[0] if told.devices else "")
    for name, value, is_known in (
        ("device", word, device is not None), ("model", spelling, model is not None), ("framework", framework, framework in catalog.frameworks),
        ("scheme", scheme, scheme in catalog.schemes),
    ):  # fmt: skip
        if not is_known:
            getattr(unknown, name)[value] += 1
    date = _date(told.date or given.date)
    key = device.key if device else ""
    return Measurement(
        id=identity(told, form.key, given), created=date or now.isoformat(timespec="seconds"), digest="", model=model.key if model else spelling, framework=framework,
        execution_provider=provider, scheme=scheme, version=told.version or given.version, method=form.key, protocol="", mode="", workload=dict(told.workload),
        metrics=dict(told.metrics), quality=dict(told.quality), flags=_flags(told, model),
        candidate={
            "id": f"{framework}/{provider}/{scheme}", "framework": framework, "execution_provider": provider, "device": key, "device_kind": kind, "scheme": scheme,
            "component": told.component, "options": dict(told.options),
        },
        facts={
            "device_name": word, "model_name": spelling, "scheme_name": told.scheme, "back_end": told.back_end, "component": told.component,
            "source": given.source or told.source, "date": date, "is_model_known": model is not None,
        },
    )  # fmt: skip


def identity(told: Told, method: str, given: Given) -> str:
    """Content hash: what the tool told and what the user added, not where it stood in the file. Fields at their defaults leave it as it is."""
    content = {**to_plain(told), "row": "", "method": method, **{f"given {name}": value for name, value in to_plain(given).items() if name != "source"}}
    return hashlib.sha256(json.dumps(content, sort_keys=True, default=str).encode("utf-8", "backslashreplace")).hexdigest()[:_ID]


def _back_end(told: Told, form: Format) -> BackEnd:
    """The tool's whole word; where it ran on another unit than the word means, the unit and the framework are all that is known."""
    word = told.back_end.lower()
    found = form.back_ends.get(word)
    if found and told.unit in ("", found.unit):
        return found
    named = form.back_ends.get(word.partition(" ")[0])
    own = told.back_end if not form.back_ends else ""  # a format without a table speaks our words
    return BackEnd(execution_provider=own or form.execution_provider, unit=told.unit, framework=named.framework if named else "")


def _known(word: str, form: Format) -> str:
    """A framework as a table of back ends names it, else the word itself."""
    return next((row.framework for name, row in form.back_ends.items() if row.framework and name.partition(" ")[0] == word.lower()), word)


def _device(told: Told, given: Given, unit: str, form: Format, names: Names) -> DeviceFacts | None:
    if "several-devices" in told.flags and not given.device:
        return None  # a figure of two cards is no figure of one
    spellings = (given.device,) if given.device else told.devices
    for spelling in spellings:
        if spelling in names.devices:
            return names.devices[spelling]
    if unit:
        return names.device(unit, *spellings)
    found = units_of(names, *spellings)
    return found.get(form.unit) or (next(iter(found.values())) if len(found) == 1 else None)  # of a machine's several units none is guessed


def units_of(names: Names, *spellings: str) -> dict[str, DeviceFacts]:
    """Kind -> the unit of that kind that the words mean: a machine's name means all of its units."""
    return {kind: device for kind in _KINDS if (device := names.device(kind, *spellings))}


def _model(told: Told, given: Given, names: Names) -> tuple[ModelSpec | None, str]:
    """The catalogue's model, and the spelling that is kept: the one that was understood, else the first."""
    spellings = (given.model,) if given.model else told.models
    for spelling in spellings:
        found = names.models.get(spelling) or names.model(spelling) or names.model(spelling.removesuffix("_quantized"))
        if found:
            return found, spelling
    return None, spellings[0] if spellings else ""


def _scheme(told: Told, form: Format, given: Given, catalog: Catalog, names: Names) -> str:
    if given.scheme:
        return given.scheme
    word = told.scheme.lower()
    found = form.schemes.get(word) or form.schemes.get(word.rpartition(" ")[2])
    if found or not word:
        return found or form.scheme
    if told.scheme in catalog.schemes:
        return told.scheme
    by_case = {key.lower(): key for key in catalog.schemes}
    return by_case.get(word) or names.scheme(told.scheme)[0]


def _flags(told: Told, model: ModelSpec | None) -> tuple[str, ...]:
    """All layers of a known model on the card are no partial offload, whichever number was written."""
    layers = told.options.get("n_gpu_layers")
    is_whole = isinstance(layers, int) and model is not None and model.n_layers is not None and layers >= model.n_layers
    return tuple(flag for flag in told.flags if not (flag == _PARTIAL and is_whole))


def _date(text: str) -> str:
    """ISO 8601 in UTC; empty for what is no date."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return ""
    return (found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC)).isoformat(timespec="seconds")


def tell(unknown: Unknown) -> Mapping[str, Mapping[str, int]]:
    """Kind -> name -> how many figures, the most frequent first; kinds without one are left out."""
    return {name: dict(found.most_common()) for name in ("device", "model", "framework", "scheme") if (found := getattr(unknown, name))}
