"""PURE: what quantization costs in quality, as `benchmarks/fit/quality.py` learned it from published tables; no device is involved.

Language models: the logarithm of the loss falls with the effective bits per weight (uniform rounding error falls by two powers of two a bit), with offsets for
the kind of scheme, its method, the size and the family of the model, each shrunk toward none. Other models: effects of precision, tool chain, kind of network
and task. A model that was measured under the very scheme speaks for itself (step `exact`).
"""

from __future__ import annotations

import re
from collections.abc import Container, Mapping
from dataclasses import dataclass
from functools import lru_cache
from math import exp, log
from typing import Any

from recommender.estimate.learned.case import Predicted

LANGUAGE_TASKS = ("text-generation", "image-text-to-text")
_PRECISIONS = {
    "int8-static": "w8a8", "int8": "w8a8", "int8-static-a16": "w8a16", "int8-dynamic": "w8a8-dynamic", "float": "fp16", "F16": "fp16", "BF16": "fp16", "fp32": "F32", "int8-weights": "w8",
    "w8a8_mixed_int16": "w8a8-mixed", "w8a8_mixed_fp16": "w8a8-mixed", "w8a16_mixed_int16": "w8a16-mixed", "w8a16_mixed_fp16": "w8a16-mixed",
}  # fmt: skip
_LOSSLESS = ("F32", "fp32")
_WHOLE = re.compile(r"[^a-z0-9.]+")
_VARIANT = re.compile(r"-(instruct|chat|it|hf|base|2407|2507|4k|seg|pose|det|cls|quantized|int8|qat)(?=-|$)")


@dataclass(frozen=True, kw_only=True, slots=True)
class QualityCase:
    """A model under a scheme. Everything but the scheme (or the precision) may be unknown: None or empty.

    Attributes:
        scheme: our spelling. bits_per_weight: effective. scope: float, weight-only, weights-and-activations. activation_bits: of the products, 16 where
            activations are left alone. precision: of networks, as evidence tells them apart; empty: that of the scheme.
        metric: perplexity or accuracy for language models (empty: perplexity, in which all schemes can be compared). method: AWQ, GPTQ, RTN, imatrix, QAT, ...
    """

    scheme: str = ""
    bits_per_weight: float | None = None
    scope: str = ""
    activation_bits: float | None = None
    family: str = ""
    n_params: float | None = None
    task: str = ""
    structure: str = ""
    framework: str = ""
    precision: str = ""
    model: str = ""
    metric: str = ""
    method: str = ""

    @property
    def is_language(self) -> bool:
        """Whether it is read as a language model."""
        return self.task in LANGUAGE_TASKS


def predict(case: QualityCase, learned: Mapping[str, Any]) -> Predicted | str:
    """The expected loss as a fraction (0.01 = 1 %) with its interval, or why it cannot be told. `parts` names the metric and the data set.

    Losses below zero (a better score than the original's) count as none, as in the tables it was fitted to.
    """
    if case.scheme in _LOSSLESS or case.precision in _LOSSLESS:
        return Predicted(central=0.0, low=0.0, high=0.0, step="exact", parts={"metric": "any", "dataset": "the precision models are released in"})
    side = "language" if case.is_language else "graph"
    located = _locate(case, side, learned)
    if isinstance(located, str):
        return located
    centre, step, key = located
    part = learned[side]
    low, high = interval(part["intervals"], key)
    shift = part["shift"][metric_kind(case)]
    metric, dataset = part["metrics"][metric_kind(case)]
    return Predicted(
        central=max(0.0, exp(centre) - shift), low=max(0.0, exp(centre + low) - shift), high=max(0.0, exp(centre + high) - shift), step=step,
        sources=tuple(part["sources"]), parts={"metric": metric, "dataset": dataset, "class": key},
    )


def is_safe(case: QualityCase, learned: Mapping[str, Any], limit: float = 0.02) -> float | None:
    """The probability that the loss is at most `limit` (a fraction), from held-out errors of the same class; None: cannot be told."""
    if case.scheme in _LOSSLESS or case.precision in _LOSSLESS:
        return 1.0
    side = "language" if case.is_language else "graph"
    located = _locate(case, side, learned)
    if isinstance(located, str):
        return None
    centre, _step, key = located
    part = learned[side]
    errors = part["errors"].get(coarser(key)) or part["errors"]["*"]
    room = log(limit + part["shift"][metric_kind(case)]) - centre
    below = sum(float(error) <= room for error in errors)
    return (below + 0.5) / (len(errors) + 1)


def _locate(case: QualityCase, side: str, learned: Mapping[str, Any]) -> tuple[float, str, str] | str:
    """log(loss + shift), the step, and the key of its interval."""
    part = learned[side]
    kind = metric_kind(case)
    base = base_name(case.model)
    for name in measured_names(case, base):
        if name in part["measured"]:
            key = "exact" if name.count("|") > 1 else "other"
            known = log(max(part["measured"][name], 0.0) + part["shift"][kind])
            return known, "exact", key if key in part["intervals"] else interval_key(case, part["published"], part["covered"])
    values = features(case, learned)
    if isinstance(values, str):
        return values
    weights = part["coefficients"]
    centre = sum(weights[name] * value for name, value in values.items() if name in weights)
    centre += part["models"].get(base, 0.0)
    key = interval_key(case, part["published"], part["covered"])
    return min(max(centre, log(part["shift"][kind])), part["ceiling"]), key.rpartition("|")[2], key


def interval_key(case: QualityCase, published: Container[str], covered: Container[str]) -> str:
    """Class, tool chain of networks, and step: `class` where the scheme was published under this metric and its class for enough models, else `analytic`."""
    label = class_of(case)
    if published_name(case) not in published or label not in covered:
        return f"{label}|analytic"
    return f"{label}|class" if case.is_language else f"{label} {case.framework}|class"


def published_name(case: QualityCase) -> str:
    """A scheme and the metric it was published under; a loss of accuracy says little of the perplexity under the same scheme."""
    return f"{metric_kind(case)} {case.scheme if case.is_language else precision_of(case)}"


def coarser(key: str) -> str:
    """The key without the tool chain."""
    label, _, step = key.rpartition("|")
    return f"{label.split()[0]}|{step}" if step == "class" and not label.endswith(("perplexity", "accuracy")) else key


def interval(table: Mapping[str, Any], key: str) -> tuple[float, float]:
    """Both ends by class and step, else by class, else pooled."""
    low, high = table.get(key) or table.get(coarser(key)) or table["*"]
    return low, high


def class_of(case: QualityCase) -> str:
    """The class whose errors are pooled: kind of scheme and metric for language models, precision for others."""
    if case.is_language:
        return f"{kind_of(case.scheme).split('-')[0]} {metric_kind(case)}"
    return precision_of(case)


def metric_kind(case: QualityCase) -> str:
    """perplexity or accuracy for language models, task for others."""
    return ("accuracy" if case.metric and case.metric != "perplexity" else "perplexity") if case.is_language else "task"


def precision_of(case: QualityCase) -> str:
    """One name for the same arithmetic."""
    name = case.precision or case.scheme
    return _PRECISIONS.get(name, name)


def measured_names(case: QualityCase, base: str) -> tuple[str, ...]:
    """Under which names a measurement of the very model may be kept, the closest first."""
    if not base:
        return ()
    if case.is_language:
        return (f"{base}|{case.scheme}|{metric_kind(case)}",)
    precision = precision_of(case)
    return (f"{base}|{precision}|{case.framework}", f"{base}|{precision}")


def features(case: QualityCase, learned: Mapping[str, Any]) -> dict[str, float] | str:
    """Named features of a case; the fit and the estimator read this very function."""
    return _language_features(case, learned) if case.is_language else _graph_features(case, learned["traits"])


def _language_features(case: QualityCase, learned: Mapping[str, Any]) -> dict[str, float] | str:
    bits = learned["bits"].get(case.scheme) or case.bits_per_weight or bits_of(case.scheme)
    if bits is None:
        return f"no bits per weight are known of {case.scheme or 'an unnamed scheme'}"
    depth = min(bits, 16.0) - 4.5
    kind = kind_of(case.scheme)
    size = log(min(max(case.n_params or 8e9, 2e8), 2e11) / 8e9)
    found = {
        "one": 1.0, "bits": depth, "bits below 3.2": max(0.0, 3.2 - bits), "bits above 6": max(0.0, bits - 6.0), "size": size, "size x bits": size * depth,
        f"kind:{kind}": 1.0, f"scheme:{case.scheme}": 1.0, f"family:{case.family or family_of(case.model)}": 1.0, f"generation:{generation_of(case.model)}": 1.0,
    }  # fmt: skip
    if metric_kind(case) == "accuracy":
        found |= {"accuracy": 1.0, "accuracy x bits": depth, "accuracy x bits below 3.2": max(0.0, 3.2 - bits)}
    activation = case.activation_bits
    if activation is not None and activation <= 8 and not kind.startswith("gguf"):
        found["activations 4 bit" if activation <= 4 else "activations 8 bit"] = 1.0
    if "kv4" in case.scheme:
        found["cache 4 bit"] = 1.0
    if case.method and not (kind == "gguf-i" and case.method == "imatrix"):  # those types are never made without one
        found[f"method:{case.method.lower()}"] = 1.0
        found[f"method x low:{case.method.lower()}"] = max(0.0, 4.0 - bits)
    return found


def _graph_features(case: QualityCase, traits: Mapping[str, str]) -> dict[str, float] | str:
    precision = precision_of(case)
    if not precision:
        return "no precision is named"
    trait = trait_of(case.model, case.structure, tuple(traits.items()))
    family = case.family or family_of(case.model)
    found = {
        "one": 1.0, f"precision:{precision}": 1.0, f"framework:{case.framework}": 1.0, f"framework x precision:{case.framework} {precision}": 1.0, f"trait:{trait}": 1.0,
        f"trait x precision:{trait} {precision}": 1.0, f"task:{case.task}": 1.0, f"task x precision:{case.task} {precision}": 1.0, f"family:{family}": 1.0,
        f"family x precision:{family} {precision}": 1.0,
    }  # fmt: skip
    if case.n_params:
        size = log(min(max(case.n_params, 1e5), 1e9) / 1e7)
        found |= {"size": size, f"size x precision:{precision}": size}
    if case.method == "QAT":
        found["method:qat"] = 1.0
    return found


@lru_cache(maxsize=4096)
def kind_of(scheme: str) -> str:
    """What schemes of one build share: gguf-legacy, gguf-k, gguf-i, weights-group (MLX among them), weights-channel, float, activations, codebook."""
    if re.match(r"I?Q\d|TQ\d", scheme):
        return "gguf-i" if scheme[0] == "I" else "gguf-k" if "_K" in scheme else "gguf-legacy"
    if "-weights" in scheme or "-mlx-" in scheme:
        return "weights-channel" if scheme.endswith(("channel", "tensor", "int8-weights")) else "weights-group"
    if re.match(r"w\d+a\d|int8-(dynamic|static)", scheme):
        return "activations"
    if re.match(r"(fp|FP|MX|NV|NF|F|BF)\d*", scheme) and not scheme.startswith("codebook"):
        return "float"
    return "codebook"


@lru_cache(maxsize=4096)
def bits_of(scheme: str) -> float | None:
    """Effective bits as the spelling tells them: int4-weights-g128 = 4 + (16 + 4)/128; GGUF types beyond the catalogue: their digit and half a bit."""
    if found := re.match(r"int(\d)-weights-g(\d+)", scheme):
        width, group = int(found[1]), int(found[2])
        return width + (16 + width) / group
    if found := re.match(r"int(\d)-mlx-g(\d+)", scheme):
        return int(found[1]) + 32 / int(found[2])
    if found := re.match(r"(?:I?Q|TQ)(\d)", scheme):
        return int(found[1]) + 0.5
    found = re.match(r"(?:int|w|fp|exl2-|palette-|codebook-)(\d+(?:\.\d+)?)", scheme, re.IGNORECASE)
    return float(found[1]) if found else None


@lru_cache(maxsize=8192)
def base_name(model: str) -> str:
    """What the variants of one network share: lower case, no tuning suffix, retrained minor versions together."""
    text = _VARIANT.sub("", _VARIANT.sub("", _WHOLE.sub("-", model.lower()).strip("-")))
    return re.sub(r"^llama-3\.1-", "llama-3-", text)


@lru_cache(maxsize=8192)
def family_of(model: str) -> str:
    """The first word of a name without its number: llama, qwen, resnet, yolo."""
    found = re.match(r"[a-z]+", base_name(model).removeprefix("meta-"))
    return found[0].removesuffix("v") if found else ""


@lru_cache(maxsize=8192)
def generation_of(model: str) -> str:
    """Family and major version: llama-3, qwen-2."""
    found = re.match(r"([a-z]+)-?v?(\d{1,2})(?![\db])", base_name(model))
    return f"{found[1]}-{found[2]}" if found else family_of(model)


@lru_cache(maxsize=8192)
def trait_of(model: str, structure: str, traits: tuple[tuple[str, str], ...]) -> str:
    """What makes a network sensitive to rounding: the first pattern its name matches, else its structure."""
    name = base_name(model)
    return next((trait for trait, pattern in traits if re.search(pattern, name)), structure or "unknown")
