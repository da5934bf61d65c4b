"""Small invented devices, models and catalogues, for tests of the pure ring."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

from recommender.domain.candidate import Candidate
from recommender.domain.catalog import Catalog, Efficiency, MemoryBudget, Preparer, QualityDrop, RankingKey
from recommender.domain.estimate import Estimate
from recommender.domain.facts import DeviceFacts, FrameworkFacts, SupportStatement
from recommender.domain.fingerprint import Cores, Device, Fingerprint, HostMemory
from recommender.domain.model import ModelSpec
from recommender.domain.quantity import Sourced
from recommender.domain.quantization import QuantScheme
from recommender.domain.rule import DecisionTable, Rule
from recommender.domain.target import Target
from recommender.domain.workload import METRICS, Workload, parse_constraint

GIB = 2**30


def device(id: str = "cpu0", **values: Any) -> Device:
    return Device(**{"id": id, "kind": id.rstrip("0123456789"), "vendor": "acme", **values})


def facts(kind: str = "cpu", **values: Any) -> DeviceFacts:
    """Facts of a device with 50 GB/s and 1 TOPS at fp32."""
    return DeviceFacts(**{
        "key": f"acme.one.{kind}", "kind": kind, "vendor": "acme", "name": f"Acme One {kind}", "family": f"acme-{kind}",
        "cores": Cores(physical=4), "memory_kind": "unified",
        "capability": {"memory_bandwidth": Sourced(value=50e9, source="s"), "peak_ops.fp32": Sourced(value=1e12, source="s")},
        **values,
    })


def fingerprint(*devices: Device, **values: Any) -> Fingerprint:
    return Fingerprint(**{
        "os": {"name": "linux"}, "architecture": "x86_64", "machine": {"class": "desktop"}, "devices": devices or (device(),),
        "memory": HostMemory(total=16 * GIB), "frameworks": (), "power": {}, "limits": {}, "microbenchmark": {}, "outcomes": (),
        "digest": "d1", **values,
    })


def target(*devices: Device, matched: dict[str, DeviceFacts] | None = None, kind: str = "recording", **values: Any) -> Target:
    """A target whose devices are all matched to invented facts of their kind unless `matched` says otherwise."""
    seen = fingerprint(*devices, **values)
    known = {row.id: facts(row.kind) for row in seen.devices} if matched is None else matched
    return Target(kind=kind, name="box", fingerprint=seen, matched=known)


def model(**values: Any) -> ModelSpec:
    """A language model of 1.1 billion parameters with shared heads."""
    return ModelSpec(**{
        "key": "tiny-1b", "name": "Tiny 1B", "task": "text-generation", "structure": "transformer", "architecture": "llama",
        "family": "tiny", "n_params": 1_100_048_384, "n_layers": 22, "hidden_size": 2048, "n_heads": 32, "n_kv_heads": 4,
        "ffn_size": 5632, "vocab_size": 32000, "context_length": 8192, "tied_embeddings": False, "repository": "acme/tiny-1b", **values,
    })


def network(**values: Any) -> ModelSpec:
    """A convolutional network."""
    return ModelSpec(**{
        "key": "net", "name": "Net", "task": "image-classification", "structure": "cnn", "modality": "vision", "n_params": 4_000_000,
        "macs": 3e8, "activations": 6e6, "n_operators": 100, **values,
    })


def workload(**values: Any) -> Workload:
    texts = {name: tuple(parse_constraint(text) for text in values.pop(name, ())) for name in ("floor", "comfort", "needs")}
    return Workload(**{
        "key": "chat", "name": "Chat", "tasks": ("text-generation",), "default_for": ("text-generation",), "prompt_tokens": 512,
        "output_tokens": 256, "context": 2048, "objective": "decode_rate", **texts, **values,
    })


def vision_workload(**values: Any) -> Workload:
    return workload(**{
        "key": "vision", "tasks": ("image-classification",), "prompt_tokens": 0, "output_tokens": 0, "context": 0, "objective": "latency", **values,
    })


def scheme(key: str = "W4", bits: float = 4.5, **values: Any) -> QuantScheme:
    return QuantScheme(**{
        "key": key, "name": key, "formats": ("gguf",), "scope": "weight-only", "weight_bits": float(int(bits)), "bits_per_weight": bits, **values,
    })


def statement(framework: str = "alpha", schemes: tuple[str, ...] = ("W4", "W8"), **values: Any) -> SupportStatement:
    return SupportStatement(**{
        "id": f"SUP-{framework}", "framework": framework, "execution_provider": "cpu", "format": "gguf", "schemes": schemes,
        "when": {"device.kind": "cpu"}, **values,
    })


def framework(key: str = "alpha", *support: SupportStatement, **values: Any) -> FrameworkFacts:
    return FrameworkFacts(**{"key": key, "name": key.title(), "has_executor": True, "support": support or (statement(key),), **values})


def rule(id: str, when: dict[str, Any], then: dict[str, Any] | None = None, **values: Any) -> Rule:
    return Rule(**{"id": id, "when": when, "then": then or {"note": id}, "because": f"because of {id}", "sources": ("s",), **values})


def table(*rules: Rule, scope: str = "candidate", id: str = "table") -> DecisionTable:
    return DecisionTable(id=id, question="?", hit_policy="collect", scope=scope, rules=rules)


RANKING = (
    RankingKey(id="RNK010", label="needs", measure="needs"),
    RankingKey(id="RNK020", label="comfort", measure="comfort"),
    RankingKey(id="RNK030", label="quality gate", measure="quality_gate", band=0.05),
    RankingKey(id="RNK040", label="maturity", measure="maturity"),
    RankingKey(id="RNK045", label="objective as measured", measure="measured_objective", band=0.02),
    RankingKey(id="RNK050", label="objective in doublings", measure="objective", band=1.0),
    RankingKey(id="RNK060", label="framework", measure="framework_place"),
    RankingKey(id="RNK070", label="scheme", measure="scheme_place"),
    RankingKey(id="RNK080", label="objective", measure="objective", band=0.1),
)
MEMORY_RULE = rule("ELG001", {"estimate.memory_ratio": {"above": 1.0}}, {"verdict": "ineligible"})
FLOOR_RULE = rule("ELG002", {"estimate.floor": "not-met", "wish.allow_below_floor": False}, {"verdict": "ineligible"})
WANTED_RULE = rule("ELG003", {"candidate.is_wanted": False}, {"verdict": "ineligible"})


def efficiency(phase: str, resource: str, share: float = 0.5) -> Efficiency:
    return Efficiency(id=f"{phase}-{resource}", phase=phase, resource=resource, when={}, low=share * 0.8, central=share, high=share * 1.2)


def quality(key: str, loss: float) -> QualityDrop:
    return QualityDrop(
        id=f"q-{key}", scheme=key, when={}, low=loss / 2, central=loss, high=loss * 2, metric="m", dataset="d",
        basis="measured-elsewhere", sources=("s",),
    )


def catalog(**values: Any) -> Catalog:
    """One framework, two schemes and everything that a decision reads; any field may be replaced."""
    empty: dict[str, Any] = {field.name: {} if "Mapping" in str(field.type) else () for field in fields(Catalog)}
    kept = {
        **empty, "version": "2026.01", "layers": ("invented",),
        "schemes": {row.key: row for row in (scheme("W4", 4.5), scheme("W8", 8.5))},
        "frameworks": {"alpha": framework("alpha")},
        "tables": {"eligibility": table(MEMORY_RULE, FLOOR_RULE, WANTED_RULE, id="eligibility")},
        "efficiencies": tuple(efficiency(p, r) for p in ("prefill", "decode", "inference") for r in ("compute", "memory-bandwidth")),
        "budgets": (MemoryBudget(id="BUD", when={}, share=0.8, reserve=GIB, because="", sources=()),),
        "quality": (quality("W4", 0.01), quality("W8", 0.001)),
        "preparers": {key: Preparer(key=key, action=action, where=where, has_own=False, command=f"{key} {{source}} {{out}}") for key, action, where in (
            ("maker", "convert", "here"), ("squeezer", "quantize", "any-x86-linux"), ("cloudy", "compile", "cloud"))},
        "ranking": RANKING,
    }
    return Catalog(**{**kept, **values})


def estimate(metric: str, central: float | None, *, spread: float = 0.1, basis: str = "analytic", **values: Any) -> Estimate:
    if central is None:
        return Estimate(metric=metric, unit=METRICS[metric][0], why="not known", **values)
    return Estimate(
        metric=metric, unit=METRICS[metric][0], central=central, low=central * (1 - spread), high=central * (1 + spread), basis=basis, **values,
    )


def candidate(framework: str = "alpha", scheme: str = "W4", **values: Any) -> Candidate:
    return Candidate(**{
        "id": f"{framework}/cpu/{scheme}", "framework": framework, "execution_provider": "cpu", "device": "cpu0", "device_kind": "cpu",
        "format": "gguf", "scheme": scheme, "statement": f"SUP-{framework}", **values,
    })


def with_frameworks(*rows: FrameworkFacts, **values: Any) -> Catalog:
    return replace(catalog(**values), frameworks={row.key: row for row in rows})
