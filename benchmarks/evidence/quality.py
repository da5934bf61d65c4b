"""Published quality tables -> `knowledge/quality/published.csv`: `python -m benchmarks.evidence.quality FOLDER`.

One row per source x model x scheme x framework x metric x data set (median over repeats). `drop` is a fraction: of the metric lost, or for metrics where less
is better the relative rise. A table without its baseline leaves `drop` empty (`measure` = difference: only differences within the source mean something);
divergences and agreements stay themselves (`measure` = itself).
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pandas as pd

from benchmarks.evidence.quality_schemes import spelled
from recommender.domain.model import ModelSpec
from recommender.loader.compiled import load_catalog

COLUMNS = [
    "source", "model", "base_model", "n_params", "task", "structure", "framework", "runtime", "device", "scheme", "method", "bits_per_weight", "activation_bits",
    "metric", "measure", "dataset", "value_float", "value_quant", "drop", "n_samples", "n_rows", "conditions",
]  # fmt: skip
_KEYS = ["source", "model", "framework", "runtime", "device", "scheme", "method", "metric", "measure", "dataset", "conditions"]
_LESS_IS_BETTER = re.compile(r"\b(?:EPE|RMSE|NME|MAE|WER|AbsRel|LPIPS|Normalized Mean Error)\b|perplexity", re.IGNORECASE)
_ITSELF = re.compile(r"divergence|delta p|top token", re.IGNORECASE)
_VARIANT = re.compile(r"[-_ ](instruct|chat|it|hf|base|2407|2507|4k|q8-0-weights|printed-22b-a3b)(?=[-_ ]|$)", re.IGNORECASE)
_TASKS = {
    "classif": "image-classification", "detection": "object-detection", "segmentation": "segmentation", "pose": "pose-estimation", "super": "super-resolution", "nlp": "text-classification",
    "depth": "depth-estimation", "retrieval": "image-text-embedding", "zero_shot": "image-text-embedding", "imagenet": "image-classification", "coco": "object-detection",
    "kinetics": "image-classification", "city": "segmentation", "camvid": "segmentation", "ade": "segmentation", "voc": "segmentation", "carvana": "segmentation", "eg1800": "segmentation",
    "matting": "segmentation", "camouflage": "segmentation", "bsd300": "super-resolution", "celeba": "image-generation", "nyu": "depth-estimation", "cofw": "pose-estimation",
    "bert": "text-classification", "mrpc": "text-classification", "squad": "text-classification", "glue": "text-classification", "iou": "segmentation", "top1": "image-classification",
    "ap[": "object-detection", "map": "object-detection", "psnr": "super-resolution",
}  # fmt: skip
_STRUCTURES = (
    ("hybrid", r"mobile[-_]?vit|levit|efficientvit|efficientformer|detr|fastvit|mobileone[-_]?vit|edgenext|mask2former|cvt"),
    ("transformer", r"vit|swin|bert|deit|former|clip|sam|dino|depth[-_]?anything|siglip|albert|electra|xlm|longformer|t5|gpt|bart|minilm|sequencer"),
)


def main() -> None:
    """Read the tables in the folder named on the command line and write the file."""
    folder = Path(sys.argv[1])
    names = Names()
    tables = [language(folder), hub(folder), pairs(folder), points(folder), hailo(folder), ultralytics(folder)]
    rows = pd.concat([table.reindex(columns=[*COLUMNS, "better"]) for table in tables], ignore_index=True)
    rows = finish(rows, names)
    target = Path(__file__).parents[2] / "knowledge" / "quality" / "published.csv"
    rows.to_csv(target, index=False, float_format="%.6g", lineterminator="\n")
    print(f"{len(rows)} rows, {rows.base_model.nunique()} models, {rows.source.nunique()} sources -> {target.name}")


class Names:
    """Model spellings of the catalogue, aliases among them -> its entry; nothing else is guessed."""

    def __init__(self) -> None:
        self._known: dict[str, ModelSpec] = {}
        for key, spec in load_catalog().models.items():
            for name in (key, spec.name, *spec.aliases):
                self._known.setdefault(plain(name), spec)

    def find(self, name: str) -> ModelSpec | None:
        """The entry a spelling means."""
        return self._known.get(plain(name)) or self._known.get(plain(_VARIANT.sub("", name)))


def plain(name: str) -> str:
    """Letters and digits only, in lower case."""
    return re.sub(r"[^a-z0-9]+", "", name.lower())


def base_of(name: str) -> str:
    """What twins share: no tuning suffix, no precision, no input size, no tool's prefix or version; retrained minor versions of one network count as one."""
    text = re.sub(r"[^a-z0-9.]+", "-", name.lower()).strip("-")
    text = re.sub(r"^(stabilityai-|microsoft-|pt-|tf2?-|torchvision-|meta-)", "", text)
    text = re.sub(r"-(quantized|int8|qat|onnx-model-zoo|huggingface|qlinearops|qdq|3\.[05]|float|tflite|onnx|opt|lite-opt)(?=-|$|\.)", "", text)
    text = _VARIANT.sub("", text.replace("-instruct-2507", "").replace("-instruct-2407", ""))
    text = re.sub(r"[-_.](seg|pose|det|cls|cola|mrpc|sst-2|sst2|qnli|rte|squad|stsb|sts-b|wnli)(?=-|$)", "", text)
    return re.sub(r"^llama-3\.1-", "llama-3-", text).replace(".tflite", "").replace(".onnx", "")


def drop_of(row: pd.Series) -> float | None:
    """The fraction lost; None where the baseline is missing, zero or on another scale (a fraction beside a percentage)."""
    start, end = row.value_float, row.value_quant
    if row.measure != "relative" or pd.isna(start) or pd.isna(end) or abs(start) < 1e-6:
        return None
    ratio = end / start
    return ratio - 1 if row.better == "less" else 1 - ratio


def finish(rows: pd.DataFrame, names: Names) -> pd.DataFrame:
    """Fills names, tasks and structures, computes the drop, and keeps one row per combination."""
    rows = rows[rows.scheme.notna() & rows.value_quant.notna() & rows.model.notna() & (rows.model != "")].copy()
    rows["measure"] = rows.measure.fillna("relative")
    rows.loc[(rows.measure == "relative") & rows.value_float.isna(), "measure"] = "difference"
    rows["drop"] = rows.apply(drop_of, axis=1)
    rows = rows[(rows.measure != "relative") | rows["drop"].notna()]
    for column in (*_KEYS, "task"):
        rows[column] = rows[column].fillna("").astype(str)
    numbers = {name: "median" for name in ("value_float", "value_quant", "drop", "bits_per_weight", "activation_bits", "n_params", "n_samples")}
    grouped = rows.groupby(_KEYS, sort=True)
    merged = grouped.agg({**numbers, "task": "first"}).reset_index()
    merged["n_rows"] = grouped.size().to_numpy()
    specs = merged.model.map(names.find)
    merged["base_model"] = [base_of(spec.key if spec else model) for spec, model in zip(specs, merged.model, strict=True)]
    merged["model"] = [spec.key if spec else model for spec, model in zip(specs, merged.model, strict=True)]
    merged["n_params"] = [value if value == value else (spec.n_params if spec and spec.n_params else None) for value, spec in zip(merged.n_params, specs, strict=True)]
    merged["task"] = [spec.task if spec else task_of(task, dataset, metric) for spec, task, dataset, metric in zip(specs, merged.task, merged.dataset, merged.metric, strict=True)]
    merged["structure"] = [spec.structure if spec else structure_of(base, task) for spec, base, task in zip(specs, merged.base_model, merged.task, strict=True)]
    return merged[COLUMNS].sort_values(COLUMNS[:2] + _KEYS[2:]).reset_index(drop=True)


def task_of(task: str, dataset: str, metric: str) -> str:
    """Our name of what a table calls the task, or of what its data set or metric implies."""
    if task == "text-generation":
        return task
    for text in (task, dataset, metric):
        for word, name in _TASKS.items():
            if word in text.lower():
                return name
    return ""


def structure_of(base: str, task: str) -> str:
    """By name, where the catalogue does not have the network: transformers and their mixtures with convolutions call themselves so."""
    if task == "text-generation":
        return "transformer"
    return next((structure for structure, pattern in _STRUCTURES if re.search(pattern, base)), "cnn")


def source_id(source: str) -> str:
    """`owner/repository path` -> the id of the source."""
    words = source.split()[0]
    known = {"qualcomm/ai-hub-models": "ev-aihub", "opencv/opencv_zoo": "ev-opencv-zoo", "hailo-ai/hailo_model_zoo": "ev-hailo"}
    return known.get(words, "ev-TexasInstruments" if words.startswith("Texas") else f"ev-{words.replace('/', '-')}")


def language(folder: Path) -> pd.DataFrame:
    """Language models and the weight-compression tables of networks, `quant_quality.csv`; repositories with a table of their own here are read there."""
    table = pd.read_csv(folder / "quant_quality.csv")
    table = table[~table.source.str.contains("ai-hub-models|Vitis-AI|hailo|aimet|neural-compressor")]
    found = [spelled(row.quant, row.framework, row.bits_per_weight if row.bits_per_weight == row.bits_per_weight else None) for row in table.itertuples()]
    table = table.assign(found=found)[[item is not None for item in found]]
    notes = table.notes.fillna("")
    less = table.metric.str.contains(_LESS_IS_BETTER)
    baseline = table.value_fp16.where(~notes.str.contains("baseline is Q8_0"))
    value = table.value_quant
    # A list of perplexity increases has no baseline on the line: the same repository prints it for the same model and text.
    rise = table.metric == "perplexity increase"
    base = table[(table.metric == "perplexity") & table.source.str.startswith("ggml-org/llama.cpp")].groupby("model").value_fp16.first()
    known = table.model.map(base)
    value = value.where(~rise, known + table.delta).where(~rise | known.notna(), table.value_quant)
    baseline = baseline.where(~rise, known)
    percent = table.metric.str.contains(r"increase over f16|relative loss")
    baseline = baseline.where(~percent, 100.0)
    sign = less.map({True: 1.0, False: -1.0})
    value = value.where(~percent, 100.0 + sign * table.delta.abs())
    no_baseline = (table.value_fp16 == 0) & ~rise & ~percent
    imatrix = notes.str.extract(r"(no imatrix|no importance matrix|imatrix|importance matrix)")[0].map(
        {"no imatrix": "no imatrix", "no importance matrix": "no imatrix", "imatrix": "imatrix", "importance matrix": "imatrix"})
    pure = notes.str.contains("pure").map({True: "pure", False: None})
    tasks = table.params_b.notna() | table.model.str.contains("LLaMA|phi", regex=True)
    return pd.DataFrame({
        "source": table.source.map(source_id), "model": table.model, "n_params": table.params_b * 1e9, "task": tasks.map({True: "text-generation", False: ""}), "framework": table.framework.replace(_OURS),
        "scheme": [item.scheme for item in table.found], "method": [item.method for item in table.found], "bits_per_weight": [item.bits for item in table.found],
        "activation_bits": [item.activation_bits for item in table.found], "metric": table.metric.str.replace(" increase over f16 (%)", "").str.replace(" increase", "").str.replace(" relative loss (%)", ""),
        "measure": table.metric.str.contains(_ITSELF).map({True: "itself", False: "relative"}), "dataset": table.dataset, "value_float": baseline.where(~no_baseline), "value_quant": value,
        "better": less.map({True: "less", False: "more"}), "conditions": imatrix.fillna(pure),
    })  # fmt: skip


# language-model tables name tools and versions; these are what runs what they make
_OURS = {
    "llama.cpp": "llama-cpp", "ik_llama.cpp": "llama-cpp", "AutoRound (GGUF types)": "llama-cpp", "ONNX Runtime GenAI (ModelOpt)": "onnxruntime-genai", "NNCF/OpenVINO": "openvino-genai",
    "NNCF": "openvino", "mlx-lm": "mlx", "ExecuTorch": "executorch", "LiteRT": "litert", "LiteRT-LM": "litert", "Core ML Tools": "coreml",
}  # fmt: skip


def hub(folder: Path) -> pd.DataFrame:
    """AI Hub's numerics: the newest value of each model, runtime and precision. `float` runs in 16 bit on the units it was measured on."""
    table = pd.read_csv(folder / "aihub_numerics.csv").sort_values(["in_latest", "release_date"])
    keys = ["base_model", "metric", "dataset", "runtime", "precision"]
    table = table[table.torch_value > 0.01].drop_duplicates(keys, keep="last")
    # A few files hold a fraction on one side and a percentage on the other.
    mixed = table.torch_value / table.device_value.clip(lower=1e-9)
    device = table.device_value.where(~mixed.between(70, 140), table.device_value * 100).where(~mixed.between(1 / 140, 1 / 70), table.device_value / 100)
    precision = table.precision.replace("float", "fp16")
    return pd.DataFrame({
        "source": "ev-aihub", "model": table.base_model, "framework": table.runtime.map(_HUB_FRAMEWORKS), "runtime": table.runtime, "device": table.device, "scheme": precision,
        "bits_per_weight": precision.map(_bits), "activation_bits": precision.map(_activation_bits), "metric": table.metric, "dataset": table.dataset, "value_float": table.torch_value,
        "value_quant": device, "n_samples": table.n_samples, "better": table.higher_is_better.map({1: "more", 0: "less"}), "conditions": table.release,
    })  # fmt: skip


_HUB_FRAMEWORKS = {"tflite": "litert", "qnn_dlc": "qnn", "qnn_context_binary": "qnn", "onnx": "onnxruntime", "precompiled_qnn_onnx": "onnxruntime"}


def _bits(precision: str) -> float:
    return float(found[1]) if (found := re.match(r"w(\d+)a", precision)) else 16.0


def _activation_bits(precision: str) -> float:
    return float(found[1]) if (found := re.match(r"w\d+a(\d+)", precision)) else 16.0


def pairs(folder: Path) -> pd.DataFrame:
    """Tables with a float and an integer figure each: by their own columns, by pair, or by model and data set."""
    table = pd.read_csv(folder / "accuracy_misc.csv")
    table["source_id"] = table.source.map(source_id)
    own = table[table.float_value.notna() & table.precision.isin(["int8", "w8a8", "w4a8"]) & ~table.metric.str.contains("7331|2d detection")].copy()
    joined = []
    for keys, base in ((["source", "pair_id"], "fp32"), (["source", "path", "model", "dataset", "metric"], "fp32")):
        part = table[table[keys].notna().all(axis=1) & table.float_value.isna() & table.delta.isna()]
        part = part[part.pair_id.isna() | ("pair_id" in keys)]
        floats = part[(part.precision == base) & part.framework.str.contains("Pytorch|PyTorch|STM32|ONNX|Tensor|Keras|MXNet", regex=True)]
        floats = floats.sort_values("framework", key=lambda names: names.str.lower().ne("pytorch")).drop_duplicates(keys)
        quantized = part[part.precision.isin(["int8", "fp16"])].drop(columns="float_value")
        joined.append(quantized.merge(floats[[*keys, "value"]].rename(columns={"value": "float_value"}), on=keys))
    found = pd.concat([own, *joined], ignore_index=True)
    # In one edition of the list the columns are shifted: the model stands where the task does, and no name is left.
    found = found[~found.model.isin(["pytorch", "intel-tensorflow", "mxnet", "ipex", "onnxrt"]) & ~found.task.isin(["pytorch", "intel-tensorflow"])]
    scheme = found.precision.map({"int8": "int8-static", "fp16": "fp16", "w8a8": "w8a8", "w4a8": "w4a8"})
    dynamic = found.task.fillna("").str.lower().str.contains("dynamic|integerops")
    return pd.DataFrame({
        "source": found.source_id, "model": found.model, "framework": found.framework.map(_framework_of), "device": found.platform.where(found.source_id == "ev-TexasInstruments"),
        "scheme": scheme.where(~dynamic, "int8-dynamic"), "bits_per_weight": found.precision.map({"fp16": 16.0, "w4a8": 4.0}).fillna(8.0),
        "activation_bits": found.precision.map({"fp16": 16.0}).fillna(8.0), "method": found.framework.str.contains("QAT").map({True: "QAT", False: None}),
        "metric": found.metric.str.replace(r"as published: .*", "task metric", regex=True), "dataset": found.dataset, "value_float": found.float_value, "value_quant": found.value,
        "task": found.task, "better": found.metric.str.contains(_LESS_IS_BETTER).map({True: "less", False: "more"}),
    })  # fmt: skip


def _framework_of(name: str) -> str:
    words = {"tidl": "tidl", "tensorrt": "tensorrt", "onnx": "onnxruntime", "pplnn": "pplnn", "ncnn": "ncnn", "vitis": "vitis-ai", "aimet": "aimet", "stm32": "stm32", "pytorch": "pytorch",
             "tensorflow": "tensorflow", "keras": "tensorflow", "mxnet": "mxnet"}  # fmt: skip
    return next((value for word, value in words.items() if word in name.lower()), name)


def points(folder: Path) -> pd.DataFrame:
    """NNCF's list prints the value and the loss in points, OpenVINO's only the loss: without a baseline that stays a difference."""
    table = pd.read_csv(folder / "accuracy_misc.csv")
    nncf = table[table.source.str.contains("nncf") & table.delta.notna()]
    nncf = nncf[nncf.precision.isin(["int8", "PTQ"])]
    openvino = table[table.source.str.contains("openvinotoolkit/openvino") & (table.precision == "int8")]
    found = pd.concat([nncf, openvino])
    return pd.DataFrame({
        "source": found.source.map(source_id), "model": found.model, "framework": "openvino", "scheme": "int8-static", "bits_per_weight": 8.0, "activation_bits": 8.0,
        "method": found.note.fillna("").str.contains("QAT").map({True: "QAT", False: "PTQ"}), "metric": found.metric.str.replace(" ( drop ) %", ""), "dataset": found.dataset,
        "value_float": found.value - found.delta, "value_quant": found.value.fillna(found.delta), "task": found.task, "better": "more", "conditions": found.platform,
    })  # fmt: skip


def hailo(folder: Path) -> pd.DataFrame:
    """Accuracy before and on the accelerator; some layers hold 4-bit weights."""
    table = pd.read_csv(folder / "perf_hailo.csv")
    keys = ["platform", "model", "task", "dataset", "path"]
    wide = table[table.metric.isin(["accuracy_float", "accuracy_hw"])].pivot_table(index=keys, columns="metric", values="value").dropna().reset_index()
    worse = wide.task.isin(["depth_estimation", "stereo_depth_estimation", "zero_shot_depth_estimation"])
    return pd.DataFrame({
        "source": "ev-hailo", "model": wide.model, "framework": "hailo", "device": wide.platform, "scheme": "int8-static", "bits_per_weight": 8.0, "activation_bits": 8.0,
        "metric": "task metric", "dataset": wide.dataset, "value_float": wide.accuracy_float, "value_quant": wide.accuracy_hw, "task": wide.task,
        "better": worse.map({True: "less", False: "more"}),
    })  # fmt: skip


def ultralytics(folder: Path) -> pd.DataFrame:
    """mAP of 8 or 128 pictures: only the loss against the 32-bit line of the same table means something."""
    table = pd.read_csv(folder / "perf_ultralytics.csv")
    table = table[(table.metric == "accuracy_mAP50-95") & table.precision.notna()]
    keys = ["path", "platform", "framework", "model", "input", "framework_version", "source", "note", "task"]
    table[keys] = table[keys].fillna("").astype(str)
    wide = table.pivot_table(index=keys, columns="precision", values="value").reset_index()
    long = wide.melt(id_vars=[*keys, "FP32"], value_vars=["FP16", "INT8"], var_name="precision").dropna(subset=["FP32", "value"])
    eight = long.precision == "INT8"
    return pd.DataFrame({
        "source": "ev-ultralytics", "model": long.model, "framework": long.framework.str.lower(), "device": long.platform, "scheme": eight.map({True: "int8-static", False: "fp16"}),
        "bits_per_weight": eight.map({True: 8.0, False: 16.0}), "activation_bits": eight.map({True: 8.0, False: 16.0}), "metric": "mAP@0.5:0.95", "dataset": "subset, as published",
        "value_float": long.FP32, "value_quant": long.value, "task": "object-detection", "better": "more",
    })  # fmt: skip


if __name__ == "__main__":
    main()
