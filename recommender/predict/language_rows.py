"""A row about a language model, from any of the tables we read, as a case of the estimator.

Three layouts are understood, and the columns of `knowledge/evidence/language-models.csv`: what a row calls its columns is looked up in order,
what it lacks is unknown. Values repeat a lot in such tables, so each distinct text is read once.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace

from recommender.domain.model import ModelSpec
from recommender.estimate.kv_cache import kv_read_bytes
from recommender.estimate.learned.case import LanguageCase, Silicon
from recommender.estimate.learned.language_terms import partly_offloaded
from recommender.estimate.weights import active_bytes, active_params, weight_bytes
from recommender.predict.cells import first, positive
from recommender.predict.spelling import Names

_KINDS = {"cpu": "cpu", "gpu": "gpu", "igpu": "gpu", "dgpu": "gpu", "npu": "npu"}
_GIB = 2.0**30
_SHORT_PROMPT = 32.0  # tokens, where a table says only that the prompt is short
_ANSWER = 128.0  # tokens, where a table says nothing of the answer's length
_USABLE = 0.92  # of a card's memory; the rest holds cache and buffers
_HOST_BANDWIDTH = 40e9  # bytes/s that the processor of an ordinary desktop draws from two channels
_ACTIVE = re.compile(r"(?:^|[-_ (])[AE](\d+(?:\.\d+)?)([BM])(?![a-z0-9])|(\d+(?:\.\d+)?)([BM]) active", re.IGNORECASE)
_SIZE = re.compile(r"(?:^|[-_: ])(\d+(?:\.\d+)?)([BM])(?![a-z0-9])", re.IGNORECASE)
_TYPICAL_SHARE = 0.15  # of a mixture's parameters that one token uses, where nothing tells it: median of the catalogue's mixtures
_SIZE_RANGE = (0.2, 1.5)  # of what model and scheme give: a file outside is of something else (a name may say F16 where experts are stored in 4 bits)


@dataclass(frozen=True, kw_only=True, slots=True)
class Weights:
    """What a model under a scheme asks for, as `LanguageCase` holds it, and the model for what depends on depth."""

    scheme: str
    bits: float | None
    model: str
    family: str
    n_params: float | None
    n_active_params: float | None
    is_mixture: bool
    weight_bytes: float | None
    active_bytes: float | None
    spec: ModelSpec | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Trial:
    """What was run: tokens of the prompt and the answer, the cache's filling in the middle of decoding, tokens reserved. None: not told."""

    prompt: float | None = None
    output: float | None = None
    depth: float | None = None
    context: float | None = None


def language_case(row: Mapping[str, str], names: Names) -> LanguageCase | str:
    """The case of a row, or the reason why there is none."""
    silicon = _silicon(row, names)
    if isinstance(silicon, str):
        return silicon
    framework, provider = _path(row, names, silicon)
    weights = _weights(row, framework, names)
    if isinstance(weights, str):
        return weights
    if silicon.kind == "gpu" and weights.weight_bytes:
        silicon = _with_host(silicon, weights.weight_bytes, names)
    trial = _trial(row, names)
    depth = trial.depth if trial.depth is not None else _ANSWER / 2
    return LanguageCase(
        silicon=silicon, framework=framework, execution_provider=provider, scheme=weights.scheme, bits_per_weight=weights.bits, model=weights.model,
        family=weights.family, n_params=weights.n_params, n_active_params=weights.n_active_params, is_mixture=weights.is_mixture,
        weight_bytes=weights.weight_bytes, active_bytes=weights.active_bytes, kv_bytes=_kv_bytes(weights.spec, depth, names),
        prompt_tokens=trial.prompt, output_tokens=trial.output, depth=depth, context=trial.context, threads=_threads(row),
    )


def _threads(row: Mapping[str, str]) -> int | None:
    value = positive(row.get("threads"))
    return int(value) if value else None


def _silicon(row: Mapping[str, str], names: Names) -> Silicon | str:
    device, chip = first(row, "silicon", "device", "device_name", "platform"), first(row, "soc_or_cpu_or_gpu", "chipset", "silicon_group")
    unit, vendor = first(row, "compute_unit", "primary_unit", "kind"), row.get("vendor") or ""
    bandwidth, runtime = row.get("memory_bandwidth_gb_s") or "", row.get("runtime") or ""
    asked = ("row-silicon", device, chip, unit, vendor, bandwidth, runtime)
    if asked not in names.memory:
        names.memory[asked] = _read_silicon(device, chip, unit or _implied_unit(row), vendor, positive(bandwidth), names)
    return names.memory[asked]  # type: ignore[no-any-return]


def _implied_unit(row: Mapping[str, str]) -> str:
    """The unit that a table means which does not name it: its columns, or its own words."""
    if row.get("chipset") or row.get("runtime"):
        return "npu"
    return "gpu" if "gpu" in (row.get("platform") or "").lower() else ""


def _read_silicon(device: str, chip: str, unit: str, vendor: str, bandwidth: float | None, names: Names) -> Silicon | str:
    kind = _KINDS.get(unit.strip().lower(), "")
    if not kind:
        return f"compute unit `{unit}` is none of cpu, gpu, npu" if unit else "the row names no compute unit"
    facts = names.device(kind, device, chip)
    stated = bandwidth * 1e9 if bandwidth else None
    if facts:
        found = names.silicon(facts)
        return replace(found, memory_bandwidth=stated) if stated and not found.memory_bandwidth else found
    name = device or chip
    if not name and not stated:
        return "the row names no device and no bandwidth"
    vendor = vendor.lower().replace(" ", "-")
    return Silicon(kind=kind, group=name.lower(), name=name, vendor=vendor, family=names.family(vendor, kind, f"{device} {chip}"), memory_bandwidth=stated)


def _with_host(silicon: Silicon, size: float, names: Names) -> Silicon:
    """The unit, or, for weights that its own memory does not hold, the unit with a processor that takes the other layers."""
    facts = names.devices.get(silicon.key) if silicon.key else None
    capacity = facts.capability.get("memory_capacity") if facts and facts.memory_kind == "dedicated" else None
    if not capacity or not isinstance(capacity.value, (int, float)) or size <= capacity.value * _USABLE:
        return silicon
    return partly_offloaded(silicon, capacity.value * _USABLE / size, _HOST_BANDWIDTH)


def _path(row: Mapping[str, str], names: Names, silicon: Silicon) -> tuple[str, str]:
    framework, backend = first(row, "framework", "runtime"), first(row, "execution_provider", "backend")
    asked = ("row-path", framework, backend, silicon.family, silicon.kind)
    if asked not in names.memory:
        key = names.framework(framework) if framework else ""
        names.memory[asked] = key, names.provider(backend, key, silicon.family, silicon.kind)
    return names.memory[asked]  # type: ignore[no-any-return]


def _weights(row: Mapping[str, str], framework: str, names: Names) -> Weights | str:
    model, scheme = first(row, "model", "base_model", "model_name"), first(row, "quant", "scheme", "precision")
    params, size, notes = row.get("params_b") or "", row.get("file_size_gib") or "", row.get("active_b") or row.get("notes") or ""
    asked = ("row-weights", model, scheme, params, size, notes, framework)
    if asked not in names.memory:
        names.memory[asked] = _read_weights(model, names.scheme(scheme, framework) if scheme else ("", None), positive(params), positive(size), notes, names)
    return names.memory[asked]  # type: ignore[no-any-return]


def _read_weights(name: str, stored_as: tuple[str, float | None], billions: float | None, gib: float | None, notes: str, names: Names) -> Weights | str:
    scheme, bits = stored_as
    size = gib * _GIB if gib else None
    spec = names.model(name) if name else None
    if spec and spec.n_params:
        return _of_catalog(spec, scheme, bits, size, names)
    params = billions * 1e9 if billions else _params_in(name)
    if not params and not size:
        return f"model `{name}` is not known, and the row gives neither parameters nor a file size"
    stored = size or (params * bits / 8 if params and bits else None)
    params = params or (size * 8 / bits if size and bits else None)
    active = names.active_params(name) or _active_in(name) or _active_in(notes) or (_TYPICAL_SHARE * params if params and "MoE" in notes else None)
    n_active = active if active and params and active < params else params
    share = n_active / params if n_active and params else _TYPICAL_SHARE if "MoE" in notes else 1.0
    return Weights(
        scheme=scheme, bits=bits or (stored * 8 / params if stored and params else None), model=name, family="", n_params=params,
        n_active_params=n_active, is_mixture=share < 1.0, weight_bytes=stored, active_bytes=stored * share if stored else None, spec=None,
    )


def _of_catalog(spec: ModelSpec, scheme: str, bits: float | None, size: float | None, names: Names) -> Weights:
    known = names.catalog_schemes.get(scheme)
    n_params = float(spec.n_params or 0)
    stated = _active_in(spec.key)
    n_active = min(active_params(spec) or n_params, stated or n_params)
    stored = weight_bytes(spec, known) if known else n_params * bits / 8 if bits else None
    read = active_bytes(spec, known) if known and n_active != stated else None
    if size and stored and not _SIZE_RANGE[0] <= size / stored <= _SIZE_RANGE[1]:
        size = None
    if read is None and (size or stored):
        read = (size or stored or 0.0) * n_active / n_params
    elif read and stored and size:
        read *= size / stored
    return Weights(
        scheme=scheme, bits=bits or (size * 8 / n_params if size else None), model=spec.key, family=spec.family, n_params=n_params, n_active_params=n_active,
        is_mixture=bool(spec.n_experts), weight_bytes=size or stored, active_bytes=read, spec=spec,
    )


def _params_in(name: str) -> float | None:
    """Parameters that a model's name states: `...-8B-...`, `...-350M...`."""
    found = [float(size) * (1e9 if unit in "bB" else 1e6) for size, unit in _SIZE.findall(name)]
    return found[0] if found else None


def _active_in(name: str) -> float | None:
    """Active or effective parameters that a name states: `...-30B-A3B`, `...-E4B`."""
    found = _ACTIVE.search(name)
    if not found:
        return None
    size, unit = found[1] or found[3], found[2] or found[4]
    return float(size) * (1e9 if unit in "bB" else 1e6)


def _kv_bytes(spec: ModelSpec | None, depth: float, names: Names) -> float | None:
    """Bytes of the cache that one token of depth adds to what is read, on average up to `depth`."""
    if spec is None or depth <= 0:
        return None
    asked = ("row-kv", spec.key, str(depth))
    if asked not in names.memory:
        names.memory[asked] = kv_read_bytes(spec, depth) / depth
    return names.memory[asked]  # type: ignore[no-any-return]


def _trial(row: Mapping[str, str], names: Names) -> Trial:
    prompt, output, depth, context = (row.get(name) or "" for name in ("prompt_tokens", "output_tokens", "depth", "context"))
    text, tokens, reserved = row.get("context_or_test") or "", row.get("input_tokens") or "", row.get("context_length") or ""
    asked = ("row-trial", prompt, output, depth, context, text, tokens, reserved)
    if asked not in names.memory:
        told = Trial(prompt=positive(prompt), output=positive(output), depth=positive(depth), context=positive(context))
        names.memory[asked] = told if any((prompt, output, depth, context)) else read_trial(text or (f"input {tokens}" if tokens else f"ctx{reserved}" if reserved else ""))
    return names.memory[asked]  # type: ignore[no-any-return]


_TOKENS = r"(\d+(?:\.\d+)?k?)"
_BENCH_PROMPT = re.compile(rf"\bpp{_TOKENS}")
_BENCH_ANSWER = re.compile(rf"\btg{_TOKENS}")
_BENCH_DEPTH = re.compile(rf"@\s?d{_TOKENS}|\bdepth {_TOKENS}|@\s?ctx{_TOKENS}")
_RESERVED = re.compile(rf"\bctx(?: sized)? ?{_TOKENS}|\bcontext {_TOKENS}|{_TOKENS} context")
_PROMPT = re.compile(rf"\b(?:prompt|input|prefill|seq|input_len) ?~?{_TOKENS}|\b{_TOKENS} in\b|\b{_TOKENS}-token prompt")
_ANSWERED = re.compile(rf"\b(?:gen|generate|decode) ?{_TOKENS}|~?{_TOKENS} tokens out|/ {_TOKENS} out|{_TOKENS} (?:generated|decoded)")


def read_trial(text: str) -> Trial:
    """What a table's own words say was run: `pp512,tg128`, `pp2048@d4096`, `input 1024`, `prompt 512, gen 128`, `decode @ctx16k`, ..."""
    text = text.lower()
    filled = _found(_BENCH_DEPTH, text)
    reserved = _found(_RESERVED, text)
    prompt, output = _found(_BENCH_PROMPT, text), _found(_BENCH_ANSWER, text)
    if prompt or output:  # of these tools the answer does not follow the prompt: it starts at the stated depth
        depth = (filled or 0.0) + (output or _ANSWER) / 2
        return Trial(prompt=prompt, output=output, depth=depth, context=reserved)
    prompt, output = _found(_PROMPT, text), _found(_ANSWERED, text)
    if not prompt and "short" in text:
        prompt = _SHORT_PROMPT
    start = filled if filled is not None else prompt or 0.0
    return Trial(prompt=prompt or None, output=output or None, depth=start + (output or _ANSWER) / 2, context=reserved)


def _found(pattern: re.Pattern[str], text: str) -> float | None:
    match = pattern.search(text)
    if not match:
        return None
    digits = next(group for group in match.groups() if group)
    return float(digits.rstrip("k")) * (1024 if digits.endswith("k") else 1)
