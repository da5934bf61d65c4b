"""What rules can read: the namespaces host, device, model, workload, quantization, candidate, estimate, wish."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from recommender.decide.tables import Attributes, evaluate
from recommender.domain.candidate import Candidate
from recommender.domain.catalog import Catalog, MemoryBudget
from recommender.domain.facts import DeviceFacts, FrameworkFacts
from recommender.domain.fingerprint import QUIET_SHARE, Device
from recommender.domain.model import ModelSpec
from recommender.domain.quantization import QuantScheme
from recommender.domain.recommendation import Wishes
from recommender.domain.target import Target
from recommender.domain.workload import Workload

INT8_DOT = ("avx512_vnni", "avx_vnni", "amx_int8", "asimddp", "i8mm")  # vocabulary: device.has_int8_dot


def _told(value: Any, origin: str) -> tuple[Any, str]:
    return (value, origin) if value not in (None, "") else (None, "unknown")


def host_attributes(target: Target) -> dict[str, tuple[Any, str]]:
    """host.* of the target, before budgets."""
    fp, machine = target.fingerprint, target.machine
    origin = "fact" if target.kind == "catalogue" else "probed"
    total = fp.memory.total
    if fp.memory.limit and (total is None or fp.memory.limit < total):
        total = fp.memory.limit
    return {
        "host.os": _told(fp.os.get("name"), origin),
        "host.os_version": _told(fp.os.get("version"), origin),
        "host.architecture": _told(fp.architecture, origin),
        "host.machine_class": _told(fp.machine.get("class") or (machine.class_ if machine else None), origin),
        "host.machine_model": _told(fp.machine.get("model"), origin),
        "host.machine_vendor": _told(fp.machine.get("vendor"), origin),
        "host.container": _told(fp.machine.get("container"), origin),
        "host.virtualization": _told(fp.machine.get("virtualization"), origin),
        "host.memory_total": _told(total, origin),
        "host.power_source": _told(fp.power.get("source"), origin),
        "host.cpu_quota": _told(fp.limits.get("cpu_quota"), origin),
        "host.has_microbenchmark": (bool(fp.microbenchmark.get("memory_bandwidth")), "probed"),
    }


def _is_quiet(device: Device, target: Target) -> bool | None:
    """Whether the microbenchmark had the processor for itself; what it did not measure is taken as it is described."""
    share = target.fingerprint.microbenchmark.get("processor_share", 1.0)
    return True if device.kind != "cpu" or share >= QUIET_SHARE else None


def device_attributes(device: Device, facts: DeviceFacts | None, target: Target, host: Attributes) -> dict[str, tuple[Any, str]]:
    """device.* with host.*; what was observed wins over what is known of its kind."""
    probed = "fact" if target.kind == "catalogue" else "probed"
    features = device.features or (facts.features if facts else ())
    kind = device.memory_kind or (facts.memory_kind if facts else None) or ("unified" if device.kind == "cpu" else None)
    known = facts.attributes if facts else {}
    bandwidth, bandwidth_origin = bandwidth_of(device, facts, target)
    capability = device.identifiers.get("compute_capability") or known.get("compute_capability")
    return {
        **host,
        "device.key": _told(facts.key if facts and not facts.generic else None, "fact"),
        "device.kind": (device.kind, probed),
        "device.is_quiet": _told(_is_quiet(device, target), "probed"),
        "device.vendor": _told(device.vendor or (facts.vendor if facts else None), probed),
        "device.family": _told(facts.family if facts else None, "fact"),
        "device.generation": _told(facts.generation if facts else None, "fact"),
        "device.soc": _told(device.identifiers.get("soc") or (facts.soc if facts else None), probed),
        "device.features": (features, probed) if features else (None, "unknown"),
        "device.has_int8_dot": _has_int8_dot(features),
        "device.precisions": _told(facts.precisions if facts and facts.precisions else None, "fact"),
        "device.compute_capability": _told(_number(capability), probed),
        "device.hexagon_arch": _told(known.get("hexagon_arch"), "fact"),
        "device.gfx": _told(device.identifiers.get("gfx") or known.get("gfx"), probed),
        "device.memory_kind": _told(kind, probed),
        "device.memory_total": _told(own_memory(device, facts, kind, host), probed),
        "device.memory_bandwidth": _told(bandwidth, bandwidth_origin),
        "device.driver": _told(device.driver, probed),
        "device.driver_version": _told(device.driver_version, probed),
        "device.cores_usable": _told(cores_usable(device, facts, target), "estimated"),
    }


def _has_int8_dot(features: Iterable[str]) -> tuple[bool | None, str]:
    return (any(f in features for f in INT8_DOT), "estimated") if features else (None, "unknown")


def _number(text: Any) -> float | None:
    try:
        return float(text) if text else None
    except ValueError:  # a document that was edited by hand
        return None


def own_memory(device: Device, facts: DeviceFacts | None, kind: str | None, host: Attributes) -> float | None:
    """Bytes of the pool the device works from: its own when dedicated, the host's when shared; of another kind only what it says itself."""
    if kind is None:
        return device.memory_total
    if kind == "dedicated":
        fact = facts.capability.get("memory_capacity") if facts else None
        return device.memory_total or (fact.value if fact else None)
    total: float | None = host["host.memory_total"][0]
    return total


def bandwidth_of(device: Device, facts: DeviceFacts | None, target: Target) -> tuple[float | None, str]:
    """Bytes per second and where from: measured here for the processor, else the data sheet."""
    measured = target.fingerprint.microbenchmark.get("memory_bandwidth")
    if device.kind == "cpu" and measured:
        return measured, "measured"
    fact = facts.capability.get("memory_bandwidth") if facts else None
    if fact and fact.value:
        return fact.value, "fact"
    if device.kind != "cpu" and (device.memory_kind or (facts.memory_kind if facts else None)) in ("unified", "shared"):
        for other in target.fingerprint.devices:  # one pool: the bandwidth of the processor it shares it with
            if other.kind == "cpu":
                return bandwidth_of(other, target.matched.get(other.id), target)
    return None, "unknown"


def cores_usable(device: Device, facts: DeviceFacts | None, target: Target) -> int | None:
    """Performance cores where kinds are told apart, else physical, else logical; not more than the container may use."""
    cores = device.cores or (facts.cores if facts else None)
    if cores is None:
        return None
    count = cores.performance or cores.physical or cores.logical
    limits = [target.fingerprint.limits.get("cpu_quota"), target.fingerprint.limits.get("cpuset_cpus")]
    for limit in limits:
        if limit and count:
            count = max(1, min(count, int(limit)))
    return count


def usable_memory(attributes: Attributes, budgets: tuple[MemoryBudget, ...]) -> tuple[float | None, MemoryBudget | None]:
    """Bytes one app may take of the device's memory, by the first budget row that holds."""
    total = attributes["device.memory_total"][0]
    if total is None:
        return None, None
    for budget in budgets:
        if evaluate(budget.when, attributes):
            bounds = [total * budget.share, total - budget.reserve, budget.cap if budget.cap is not None else total]
            return max(0.0, min(bounds)), budget
    return None, None


def open_budgets(attributes: Attributes, budgets: tuple[MemoryBudget, ...]) -> list[str]:
    """Attributes that are not known and whose budget row stands before the one that counts: knowing them could change it."""
    found: list[str] = []
    for budget in budgets:
        outcome = evaluate(budget.when, attributes)
        if outcome:
            return found
        if outcome is None:
            found += [name for name in budget.when if attributes.get(name, (None, ""))[0] is None]
    return found


def model_attributes(model: ModelSpec) -> dict[str, tuple[Any, str]]:
    artifact = model.artifact
    origin = "probed" if artifact else "fact"
    return {
        "model.key": (model.key, origin),
        "model.task": _told(model.task, origin),
        "model.structure": _told(model.structure, origin),
        "model.family": _told(model.family, origin),
        "model.architecture": _told(model.architecture, origin),
        "model.modality": _told(model.modality, origin),
        "model.n_params": _told(model.n_params, origin),
        "model.is_mixture_of_experts": (bool(model.n_experts), origin),
        "model.is_quantized": _told(artifact.is_quantized if artifact else False, origin),
        "model.format": (artifact.format if artifact else "safetensors", origin if artifact else "assumed"),
        "model.scheme": _told(artifact.scheme if artifact else None, origin),
        "model.operators": _told(model.operators or None, origin),
        "model.dynamic_shapes": _dynamic_shapes(model),
        "model.context_length": _told(model.context_length, origin),
        "model.gated": (model.gated, origin) if model.gated is not None else (None, "unknown"),
        "model.license": _told(model.license, origin),
        "model.has_source_weights": _told(artifact.is_quantized is False if artifact and artifact.is_quantized is not None else (None if artifact else True), origin),
        "model.has_known_source": _told(_has_known_source(model), origin),
    }


def _has_known_source(model: ModelSpec) -> bool | None:
    """None for a file of which is not told whether it is quantized, and that names no repository."""
    if model.artifact is None or model.repository:
        return True
    return None if model.artifact.is_quantized is None else not model.artifact.is_quantized


def _dynamic_shapes(model: ModelSpec) -> tuple[bool | None, str]:
    """What the file's header says; what is not a file yet is exported with fixed shapes."""
    if model.artifact is None or model.artifact.format == "safetensors":
        return bool(model.dynamic_shapes), "assumed"
    return (model.dynamic_shapes, "probed") if model.dynamic_shapes is not None else (None, "unknown")


def workload_attributes(workload: Workload, has_companion: bool) -> dict[str, tuple[Any, str]]:
    names = ("key", "scenario", "context", "concurrency", "batch", "streams", "sustained")
    found = {f"workload.{name}": (getattr(workload, name), "declared") for name in names}
    return {**found, "workload.has_companion": (has_companion, "declared")}


def wish_attributes(wishes: Wishes, host: Attributes) -> dict[str, tuple[Any, str]]:
    is_mobile = wishes.is_mobile or host["host.machine_class"][0] in ("phone", "tablet")
    return {
        "wish.way_of_working": (wishes.way_of_working, "declared"),
        "wish.is_mobile": (is_mobile, "declared"),
        "wish.is_cross_platform": (wishes.is_cross_platform, "declared"),
        "wish.is_offline": (wishes.is_offline, "declared"),
        "wish.allow_below_floor": (wishes.allow_below_floor, "declared"),
    }


def scheme_attributes(scheme: QuantScheme) -> dict[str, tuple[Any, str]]:
    names = ("key", "scope", "weight_bits", "activation_bits", "bits_per_weight", "group_size", "integer_compute", "method", "needs_calibration")
    found = {f"quantization.{name}": (getattr(scheme, name), "fact") for name in names}
    return {**found, "quantization.class": (scheme.class_, "fact")}


def framework_attributes(framework: FrameworkFacts, target: Target) -> dict[str, tuple[Any, str]]:
    installed = {row.framework: row.version for row in target.fingerprint.frameworks}
    is_here = framework.key in installed
    return {
        "framework.key": (framework.key, "fact"),
        "framework.version": _told(installed.get(framework.key), "probed"),
        "framework.is_installed": (is_here, "probed") if target.kind != "catalogue" else (None, "unknown"),
        "framework.has_executor": (framework.has_executor, "fact"),
    }


def candidate_attributes(candidate: Candidate, wishes: Wishes, catalog: Catalog) -> dict[str, tuple[Any, str]]:
    names = ("framework", "execution_provider", "format", "scheme", "status", "portability", "is_as_is")
    is_wanted = candidate.framework not in wishes.excluded_frameworks and (not wishes.frameworks or candidate.framework in wishes.frameworks)
    needs_cloud = any(catalog.preparers[key].where == "cloud" for key in candidate.preparers)
    return {
        **{f"candidate.{name}": (getattr(candidate, name), "fact") for name in names},
        "candidate.is_wanted": (is_wanted, "declared"),
        "candidate.needs_cloud": (needs_cloud, "fact"),
    }


def follow_ups(overrides: Mapping[str, object]) -> dict[str, tuple[Any, str]]:
    """What is derived from a what-if and would contradict it otherwise."""
    if "device.features" not in overrides:
        return {}
    features: Any = overrides["device.features"]
    return {"device.has_int8_dot": _has_int8_dot(features or ())}


def overridden(attributes: Attributes, overrides: Mapping[str, object]) -> dict[str, tuple[Any, str]]:
    """The user's what-ifs (`--set ATTRIBUTE=VALUE`) on top, marked as declared."""
    return {**attributes, **{name: (value, "declared") for name, value in overrides.items()}}
