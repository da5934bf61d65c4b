"""What a fitted estimator reads of one case, and what it says. Everything but the kind of unit may be unknown (None, or an empty text).

One case is made from a decision's candidate or from a row of a table: the estimators do not know which.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

STEPS = ("exact", "microarchitecture", "class", "analytic")  # how near the silicon of the evidence is; intervals widen from left to right


@dataclass(frozen=True, kw_only=True, slots=True)
class Silicon:
    """One compute unit as facts or columns describe it.

    Attributes:
        key: of the catalogue; empty: the catalogue does not have it. group: devices that are the same silicon share it (default: the key).
        kind: cpu, gpu, npu, accelerator. family, generation: as in `DeviceFacts`.
        memory_bandwidth: bytes/s, peak. peak_ops: precision -> ops/s, dense. cores: that do the work. clock: Hz.
    """

    kind: str
    key: str = ""
    group: str = ""
    name: str = ""
    vendor: str = ""
    family: str = ""
    generation: str = ""
    machine_class: str = ""  # phone, laptop, sbc, ...
    memory_bandwidth: float | None = None
    peak_ops: Mapping[str, float] = field(default_factory=dict)
    cores: int | None = None
    clock: float | None = None
    features: frozenset[str] = frozenset()


@dataclass(frozen=True, kw_only=True, slots=True)
class LanguageCase:
    """A language model on a unit.

    Attributes:
        weight_bytes: of all weights as stored; active_bytes: read for one token. kv_bytes: of the cache for one token of depth.
        prompt_tokens, depth: of the prefill, and how full the cache is in the middle of decoding [tokens].
        context: tokens reserved. threads: of the processor.
    """

    silicon: Silicon
    framework: str = ""
    execution_provider: str = ""
    scheme: str = ""
    bits_per_weight: float | None = None
    model: str = ""  # catalogue key, or the spelling of the table
    family: str = ""
    n_params: float | None = None
    n_active_params: float | None = None
    is_mixture: bool = False
    weight_bytes: float | None = None
    active_bytes: float | None = None
    kv_bytes: float | None = None
    prompt_tokens: float | None = None
    output_tokens: float | None = None
    depth: float | None = None
    context: float | None = None
    threads: int | None = None
    batch: int = 1


@dataclass(frozen=True, kw_only=True, slots=True)
class GraphCase:
    """A model that runs once per input, or one of the networks it consists of, on a unit.

    Attributes:
        path: what runs it, as finely as evidence tells it apart (`litert`, `qnn-dlc`, `qnn-context`, `onnxruntime-qnn`, `openvino`, `ncnn`).
        precision: float, fp16, fp32, w8a8, w8a16, w4a16 or a mixture of those, as in the evidence's class.
        input_size: elements of the input as the text of the table gives them (height x width). n_operators: nodes, or layers where a profiler counts them.
        float_bytes, weight_bytes: of the unquantized model and of this precision.
    """

    silicon: Silicon
    path: str = ""
    framework: str = ""
    execution_provider: str = ""
    scheme: str = ""
    precision: str = ""
    model: str = ""
    base_model: str = ""  # the same network under another name or precision shares it
    component: str = ""
    task: str = ""
    domain: str = ""
    structure: str = ""
    n_params: float | None = None
    macs: float | None = None
    activations: float | None = None
    input_size: float | None = None
    n_operators: float | None = None
    float_bytes: float | None = None
    weight_bytes: float | None = None
    batch: int = 1
    threads: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Predicted:
    """One metric in its base unit (s, tok/s, bytes, fraction), with the interval of the stated coverage and how it came about.

    `step` is one of STEPS. `parts`: what it is made of, for the trace (efficiency, device factor, probability and cost of a fallback, ...).
    """

    central: float
    low: float
    high: float
    step: str
    sources: tuple[str, ...] = ()
    parts: Mapping[str, Any] = field(default_factory=dict)
