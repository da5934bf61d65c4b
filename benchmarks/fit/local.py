"""What a weight costs llama.cpp's kernels, and the shares of the microbenchmark that it reaches: -> knowledge/calibration/local.json

    python -m benchmarks.fit.local

Two sources. Machines that were measured with their microbenchmark (knowledge/calibration/local-measured.json, a list of what `benchmarks.local --json`
writes): one x86 machine so far. Published rates of one model in many levels over thread counts (language-models.csv): there the bandwidth of each
thread count is fitted beside the costs, and the matrix rate of a thread is its clock times the vector units' operations. Kernels only become faster, so
of several builds the lower cost counts, and a machine measured here wins over published ones; levels it lacks keep their published relation to those
it has.
"""

from __future__ import annotations

import csv
import json
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import exp, hypot, log
from pathlib import Path
from statistics import fmean, median
from typing import Any

import numpy as np
from scipy.optimize import least_squares

from benchmarks.fit.conformal import interval_table
from recommender.compose import load_catalog
from recommender.domain.catalog import Catalog
from recommender.estimate.learned import local
from recommender.estimate.learned.case import LanguageCase, Predicted, Silicon
from recommender.estimate.weights import active_params

KNOWLEDGE = Path(__file__).parents[2] / "knowledge"
PARTS = ("decode", "prefill")
# The first whose instructions a processor has: whose costs, the most fp32 operations a cycle of one core, and how near that is.
KERNELS: tuple[Mapping[str, Any], ...] = (
    {"needs": ["avx2", "avx512_vnni"], "costs": "x86-cpu", "operations_per_cycle": 64.0, "step": "class"},
    {"needs": ["avx2", "avx_vnni"], "costs": "x86-cpu", "operations_per_cycle": 32.0, "step": "class"},
    {"needs": ["avx2"], "costs": "x86-cpu", "operations_per_cycle": 32.0, "step": "analytic"},
    {"needs": ["asimddp"], "costs": "apple-cpu", "operations_per_cycle": 32.0, "step": "class"},
)
_FAMILIES = ("x86-cpu", "apple-cpu")
_PUBLISHED_PER_CYCLE = 0.9 * 32  # what a matrix product reaches of them on the published machines (two 256-bit or four 128-bit units)
_FALLBACKS = {"Q2_K": "IQ4_NL", "Q3_K": "IQ4_NL", "Q4_K": "Q5_0", "Q5_K": "Q5_1", "Q6_K": "Q8_0"}  # llama-quant.cpp, rows not divisible by 256
_FEWEST = 6  # levels of one published set: fewer do not tell the bandwidth from the costs
_CALL = 0.0002  # s a token beside both, from a model of 11 M parameters (overhead row OVH-CAL03)
_READ_OVER_COPY = 1.1  # of the measured machine; recordings before reading was timed have copying only
_USUAL, _PULL = 3.0, 0.05  # the usual cost, and how strongly one that no figure tells stays near what is expected of it (residuals of logs)
_WIDEN = 2.0  # intervals of kernels that were not timed themselves


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """One cell of a measured machine."""

    case: LanguageCase
    truth: Mapping[str, float]
    microbenchmark: Mapping[str, float]
    device: str
    model: str
    class_: str = "language/local"

    @property
    def group(self) -> str:
        """What is left out."""
        return self.device


@dataclass(frozen=True, kw_only=True, slots=True)
class Published:
    """One published rate. set: figures of one silicon, model and build. weights: multiplied per token; moved: bytes read."""

    set: str
    family: str
    kind: str
    threads: float
    rate: float
    weights: float
    moved: float
    thread_rate: float


def rows(path: Path = KNOWLEDGE / "calibration" / "local-measured.json") -> list[Row]:
    """Cells of the machines that were measured here; the best round of each, for what disturbs only slows."""
    bits = {key: scheme.bits_per_weight for key, scheme in load_catalog().schemes.items()}
    found = []
    for number, document in enumerate(json.loads(path.read_text("utf-8")), 1):
        machine = document["machine"]
        silicon = Silicon(kind="cpu", family="x86-cpu", features=frozenset(machine["features"]), cores=machine["cores"], clock=machine["clock"])
        for cell in document["cells"]:
            case = LanguageCase(
                silicon=silicon, framework="llama-cpp", execution_provider="cpu", scheme=cell["level"], bits_per_weight=bits[cell["level"]],
                n_params=cell["n_params"], weight_bytes=cell["weight_bytes"], active_bytes=cell["weight_bytes"], kv_bytes=cell["kv_bytes"],
                prompt_tokens=cell["prompt"], depth=cell["depth"], threads=cell["threads"],
            )
            truth = {metric: max(cell[metric]["rounds"]) for metric in ("decode_rate", "prefill_rate")}
            found.append(Row(case=case, truth=truth, microbenchmark=machine["microbenchmark"], device=f"measured here {number}", model=cell["shape"]))
    return found


def fit(rows: Sequence[Row]) -> dict[str, Any]:
    """The JSON that ships. Its interval: decoding of measured machines predicted from published costs alone, and published decoding from the measured
    machines' costs. Prompts take the same: no second machine has published them with the present kernels.
    """
    published = {part: list(_published(load_catalog(), metric)) for part, metric in zip(PARTS, ("decode_rate", "prefill_rate"), strict=True)}
    theirs = {family: {"decode": _costs(family, published["decode"]), "prefill": _shares(family, published["prefill"])} for family in _FAMILIES}
    share, ours = _own(rows, theirs["x86-cpu"]["decode"])
    merged = {**theirs, "x86-cpu": {part: _filled(ours[part], theirs["x86-cpu"][part]) for part in PARTS}} if rows else theirs
    learned = _document(round(share, 3), {family: {part: _rounded(costs[part]) for part in PARTS} for family, costs in merged.items()})
    errors = _errors(rows, _document(share, theirs)) + _transferred(published["decode"], ours["decode"])
    ends = interval_table([error for _, error in errors], ["decode"] * len(errors), [group for group, _ in errors])["*"]
    learned["interval"] = {"class": [round(end, 3) for end in ends], "analytic": [round(_WIDEN * end, 3) for end in ends]}
    return learned


def _document(share: float, costs: Mapping[str, Mapping[str, Mapping[str, float]]]) -> dict[str, Any]:
    """`interval` is filled in later."""
    return {
        "framework": "llama-cpp", "kernels": KERNELS, "costs": costs, "fallbacks": _FALLBACKS, "read_share": share, "read_over_copy": _READ_OVER_COPY,
        "call_seconds": _CALL, "interval": {"class": [0.0, 0.0], "analytic": [0.0, 0.0]},
        "sources": ["ev-measured-zen5", "ev-ikawrakow-ik_llama.cpp"],
    }


def _rounded(costs: Mapping[str, float]) -> dict[str, float]:
    return {kind: float(f"{value:.3g}") for kind, value in costs.items()}


def _own(rows: Sequence[Row], prior: Mapping[str, float]) -> tuple[float, dict[str, dict[str, float]]]:
    """The share of the read bandwidth, and by kind the cost of a weight and the share of a prompt, of the machines measured here; costs that these tell
    badly, as that of a float beside its reading, stay near the published ones.
    """
    kinds = sorted({local.kind_of(row.case, {"fallbacks": _FALLBACKS}) for row in rows})
    if not kinds:
        return 0.9, {part: {} for part in PARTS}

    def errors(values: np.ndarray) -> list[float]:
        learned = _document(values[0], {"x86-cpu": {"decode": dict(zip(kinds, values[1:], strict=True)), "prefill": dict.fromkeys(kinds, 1.0)}})
        told = [log(row.truth["decode_rate"] / _central(row, "decode_rate", learned)) for row in rows]
        return told + [_PULL * log(value / prior.get(kind, _USUAL)) for kind, value in zip(kinds, values[1:], strict=True)]

    solved = least_squares(errors, [0.9, *[_USUAL] * len(kinds)], bounds=(0.05, np.inf), loss="soft_l1", f_scale=0.1).x
    ones = _document(1.0, {"x86-cpu": dict.fromkeys(PARTS, dict.fromkeys(kinds, 1.0))})
    shares = defaultdict(list)
    for row in rows:
        shares[local.kind_of(row.case, ones)].append(row.truth["prefill_rate"] / _central(row, "prefill_rate", ones))
    return float(solved[0]), {
        "decode": dict(zip(kinds, map(float, solved[1:]), strict=True)),
        "prefill": {kind: median(values) for kind, values in shares.items()},
    }


def _central(row: Row, metric: str, learned: Mapping[str, Any]) -> float:
    found = local.predict(row.case, row.microbenchmark, learned)[metric]
    assert isinstance(found, Predicted), found
    return found.central


def _published(catalog: Catalog, metric: str) -> Iterator[Published]:
    """Figures whose silicon, model, file and number of threads are known, of sets with enough levels."""
    found = defaultdict(list)
    with open(KNOWLEDGE / "evidence" / "language-models.csv", newline="", encoding="utf-8") as stream:
        for row in csv.DictReader(stream):
            device, model, scheme = catalog.devices.get(row.get("silicon", "")), catalog.models.get(row.get("base_model", "")), catalog.schemes.get(row["scheme"])
            if row["metric"] != metric or row["framework"] != "llama-cpp" or not (device and model and scheme and row["threads"] and row["file_size_gib"]):
                continue
            if device.kind != "cpu" or device.family not in _FAMILIES or "clock" not in device.capability or model.n_active_params:
                continue
            weights = active_params(model)
            assert weights and model.n_params and device.capability["clock"].value
            name = f"{device.key} {model.key} {row['version']}"
            found[name].append(Published(
                set=name, family=device.family, kind=local.kind_of(LanguageCase(silicon=Silicon(kind="cpu"), scheme=scheme.key), {"fallbacks": {}}),
                threads=float(row["threads"]), rate=float(row["value"]), weights=weights,
                moved=float(row["file_size_gib"]) * 2**30 * weights / model.n_params, thread_rate=device.capability["clock"].value * _PUBLISHED_PER_CYCLE,
            ))
    return (figure for figures in found.values() if len({figure.kind for figure in figures}) >= _FEWEST for figure in figures)


def _costs(family: str, figures: Sequence[Published]) -> dict[str, float]:
    """fp32 operations that a weight of each kind costs when decoding; the lowest of the sets."""
    found: dict[str, float] = {}
    for name in sorted({figure.set for figure in figures if figure.family == family}):
        for kind, value in _solved([figure for figure in figures if figure.set == name]).items():
            found[kind] = min(value, found.get(kind, value))
    return found


def _solved(figures: Sequence[Published]) -> dict[str, float]:
    """Costs of one set, beside the bandwidth that each number of threads reaches."""
    threads, kinds = sorted({figure.threads for figure in figures}), sorted({figure.kind for figure in figures})

    def errors(values: np.ndarray) -> list[float]:
        bandwidth, cost = dict(zip(threads, values, strict=False)), dict(zip(kinds, values[len(threads) :], strict=True))
        told = [log(figure.rate * _seconds(figure, 1e9 * bandwidth[figure.threads], cost[figure.kind])) for figure in figures]
        return told + [_PULL * log(value / _USUAL) for value in values[len(threads) :]]

    start = [60.0] * len(threads) + [_USUAL] * len(kinds)
    solved = least_squares(errors, start, bounds=(0.05, np.inf), loss="soft_l1", f_scale=0.1).x
    return dict(zip(kinds, map(float, solved[len(threads) :]), strict=True))


def _seconds(figure: Published, bandwidth: float, cost: float) -> float:
    return hypot(figure.moved / bandwidth, figure.weights * cost / (figure.threads * figure.thread_rate))


def _shares(family: str, figures: Sequence[Published]) -> dict[str, float]:
    """Operations per second of a prompt over the matrix rate, by kind; the highest of the sets."""
    found: dict[str, float] = {}
    for figure in figures:
        if figure.family == family:
            share = 2 * figure.weights * figure.rate / (figure.threads * figure.thread_rate)
            found[figure.kind] = max(share, found.get(figure.kind, share))
    return found


def _filled(ours: Mapping[str, float], theirs: Mapping[str, float]) -> dict[str, float]:
    """Ours, and theirs times the mean ratio over the kinds that both have."""
    logs = [log(ours[kind] / theirs[kind]) for kind in ours if theirs.get(kind) and ours[kind] > 0.5]
    ratio = exp(fmean(logs)) if logs else 1.0
    return {**{kind: ratio * value for kind, value in theirs.items()}, **ours}


def _errors(rows: Sequence[Row], learned: Mapping[str, Any]) -> list[tuple[str, float]]:
    """(group, log of measured over predicted seconds) of decoding."""
    return [(row.group, log(_central(row, "decode_rate", learned) / row.truth["decode_rate"])) for row in rows]


def _transferred(figures: Sequence[Published], ours: Mapping[str, float]) -> list[tuple[str, float]]:
    """The same of published x86 rates of the kinds that were measured here, by our costs and the bandwidth at which the set's floats decode."""
    floats = ("F16", "BF16")
    full = {(figure.set, figure.threads): figure.moved * figure.rate for figure in figures if figure.kind in floats}
    return [
        (figure.set.split()[0], -log(figure.rate * _seconds(figure, full[figure.set, figure.threads], ours[figure.kind])))
        for figure in figures
        if figure.family == "x86-cpu" and (figure.set, figure.threads) in full and figure.kind in ours and figure.kind not in floats
    ]


def main() -> None:
    """Write the coefficients."""
    text = json.dumps(fit(rows()), indent=1, sort_keys=True)
    (KNOWLEDGE / "calibration" / "local.json").write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
