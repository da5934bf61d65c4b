"""One published figure of a model that runs once per input, and how repeats of it become one row of `knowledge/evidence/`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from statistics import median

# precision as published (lower case, up to the first bracket) -> scheme of the catalogue; what is not here has none
SCHEMES = {
    "fp32": "F32", "float32": "F32", "float": "F32", "f32": "F32", "fp16": "fp16", "float16": "fp16", "f16": "fp16", "bf16": "BF16",
    "int8": "int8-static", "uint8": "int8-static",
}  # fmt: skip


@dataclass(frozen=True, kw_only=True, slots=True)
class Figure:
    """A figure in the base unit of its metric (s, 1/s, bytes, J), with what its table says of it.

    Attributes:
        device_name, model_name: as published. unit: as published (CPU, iGPU, NPU, ...); kind: cpu, gpu, npu, accelerator, or empty.
        order: what sorts releases, the newest last. gmacs: 10^9 multiply-accumulates. activations_m: 10^6 elements. params_m: 10^6.
        threads: of the processor, or the word the table uses. is_plain: taken as a decision asks for it (one input, whole unit, unaltered model).
        silicon, device_group, model, base_model: catalogue keys and groups, filled in by `resolved`.
    """

    metric: str
    value: float
    source: str
    device_name: str
    model_name: str
    framework: str
    unit: str = ""
    kind: str = ""
    execution_provider: str = ""
    precision: str = ""
    scheme: str = ""
    version: str = ""
    order: tuple[int, ...] = ()
    date: str = ""
    conditions: str = ""
    task: str = ""
    params_m: str = ""
    gmacs: str = ""
    activations_m: str = ""
    input: str = ""
    batch: str = ""
    threads: str = ""
    low: float | None = None
    high: float | None = None
    is_plain: bool = True
    n: int = 1
    silicon: str = ""
    device_group: str = ""
    model: str = ""
    base_model: str = ""

    @property
    def key(self) -> tuple[str, ...]:
        """What must be equal for two figures to be repeats of one another."""
        return (
            self.metric, self.silicon or self.device_group, self.unit, self.framework, self.execution_provider, self.base_model, self.precision, self.input,
            self.batch, self.threads, self.conditions,
        )  # fmt: skip


def scheme_of(precision: str) -> str:
    """Catalogue scheme of a published precision, or an empty text."""
    return SCHEMES.get(precision.lower().partition("(")[0].strip(), "")


def merged(figures: Iterable[Figure]) -> Iterator[Figure]:
    """One figure a key: of the newest release that has it the median. Equal values of one release are one measurement that is shown twice."""
    groups: dict[tuple[str, ...], list[Figure]] = {}
    for figure in figures:
        groups.setdefault(figure.key, []).append(figure)
    for group in groups.values():
        newest = max(figure.order for figure in group)
        kept = list({figure.value: figure for figure in group if figure.order == newest}.values())
        yield replace(kept[0], value=median(figure.value for figure in kept), n=len(kept), is_plain=all(figure.is_plain for figure in kept))
