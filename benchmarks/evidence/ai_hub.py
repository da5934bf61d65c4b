"""Qualcomm AI Hub's published jobs -> knowledge/evidence/ai-hub*.csv: python -m benchmarks.evidence.ai_hub FOLDER [OUT]

FOLDER holds `aihub_perf.csv` (the newest release, one snapshot) and `aihub_perf_history.csv.gz` (what earlier releases showed). One row comes out per device,
part of a model, runtime and precision. `ai-hub.csv` is the snapshot; `ai-hub-earlier.csv` holds, each from the last release that shows it, the chips and the
models that the snapshot no longer has. A row that a decision may use names `device` and `model` by their catalogue keys; all others leave both empty and serve
the fits. What is published again and again tells how far a figure moves by itself, and how often a job fails: `ai-hub-repeats.json`.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pandas as pd

from recommender.compose import load_catalog
from recommender.predict.graph_rows import input_size
from recommender.predict.spelling import Names, names_of, read_aliases

KNOWLEDGE = Path(__file__).parents[2] / "knowledge"
SOURCE = "ev-aihub"
LOADED = ("metric", "value", "model", "framework", "scheme", "source", "device", "digest", "execution_provider", "version", "conditions", "date", "low", "high")
COLUMNS = (
    *LOADED, "model_name", "base_model", "component", "n_params_m", "params_scope", "input", "task", "domain", "precision", "component_precision", "runtime",
    "model_size_mb", "float_size_mb", "primary_unit", "layers_npu", "layers_gpu", "layers_cpu", "peak_mem_mb_low", "peak_mem_mb_high", "device_name", "chipset",
    "silicon_group", "os", "form_factor", "silicon", "n",
)  # fmt: skip
FRAMEWORKS = {"tflite": "litert", "onnx": "onnxruntime", "precompiled_qnn_onnx": "onnxruntime", "qnn_dlc": "qnn", "qnn_context_binary": "qnn"}
_PROVIDERS = {"NPU": "qnn-htp", "GPU": "opencl", "CPU": "cpu"}
_INTEGER = {"litert": "int8-static"}  # what a framework's own scheme of 8 bits is called in the catalogue
_EARLIER = {"precision": {"fp16": "float", "int8": "w8a8", "uint16": "w8a16"}, "runtime": {"qnn": "qnn_dlc"}}  # older spellings
_EARLIEST = "2024-06"  # before it, few jobs and other tools
_JOB = ["model", "component", "runtime", "precision", "component_precision", "device"]
_MIB = 2**20
_LANGUAGE = 1000  # 10^6 parameters from which a network is a part of a language model, which is another kind of case
_SAME_SIZE = 0.1  # relative difference in parameters of two spellings of one model
_NAMES = {
    "inference_ms": "value", "params_m": "n_params_m", "use_case": "task", "model_size_float_mb": "float_size_mb", "device": "device_name", "release": "version",
    "release_date": "date", "model": "model_name",
}  # fmt: skip


def main(arguments: list[str]) -> None:
    folder, out = Path(arguments[0]), Path(arguments[1]) if len(arguments) > 1 else KNOWLEDGE
    names = names_of(load_catalog(), read_aliases(KNOWLEDGE / "aliases"))
    newest = pd.read_csv(folder / "aihub_perf.csv", low_memory=False)
    history = pd.read_csv(folder / "aihub_perf_history.csv.gz", low_memory=False).replace(_EARLIER)
    _write(rows(newest, names, for_decisions=True), out / "evidence" / "ai-hub.csv")
    _write(rows(no_longer_shown(newest, history), names, for_decisions=False), out / "evidence" / "ai-hub-earlier.csv")
    told = json.dumps({"noise": noise(newest, history), "failures": failures(history)}, indent=1, sort_keys=True)
    (out / "calibration" / "ai-hub-repeats.json").write_text(told + "\n", "utf-8")


def rows(jobs: pd.DataFrame, names: Names, *, for_decisions: bool) -> pd.DataFrame:
    """One row a job in the columns of the evidence; repeats of one job (other devices that show the very same one left out) by their median.

    The rows that decisions use have catalogue keys, and their peak memory once more as a row of its own.
    """
    jobs = jobs[(jobs.job_status == "Passed") & jobs.job_copied_from_to.isna() & (jobs.inference_ms > 0)].copy()
    jobs[_JOB] = jobs[_JOB].astype(object).fillna("")
    jobs = _merged(jobs).rename(columns={"model_name": "title"}).rename(columns=_NAMES)
    jobs["value"] = jobs.value / 1e3
    found = {name: names.device("npu", name) for name in jobs.device_name.unique()}
    jobs["silicon"] = jobs.device_name.map(lambda name: found[name].key if found[name] else "")
    jobs["framework"] = jobs.runtime.map(FRAMEWORKS)
    jobs["scheme"] = [_scheme(*pair) for pair in zip(jobs.precision, jobs.framework, strict=True)]
    jobs["execution_provider"] = jobs.primary_unit.map(_PROVIDERS)
    jobs = jobs.assign(metric="latency", source=SOURCE, **dict.fromkeys(("digest", "low", "high", "model", "device", "conditions"), ""))
    if not for_decisions:
        return jobs[list(COLUMNS)]
    jobs = _keyed(jobs, names)
    return pd.concat([jobs, _memory(jobs)])[list(COLUMNS)]


def no_longer_shown(newest: pd.DataFrame, history: pd.DataFrame) -> pd.DataFrame:
    """Of the chips and models that the snapshot lacks, each job as the last release showed it."""
    history = history[(history.release_date >= _EARLIEST) & history.component.notna() & (history.job_status == "Passed") & history.runtime.isin(list(FRAMEWORKS))]
    history = history[~(history.params_m >= _LANGUAGE)]
    history = history[~(history.base_model.isin(newest.base_model) & history.silicon_group.isin(newest.silicon_group))]
    places = newest.drop_duplicates("base_model").set_index("base_model")
    history = history.sort_values("release_date").drop_duplicates(_JOB, keep="last")
    return history.assign(domain=history.base_model.map(places.domain), params_scope="", form_factor="")


def noise(newest: pd.DataFrame, history: pd.DataFrame) -> dict[str, float]:
    """By how much the very same job moves (absolute, relative) from one release to the next one that measured it again."""
    columns = [*_JOB, "release_date", "inference_ms", "job_id"]
    both = pd.concat([history[(history.release_date >= _EARLIEST) & history.job_copied_from_to.isna()][columns], newest[columns]])
    both = both.dropna(subset=["inference_ms"]).drop_duplicates([*_JOB, "job_id"]).sort_values([*_JOB, "release_date"])
    both[_JOB] = both[_JOB].astype(object).fillna("")
    moved = (both.groupby(_JOB).inference_ms.pct_change().abs()).dropna()
    return {"median": round(float(moved.median()), 4), "p90": round(float(moved.quantile(0.9)), 4), "n": len(moved)}


def failures(history: pd.DataFrame) -> dict[str, list[int]]:
    """Runtime -> jobs that failed, jobs that were tried (those skipped were not)."""
    tried = history[history.job_status.isin(["Passed", "Failed"]) & history.runtime.isin(list(FRAMEWORKS))]
    grouped = tried.groupby("runtime").job_status
    return {runtime: [int((states == "Failed").sum()), len(states)] for runtime, states in grouped}


def _merged(jobs: pd.DataFrame) -> pd.DataFrame:
    """Repeats of a job become one row: the median of what was measured, the first of what was told."""
    measured = ["inference_ms", "peak_mem_mb_low", "peak_mem_mb_high"]
    groups = jobs.groupby(_JOB, sort=True)
    merged = groups.first()
    merged[measured] = groups[measured].median()
    return merged.assign(n=groups.size()).reset_index()


def _scheme(precision: str, framework: str) -> str:
    """The catalogue's scheme; mixtures have none."""
    if precision == "float":
        return "fp16"
    return {"w8a8": _INTEGER.get(framework, "w8a8"), "w8a16": "w8a16", "w4a16": "w4a16"}.get(precision, "")


def _keyed(jobs: pd.DataFrame, names: Names) -> pd.DataFrame:
    """Catalogue keys where a decision may use the row: a model that is one network, on the unit that was asked for, not compiled for one chip beforehand."""
    told = jobs.drop_duplicates("model_name")
    keys = jobs.model_name.map({name: _model(name, *facts, names) for name, *facts in zip(told.model_name, told.title, told.n_params_m, told.input, strict=True)})
    parts = jobs.groupby("model_name").component.transform("nunique")
    usable = (keys != "") & (jobs.silicon != "") & (jobs.scheme != "") & (parts == 1) & (jobs.primary_unit != "CPU") & jobs.runtime.isin(["tflite", "onnx", "qnn_dlc"])
    unit = jobs.primary_unit.str.lower()
    device = [f"{key.rpartition('.')[0]}.{kind}" for key, kind in zip(jobs.silicon, unit, strict=True)]
    told = jobs.runtime + " " + jobs.input.fillna("").astype(str)
    return jobs.assign(model=keys.where(usable, ""), device=pd.Series(device, jobs.index).where(usable, ""), conditions=told.str.strip().where(usable, ""))


def _model(name: str, title: str, params_m: float, size: object, names: Names) -> str:
    """The catalogue's key of a model, if it has as many parameters there and the same input; a name alone says too little (`yolov7` is the tiny one)."""
    spec = names.model(f"ai hub {name}") or names.model(name) or names.model(title)
    if not spec or not spec.n_params or abs(params_m * 1e6 / spec.n_params - 1) > _SAME_SIZE:  # parameters that are not told contradict nothing
        return ""
    own, asked = (input_size(text if isinstance(text, str) else "", names) for text in (spec.input, size))
    return spec.key if own and own == asked else ""


def _memory(jobs: pd.DataFrame) -> pd.DataFrame:
    """Peak memory [bytes] of the rows that decisions use: the high end is the figure, the low end its lower bound."""
    kept = jobs[(jobs.model != "") & (jobs.peak_mem_mb_high > 0)]
    low = kept.peak_mem_mb_low.where(kept.peak_mem_mb_low > 0) * _MIB
    return kept[list(LOADED)].assign(metric="peak_memory", value=kept.peak_mem_mb_high * _MIB, low=low, base_model=kept.base_model).reindex(columns=list(COLUMNS))


def _write(table: pd.DataFrame, path: Path) -> None:
    whole = [name for name in ("layers_npu", "layers_gpu", "layers_cpu", "n") if name in table]
    table = table.assign(**{name: table[name].astype("Int64") for name in whole})
    table = table.sort_values(["metric", "silicon", "device_name", "model_name", "component", "runtime", "precision", "device", "model"], na_position="last")
    table.to_csv(path, index=False, float_format="%.6g", lineterminator="\n")
    print(f"{path.name}: {len(table)} rows, {(table.model != '').sum()} for decisions, {path.stat().st_size / 1e3:.0f} kB", file=sys.stderr)


if __name__ == "__main__":
    main(sys.argv[1:])
