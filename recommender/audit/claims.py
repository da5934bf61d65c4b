"""PURE: claims x figures -> confirmed, refuted or untested, with the numbers behind it.

| a claim of | is held against |
|---|---|
| speed (a ratio) | pairs in evidence: same source, device, model, framework, execution provider and test, the scheme against the baseline |
| peak memory (a ratio) | pairs likewise |
| peak memory (bytes, of a model of a size) | figures of models of that size, within a fifth of its parameters |
| file size (a ratio), download (bytes) | bytes of the weights by block arithmetic, for every language model of the catalogue |
| quality | published losses of the schemes, a pair of float and quantized figure each |

Where no unit runs 32 bit, 16 bit stands in for it as the baseline (`against` says how often). Every device weighs the same, for sizes and quality every model.
`confirmed`: the median lies within the claim and at least half of the cases do. `refuted`: not so. `untested`: no figure claimed, or fewer than three devices or
three models. A claim of one figure ("about") holds within 15 %, ends of a range within the tie band of 2 %. "Up to N times" (an upper end alone, of what is better
large) is confirmed when one case in ten reaches it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from recommender.domain.catalog import Catalog, Claim
from recommender.domain.evidence import Evidence
from recommender.domain.workload import METRICS
from recommender.estimate.weights import weight_bytes

CONFIRMED, REFUTED, UNTESTED = "confirmed", "refuted", "untested"
MIN_DEVICES, MIN_MODELS = 3, 3
ABOUT, TIE, REACHED = 0.15, 0.02, 0.9
_SIZE = 0.2  # relative difference of parameters that counts as the same size
_FLOATS = ("F32", "fp32", "F16", "fp16", "BF16")
_STANDING_IN = {"F32": ("F32", "F16", "fp16", "BF16"), "F16": ("F16", "BF16", "fp16"), "fp16": ("fp16", "F16", "BF16")}
_SPEED = {"throughput": ("throughput", "latency", "decode_rate"), "decode_rate": ("decode_rate",), "prefill_rate": ("prefill_rate",), "latency": ("latency",)}


@dataclass(frozen=True, kw_only=True, slots=True)
class Loss:
    """A published loss of quality: a fraction of the task metric, or for perplexity its relative rise."""

    model: str
    scheme: str
    framework: str
    drop: float
    source: str
    structure: str = ""
    task: str = ""
    metric: str = ""
    device: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Case:
    """One figure to hold against a claim; `group` is what weighs the same."""

    value: float
    device: str
    model: str
    group: str
    source: str
    against: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """What cases say. Quantiles weigh every group the same. `share`: of the cases within the claim, likewise weighted."""

    n: int
    devices: int
    models: int
    median: float | None = None
    low: float | None = None  # 10 %
    high: float | None = None  # 90 %
    share: float | None = None
    verdict: str = UNTESTED
    why: str = ""
    basis: str = ""
    against: Mapping[str, int] = field(default_factory=dict)
    sources: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Checked:
    """A claim with what was published of it, and what this machine measured (None: nothing)."""

    claim: Claim
    published: Finding
    here: Finding | None = None


def check(claims: Iterable[Claim], evidence: Sequence[Evidence], losses: Sequence[Loss], here: Sequence[Evidence], catalog: Catalog) -> list[Checked]:
    """Every claim in order. `here`: figures of this machine, which are never mixed with what others published."""
    found = []
    for claim in claims:
        published, basis = _cases(claim, evidence, losses, catalog)
        own, _ = _cases(claim, here, (), catalog) if claim.metric not in ("file_size", "download_size") else ([], "")
        found.append(Checked(claim=claim, published=_judge(claim, published, basis), here=_judge(claim, own, "measured-here") if own else None))
    return found


def _cases(claim: Claim, evidence: Sequence[Evidence], losses: Sequence[Loss], catalog: Catalog) -> tuple[list[Case], str]:
    """The cases of a claim and their basis; none for a claim without a metric."""
    if claim.metric == "quality_drop":
        return _losses(claim, losses), "measured-elsewhere"
    if claim.metric in ("file_size", "download_size"):
        return _sizes(claim, catalog), "analytic"
    if claim.metric and claim.unit == "ratio":
        return _pairs(claim, evidence, catalog), "measured-elsewhere"
    if claim.metric == "peak_memory":
        return _memory(claim, evidence, catalog), "measured-elsewhere"
    return [], ""


def _names(claim: Claim, subject: str) -> tuple[str, ...]:
    value = claim.about.get(subject, ())
    return (value,) if isinstance(value, str) else tuple(value)


def _of_path(claim: Claim, framework: str, scheme: str) -> bool:
    """Whether a claim speaks of this framework and this scheme; one that names no scheme speaks of all that quantize."""
    frameworks, schemes = _names(claim, "framework"), _names(claim, "scheme")
    return framework in (frameworks or (framework,)) and (scheme in schemes if schemes else scheme not in _FLOATS)


def _losses(claim: Claim, losses: Sequence[Loss]) -> list[Case]:
    return [
        Case(value=row.drop, device=row.device, model=row.model, group=row.model, source=row.source) for row in losses if _of_path(claim, row.framework, row.scheme)
    ]


def _sizes(claim: Claim, catalog: Catalog) -> list[Case]:
    """Bytes of the weights of each language model under the claim's scheme, over those of the baseline where it is a ratio; a download is at least that."""
    schemes = [catalog.schemes[name] for name in _names(claim, "scheme") if name in catalog.schemes]
    against = catalog.schemes.get(str(claim.about.get("against", "")))
    cases = []
    for model in catalog.models.values():
        for scheme in schemes if model.is_language_model else ():
            size, whole = weight_bytes(model, scheme), weight_bytes(model, against) if against else 1.0
            if size and whole:
                cases.append(Case(value=size / whole, device="", model=model.key, group=model.key, source="block arithmetic", against=against.key if against else ""))
    return cases


def _memory(claim: Claim, evidence: Sequence[Evidence], catalog: Catalog) -> list[Case]:
    size = float(claim.about.get("n_params", 0.0))
    return [
        _case(row, row.value) for row in evidence
        if row.metric == claim.metric and _of_path(claim, row.framework, row.scheme) and _is_of_size(row.model, size, catalog)
    ]


def _is_of_size(model: str, size: float, catalog: Catalog) -> bool:
    spec = catalog.models.get(model)
    return not size or (spec is not None and bool(spec.n_params) and abs(float(spec.n_params or 0) / size - 1) <= _SIZE)


def _pairs(claim: Claim, evidence: Sequence[Evidence], catalog: Catalog) -> list[Case]:
    """Ratio of each quantized figure to the best baseline of its own test; times are turned round, so that larger is faster."""
    metrics = _SPEED.get(claim.metric, (claim.metric,))
    baselines = _STANDING_IN.get(str(claim.about.get("against", "")), (str(claim.about.get("against", "")),))
    kinds = _names(claim, "device_kind")
    tests: dict[tuple[str, ...], dict[str, list[Evidence]]] = {}
    for row in evidence:
        device = catalog.devices.get(row.device)
        if row.metric in metrics and row.value > 0 and row.model and row.device and (not kinds or device is not None and device.kind in kinds):
            test = (row.metric, row.digest or row.source, row.device, row.model, row.framework, row.execution_provider, row.version, row.conditions, str(row.workload))
            tests.setdefault(test, {}).setdefault(row.scheme, []).append(row)
    cases = []
    for schemes in tests.values():
        against = next((name for name in baselines if name in schemes), None)
        if against is None:
            continue
        whole = _middle([row.value for row in schemes[against]])
        for scheme, rows in schemes.items():
            if _of_path(claim, rows[0].framework, scheme) and scheme != against:
                ratio = _middle([row.value for row in rows]) / whole
                is_time = METRICS[rows[0].metric][1] == "down" and claim.metric in _SPEED
                cases.append(_case(rows[0], 1 / ratio if is_time else ratio, against))
    return cases


def _case(row: Evidence, value: float, against: str = "") -> Case:
    return Case(value=value, device=row.device, model=row.model, group=row.device, source=row.source, against=against)


def _middle(values: Sequence[float]) -> float:
    ordered = sorted(values)
    return ordered[len(ordered) // 2] if len(ordered) % 2 else (ordered[len(ordered) // 2 - 1] + ordered[len(ordered) // 2]) / 2


def _judge(claim: Claim, cases: Sequence[Case], basis: str) -> Finding:
    """Numbers and verdict. Sizes and losses need models only; this machine is one device, so its models alone count."""
    devices, models = len({case.device for case in cases} - {""}), len({case.model for case in cases})
    if not cases:
        why = "no figure of this was published" if claim.metric else "states nothing that a measurement could show"
        return Finding(n=0, devices=0, models=0, why=why)
    within = _within(claim)
    weights = _weights(cases)
    share = sum(weight for case, weight in zip(cases, weights, strict=True) if within(case.value))
    found = Finding(
        n=len(cases), devices=devices, models=models, median=_quantile(cases, weights, 0.5), low=_quantile(cases, weights, 0.1), high=_quantile(cases, weights, 0.9),
        share=share, basis=basis, against=dict(sorted(Counter(case.against for case in cases if case.against).items())), sources=tuple(sorted({case.source for case in cases})),
    )
    if models < MIN_MODELS or (devices < MIN_DEVICES and basis == "measured-elsewhere" and claim.metric != "quality_drop"):
        return replace(found, why=f"too few: {devices} devices, {models} models")
    assert found.median is not None and found.high is not None
    if _is_up_to(claim):
        is_reached = found.high >= float(claim.high or 0.0) * (1 - TIE)
        return replace(found, verdict=CONFIRMED if is_reached else REFUTED, why=f"one case in ten reaches {found.high:.3g}{_caveat(claim)}")
    is_typical = within(found.median) and share >= 0.5
    return replace(found, verdict=CONFIRMED if is_typical else REFUTED, why=f"{share:.0%} of the cases lie within the claim{_caveat(claim)}")


def _caveat(claim: Claim) -> str:
    return "; figures of the framework, whatever prepared the model" if claim.about.get("preparer") else ""


def _is_up_to(claim: Claim) -> bool:
    return claim.low is None and claim.high is not None and METRICS[claim.metric][1] == "up"


def _within(claim: Claim) -> Callable[[float], bool]:
    """Whether a value is what the claim says. Losses are better small: less than claimed keeps more than claimed, which does not refute it."""
    low, high = claim.low, claim.high
    slack = ABOUT if low is not None and low == high else TIE
    is_loss = METRICS[claim.metric][1] == "down" and claim.metric == "quality_drop"

    def within(value: float) -> bool:
        above = low is None or is_loss or value >= low * (1 - slack)
        return above and (high is None or _is_up_to(claim) or value <= high * (1 + slack))

    return within


def _weights(cases: Sequence[Case]) -> list[float]:
    """Every group the same, summing to one."""
    counts = Counter(case.group for case in cases)
    return [1 / counts[case.group] / len(counts) for case in cases]


def _quantile(cases: Sequence[Case], weights: Sequence[float], share: float) -> float:
    """The smallest value below which at least this share of the weight lies."""
    total = 0.0
    ordered = sorted(zip((case.value for case in cases), weights, strict=True))
    for value, weight in ordered:
        total += weight
        if total >= share - 1e-9:
            return value
    return ordered[-1][0]
