"""The composition root: the one place where ports meet adapters. Everything before and after the pure decision is called from here."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from recommender.domain.catalog import Catalog
from recommender.domain.errors import UsageError
from recommender.domain.fingerprint import Device, Fingerprint
from recommender.domain.model import ModelSpec
from recommender.domain.recommendation import Request, Wishes
from recommender.domain.target import Target
from recommender.domain.workload import GRAPH_METRICS, TOKEN_METRICS, Constraint, Workload, contradiction, parse_constraint

if TYPE_CHECKING:
    from recommender.domain.measurement import Measurement
    from recommender.predict.batch import Estimators

Say = Callable[[str], None]
THIS_MACHINE = "this-machine"


def load_catalog(overlays: tuple[str, ...] = ()) -> Catalog:
    """The knowledge, compiled where the cache allows."""
    from recommender.intake.cache_folder import cache_dir
    from recommender.loader.compiled import load_catalog as load

    return load(overlays, cache_dir=Path(cache_dir()))


def resolve_target(words: str, catalog: Catalog, say: Say, *, memory: int | None = None, vram: int | None = None, overrides: Mapping[str, object] | None = None) -> Target:
    """`this-machine`, a recording or a file tree, or a machine of the catalogue.

    Raises:
        UsageError: nothing of that name; the nearest names are hints.
    """
    target = _target(words, catalog, say, memory, vram)
    return replace(target, overrides={**_memory_overrides(target, memory, vram), **(overrides or {})})


def _target(words: str, catalog: Catalog, say: Say, memory: int | None, vram: int | None) -> Target:
    from recommender.intake.identify import find_machine, identify, target_of_machine

    if not words.strip():
        raise UsageError("--target is empty", hints=("recommend --target this-machine", "recommend catalog list machines"))
    if words == THIS_MACHINE:
        return _with_vram(identify(observe_this_machine(say), catalog, kind=THIS_MACHINE, name=THIS_MACHINE), vram)
    path = Path(words)
    if path.exists():
        return _with_vram(identify(observe_path(path), catalog, kind="recording", name=path.name or str(path.absolute())), vram)
    machine = find_machine(words, catalog)
    if machine:
        return target_of_machine(machine, catalog, memory=memory, vram=vram)
    names = {name: entry.key for entry in catalog.machines.values() for name in (entry.key, *entry.aliases)}
    near = dict.fromkeys(names[name] for name in difflib.get_close_matches(words.lower(), names, n=3, cutoff=0.5))
    raise UsageError(
        f"unknown target `{words}`: no file, and no machine of the catalogue" + (f" (near: {', '.join(near)})" if near else ""),
        hints=tuple(f"recommend --target {name}" for name in near) or ("recommend catalog list machines",),
    )


def observe_this_machine(say: Say, *, refresh: bool = False, with_microbenchmark: bool = True) -> Fingerprint:
    """The fingerprint of this machine, with the microbenchmark (run once, then kept under the digest)."""
    from recommender.intake.static_cache import observe_live

    fingerprint, warnings = observe_live(refresh=refresh)
    for warning in warnings:
        say(f"warning: {warning}")
    from recommender.intake.microbenchmark import is_due, microbenchmark

    if not with_microbenchmark or not (refresh or is_due(fingerprint.digest)):
        return fingerprint
    say("measuring memory bandwidth and arithmetic rate once, at most 3 s ...")
    found = microbenchmark(fingerprint.digest, again=refresh)
    if "why" in found:
        say(f"warning: {found['why']}")
        return fingerprint
    return replace(fingerprint, microbenchmark=found)


def observe_path(path: Path) -> Fingerprint:
    """A recording, a probe document, or a folder that holds another machine's /proc and /sys."""
    if path.is_dir():
        from recommender.intake.host import SysrootHost
        from recommender.intake.run import observe

        if not any((path / name).is_dir() for name in ("proc", "sys")):
            raise UsageError(f"`{path}` holds neither proc/ nor sys/", hints=("recommend probe --record machine.json",))
        return observe(SysrootHost(path))
    from recommender.intake.record import observe_recording

    return observe_recording(path)


def _with_vram(target: Target, vram: int | None) -> Target:
    """`--vram` on an observed machine: its dedicated graphics memory, as if it were that large."""
    if vram is None:
        return target
    devices = tuple(replace(d, memory_total=vram, memory_available=None) if _is_dedicated(d, target) else d for d in target.fingerprint.devices)
    return replace(target, fingerprint=replace(target.fingerprint, devices=devices))


def _is_dedicated(device: Device, target: Target) -> bool:
    facts = target.matched.get(device.id)
    return (device.memory_kind or (facts.memory_kind if facts else None)) == "dedicated" and device.kind != "cpu"


def _memory_overrides(target: Target, memory: int | None, vram: int | None) -> dict[str, object]:
    found: dict[str, object] = {}
    if memory is not None:
        found["host.memory_total"] = memory
    if vram is not None and not any(_is_dedicated(device, target) for device in target.fingerprint.devices):
        raise UsageError(f"--vram: `{target.name}` has no device with memory of its own", hints=("recommend --memory 16GiB",))
    return found


def resolve_models(words: str | None, catalog: Catalog, *, offline: bool) -> tuple[ModelSpec, ...]:
    """The one model that was named, or one representative of each class."""
    from recommender.intake.model_files import resolve_model

    if words is not None:
        return (resolve_model(words, catalog.models, offline=offline),)
    return tuple(catalog.models[key] for key in catalog.vocabulary["representatives"]["models"])


def measurements(target: Target, models: Iterable[ModelSpec], say: Say) -> dict[str, tuple[Measurement, ...]]:
    """Key of a model -> what was measured of it on the target's machine, and what was imported of its devices, the newest first. A file is known by its content, a name by its key.

    None where machine or model are taken for others (`--set device.memory_bandwidth=...`).
    """
    from recommender.store.measured import measurements as stored

    if any(name.startswith(("device.", "host.", "model.")) and not name.startswith(_SAME_MACHINE) for name in target.overrides):
        return {}
    identities = {model.key: _identity(model) for model in models}
    devices = sorted({facts.key for facts in target.matched.values()})
    found, warning = stored(target.fingerprint.digest, [*identities, *filter(None, identities.values())], devices)
    if warning:
        say(f"warning: {warning}")
    return {
        key: tuple(row for row in found if (row.model_hash == identity if identity and row.model_hash else row.model == key))
        for key, identity in identities.items()
    } if found else {}


# what --set may say of a machine without making another one of it: how much memory there is, and what settles an open fact
_SAME_MACHINE = (
    "host.memory_total", "host.has_", "host.power_source", "device.is_quiet", "device.memory_total", "device.memory_usable", "device.driver",
)  # fmt: skip


def _identity(model: ModelSpec) -> str:
    """Content identity of a model that is a file here, else empty."""
    if model.artifact is None:
        return ""
    from recommender.intake.model_identity import content_identity

    return content_identity(Path(model.artifact.path))


def resolve_workload(key: str | None, model: ModelSpec, catalog: Catalog, overrides: Mapping[str, Any], needs: Iterable[str]) -> Workload:
    """The named workload, or the default of the model's task, with overrides and needs; its context is at most the model's.

    Raises:
        UsageError: unknown workload, one that does not fit the task, an unknown unit, needs that contradict.
    """
    if key is None:
        key = next((row.key for row in catalog.workloads.values() if model.task in row.default_for), None)
        if key is None:
            raise UsageError(f"no default workload for {model.task}; name one with --workload", hints=(f"recommend --workload {next(iter(catalog.workloads))}",))
    if key not in catalog.workloads:
        raise UsageError(f"unknown workload `{key}` (one of {', '.join(catalog.workloads)})", hints=tuple(f"recommend --workload {n}" for n in difflib.get_close_matches(key, catalog.workloads, n=1)))
    base = catalog.workloads[key]
    if model.task not in base.tasks:
        fitting = [row.key for row in catalog.workloads.values() if model.task in row.tasks]
        raise UsageError(f"workload `{key}` does not fit {model.name} ({model.task}); fitting: {', '.join(fitting)}", hints=tuple(f"recommend --workload {name}" for name in fitting[:1]))
    found = replace(base, **{name: value for name, value in overrides.items() if value is not None})
    if found.concurrency > 1 and found.scenario == "single-stream":
        found = replace(found, scenario="server")
    return _with_needs(_with_context(found, model, overrides), needs, model)


def _with_context(workload: Workload, model: ModelSpec, overrides: Mapping[str, Any]) -> Workload:
    """Room for prompt and output; never more than the model allows."""
    if not workload.context:
        return workload
    wanted = workload.prompt_tokens + workload.output_tokens
    context = max(workload.context, wanted) if overrides.get("context") is None else workload.context
    if context < wanted:
        raise UsageError(f"--context {context} is smaller than prompt and output together ({wanted} tokens)", hints=(f"recommend --context {wanted}",))
    if model.context_length and context > model.context_length:
        if overrides.get("context") or wanted > model.context_length:
            raise UsageError(f"{max(context, wanted)} tokens: {model.name} allows at most {model.context_length}", hints=(f"recommend --context {model.context_length}",))
        context = model.context_length
    return replace(workload, context=context)


def can_be_asked(model: ModelSpec, needs: Iterable[str]) -> bool:
    """Whether every need is on a metric that this kind of model has. Raises UsageError for a need that means nothing."""
    return not any(need.metric in _speeds(model)[1] for need in _parsed(needs))


def _speeds(model: ModelSpec) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Speeds that this kind of model has, and those that it has not."""
    return (TOKEN_METRICS, GRAPH_METRICS) if model.is_language_model else (GRAPH_METRICS, TOKEN_METRICS)


def _parsed(needs: Iterable[str]) -> tuple[Constraint, ...]:
    try:
        return tuple(parse_constraint(text) for text in needs)
    except ValueError as error:
        raise UsageError(f"--need {error}", hints=('recommend --need "decode_rate>=20 tok/s"',)) from None


def _with_needs(workload: Workload, needs: Iterable[str], model: ModelSpec) -> Workload:
    parsed = _parsed(needs)
    own, foreign = _speeds(model)
    for need in parsed:
        if need.metric in foreign:
            raise UsageError(
                f"--need `{need.text}`: {need.metric} is no metric of {model.name} ({model.task}); its speeds are {', '.join(own)}",
                hints=('recommend --need "latency<=30 ms"' if "latency" in own else 'recommend --need "decode_rate>=20 tok/s"',),
            )
    if clash := contradiction(parsed):
        raise UsageError(f"--need `{clash[0].text}` and --need `{clash[1].text}` contradict each other")
    return replace(workload, needs=(*workload.needs, *parsed))


def parse_overrides(pairs: Iterable[str], catalog: Catalog) -> dict[str, object]:
    """`--set ATTRIBUTE=VALUE` by the vocabulary's types. Raises UsageError with the nearest attribute."""
    from recommender.domain.quantity import parse_quantity

    attributes = catalog.vocabulary["attribute"]
    found: dict[str, object] = {}
    for pair in pairs:
        name, equals, text = pair.partition("=")
        if not equals:
            raise UsageError(f"--set `{pair}` is not ATTRIBUTE=VALUE", hints=("recommend --set host.os=linux",))
        if name not in attributes:
            near = difflib.get_close_matches(name, attributes, n=2, cutoff=0.4)
            raise UsageError(f"--set: unknown attribute `{name}`" + (f" (near: {', '.join(near)})" if near else ""))
        if flag := _DECIDED.get(name) or _DECIDED.get(name.partition(".")[0]):
            raise UsageError(f"--set {name}: what is decided or asked cannot be set as if it were observed", hints=(f"recommend {flag}",))
        row = attributes[name]
        try:
            found[name] = _typed(text, row, parse_quantity)
        except ValueError as error:
            raise UsageError(f"--set {name}: {error}") from None
    return found


# what --set may not change -> the flag that does
_DECIDED = {
    "candidate": "--framework NAME", "quantization": "--trace full", "estimate": "--no-evidence", "wish": "--help",
    "workload.key": "--workload NAME", "workload.has_companion": "--with MODEL",
}
_WORKLOAD_TYPES: Mapping[str, Callable[[Any], Any]] = {"scenario": str, "context": int, "concurrency": int, "batch": int, "streams": int, "sustained": float}


def workload_overridden(options: Mapping[str, Any], overrides: Mapping[str, object]) -> dict[str, Any]:
    """What-ifs on the workload (`--set workload.batch=8`) beside its own options, so that its numbers follow.

    Raises:
        UsageError: both set the same, or a count below one.
    """
    found = dict(options)
    for name, make in _WORKLOAD_TYPES.items():
        value = overrides.get(f"workload.{name}")
        if value is None:
            continue
        if found.get(name) is not None:
            raise UsageError(f"--{name} and --set workload.{name} both say something", hints=(f"recommend --{name} {found[name]}",))
        found[name] = make(value)
        if make is int and (found[name] < 1 or found[name] != value):
            raise UsageError(f"--set workload.{name}: `{value}` must be a whole number, one or more")
    return found


def _typed(text: str, row: Mapping[str, Any], parse_quantity: Callable[[str, str], float]) -> object:
    if text == "unknown":
        return None
    if row["type"] == "number":
        if row.get("unit") and not _is_number(text):
            return _not_negative(parse_quantity(text, row["unit"]), text)
        if not _is_number(text):
            raise ValueError(f"`{text}` is not a number")
        return _not_negative(float(text), text)
    if row["type"] == "flag":
        if text.lower() not in ("true", "false", "yes", "no"):
            raise ValueError(f"`{text}` is neither true nor false")
        return text.lower() in ("true", "yes")
    if row["type"] == "list":
        return tuple(item for item in text.split(",") if item)
    if "values" in row and text not in row["values"]:
        raise ValueError(f"`{text}` is none of {', '.join(str(value) for value in row['values'])}")
    return text


def _not_negative(value: float, text: str) -> float:
    """Amounts only: counts, sizes and rates are finite and not below zero."""
    if not 0 <= value < float("inf"):
        raise ValueError(f"`{text}` must be a finite number, zero or more")
    return value


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def model_overridden(model: ModelSpec, overrides: Mapping[str, object]) -> ModelSpec:
    """What-ifs on the model itself, so that its numbers follow."""
    fields = {name.removeprefix("model."): value for name, value in overrides.items() if name.startswith("model.")}
    changed = {name: value for name, value in fields.items() if name in ModelSpec.__dataclass_fields__}
    if "n_params" in changed and changed["n_params"]:
        changed["n_params"] = int(changed["n_params"])  # type: ignore[call-overload]
    if "scheme" in fields and model.artifact:
        changed["artifact"] = replace(model.artifact, scheme=str(fields["scheme"]))
    return replace(model, **changed) if changed else model  # type: ignore[arg-type]


def make_request(model: ModelSpec, workload: Workload, wishes: Wishes, beside: tuple[ModelSpec, ...]) -> Request:
    return Request(model=model, workload=workload, wishes=wishes, beside=beside)


def estimators(overlays: tuple[str, ...], anchors: Iterable[str], say: Say, *, is_local: bool) -> Estimators:
    """What `recommend predict` answers rows with.

    Args:
        anchors: tables with measured figures of devices. is_local: also what was imported on this machine.

    Raises:
        UsageError: a table that cannot be read, or that holds no figure.
    """
    from recommender.loader.files import built_in_root
    from recommender.predict.estimators import anchors_of
    from recommender.predict.estimators import estimators as made
    from recommender.predict.spelling import names_of, read_aliases
    from recommender.predict.table import Table

    catalog = load_catalog(overlays)
    names = names_of(catalog, read_aliases(built_in_root() / "aliases"))
    found = []
    for words in anchors:
        told = anchors_of((row.values for row in Table(words).rows() if not row.fault), names)
        if not told:
            raise UsageError(f"--anchors `{words}`: no row has a figure in decode_tok_s, prefill_tok_s or inference_ms that can be read", hints=("recommend predict --help",))
        say(f"{len(told)} anchors from {words}")
        found += told
    if is_local:
        from recommender.predict.imported import imported_rows

        found += anchors_of(imported_rows(names, say), names)
    return made(catalog, names, found)
