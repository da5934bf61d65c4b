"""Hugging Face model folders: config.json with the headers of the safetensors files. Pickles are never opened."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from recommender.domain.model import Artifact, ModelSpec
from recommender.intake.models.endings import PICKLES
from recommender.intake.models.hf_config import Config, dimensions, modality_of, structure_of_config, task_of
from recommender.intake.models.hf_count import active_of, count_decoder, count_encoder
from recommender.intake.models.hf_quantization import Quantized, quantization_of
from recommender.intake.models.packing import Tally, tally
from recommender.intake.models.reading import Malformed, file_size, names_in, read_json
from recommender.intake.models.safetensors import Weights, files_of_index, read_weights

_EMBEDDINGS = (
    "embed_tokens.weight", "wte.weight", "word_embeddings.weight", "tok_embeddings.weight", "shared.weight", "embed_in.weight",
    "token_embedding.weight", "embeddings.weight", "embedding.weight",
)  # fmt: skip
_FLOAT_SCHEMES = {"F32": "F32", "F16": "fp16", "BF16": "BF16"}


def read_folder(folder: Path) -> ModelSpec:
    """ModelSpec of a folder with config.json.

    Raises:
        Malformed
    """
    names = names_in(folder)
    raw = read_json(folder / "config.json")
    files = weight_files(folder, names)
    weights = read_weights(folder, files) if files else None
    spec = describe(raw, weights, key=folder.resolve().name, path=str(folder), pipeline=pipeline_of(names))
    if weights is None:
        return _without_header(spec, folder, names)
    return replace(spec, license=license_of(folder, names))


def describe(raw: Mapping[str, Any], weights: Weights | None, *, key: str, path: str, pipeline: str | None = None) -> ModelSpec:
    """PURE: configuration and headers -> ModelSpec."""
    config = Config(raw)
    if not config.model_type and not config.heads and not dimensions(config)["hidden_size"]:
        raise Malformed("has a config.json that describes no model (no model_type, no architectures, no sizes)")
    quantized = quantization_of(raw)
    counted = tally(weights.tensors, quantized.bits if quantized else None) if weights else None
    dims = dimensions(config)
    task = pipeline or task_of(config)
    architecture, family = config.architecture
    structure = structure_of_config(config)
    computed = (
        None if counted else (count_encoder if task in ("embedding", "text-classification") else count_decoder)(config, dims)
    )
    n_params = counted.n_params if counted else computed if structure == "transformer" else None
    embedding = _embedding(counted) or (
        dims["vocab_size"] * dims["hidden_size"] if dims["vocab_size"] and dims["hidden_size"] else None
    )
    name = raw.get("_name_or_path")
    alias = name if isinstance(name, str) and name.count("/") <= 1 and not name.startswith((".", "/")) and name else None
    return ModelSpec(
        key=key,
        name=key,
        aliases=(alias,) if alias else (),
        task=task,
        structure=structure,
        family=family,
        architecture=architecture,
        modality=modality_of(task),
        n_params=n_params,
        n_active_params=active_of(n_params, config, dims),
        n_embedding_params=embedding,
        decoder_params=_decoder(counted) if structure == "encoder-decoder" else None,
        input=_input(config),
        repository=alias if alias and "/" in alias else None,
        note="" if counted else "parameters computed from config.json, no weight header was read" if n_params else "",
        artifact=_artifact(path, weights, counted, quantized),
        **_settle_tied(dims, counted),
    )


def weight_files(folder: Path, names: tuple[str, ...]) -> tuple[str, ...]:
    """The safetensors files of the model: an index, the usual single file, else all that lie there (adapters aside)."""
    for index in ("model.safetensors.index.json", "diffusion_pytorch_model.safetensors.index.json"):
        if index in names:
            return files_of_index(folder / index)
    if "model.safetensors" in names:
        return ("model.safetensors",)
    return tuple(name for name in names if name.endswith(".safetensors") and not name.startswith(("adapter_", "training_")))


def pipeline_of(names: tuple[str, ...]) -> str | None:
    """Sentence-transformers folders say it by their files."""
    return "embedding" if "modules.json" in names or "sentence_bert_config.json" in names else None


def license_of(folder: Path, names: tuple[str, ...]) -> str | None:
    """The licence line of the model card's front matter."""
    if "README.md" not in names or file_size(folder / "README.md") > 4_000_000:
        return None
    text = (folder / "README.md").read_text("utf-8", "replace")
    if not text.startswith("---"):
        return None
    for line in text[3:].partition("\n---")[0].splitlines():
        if line.startswith("license:"):
            return line.partition(":")[2].strip().strip("\"'")[:100] or None
    return None


def _without_header(spec: ModelSpec, folder: Path, names: tuple[str, ...]) -> ModelSpec:
    pickles = [
        name
        for name in names
        if name.endswith(PICKLES) and not name.startswith(("training_args", "optimizer", "scheduler", "rng_"))
    ]
    if not pickles:
        return replace(spec, note=_join(spec.note, "the folder holds no weights"))
    size = sum(file_size(folder / name) for name in pickles)
    artifact = Artifact(format="safetensors", path=str(folder), size=size, details={"weights": "pickle", "files": pickles[:20]})
    reason = f"{pickles[0]} is a Python pickle and was not opened, since that would execute code in it"
    return replace(spec, artifact=artifact, note=_join(spec.note, reason))


def _artifact(path: str, weights: Weights | None, counted: Tally | None, quantized: Quantized | None) -> Artifact | None:
    if weights is None or counted is None:
        return None
    is_mlx = weights.metadata.get("format") == "mlx" or (quantized is not None and quantized.method == "mlx")
    majority = next(iter(counted.types), "")
    is_quantized = quantized is not None or counted.is_packed or majority.startswith(("I8", "U8", "F8", "F4", "F6"))
    details: dict[str, Any] = {"files": list(weights.files)[:50]}
    if quantized:
        details |= {"method": quantized.method, "bits": quantized.bits, "group_size": quantized.group_size}
    return Artifact(
        format="mlx" if is_mlx else "safetensors",
        path=path,
        size=weights.size,
        scheme=quantized.scheme if quantized else None if is_quantized else _FLOAT_SCHEMES.get(majority),
        bits_per_weight=round(counted.size * 8 / counted.n_params, 4) if counted.n_params else None,
        is_quantized=is_quantized,
        tensor_types=counted.types,
        details=details,
    )


def _embedding(counted: Tally | None) -> int | None:
    """Elements of the input embedding table."""
    if counted is None:
        return None
    found = [
        count
        for name, count in counted.names.items()
        if name.endswith(_EMBEDDINGS) and "position" not in name and "type" not in name
    ]
    return max(found, default=None)


def _decoder(counted: Tally | None) -> int | None:
    if counted is None:
        return None
    return (
        sum(n for name, n in counted.names.items() if ".decoder." in f".{name}" or name.startswith(("lm_head", "proj_out")))
        or None
    )


def _settle_tied(dims: dict[str, Any], counted: Tally | None) -> dict[str, Any]:
    """The tensors know best whether the output table is the input table."""
    if (
        counted is not None
        and dims["tied_embeddings"] is False
        and not any(name.endswith("lm_head.weight") for name in counted.names)
    ):
        has_other = any(name.endswith(("output.weight", "embed_out.weight", "lm_head.qweight")) for name in counted.names)
        return dims if has_other else {**dims, "tied_embeddings": True}
    return dims


def _input(config: Config) -> str:
    """Input of a vision model, where the configuration gives its size."""
    vision = config.raw.get("vision_config")
    source = vision if isinstance(vision, dict) else config.raw
    size, channels = source.get("image_size"), source.get("num_channels", 3)
    if isinstance(size, int) and isinstance(channels, int) and 0 < size < 100_000 and 0 < channels < 1000:
        return f"1x{channels}x{size}x{size}"
    return ""


def _join(*notes: str) -> str:
    return "; ".join(note for note in notes if note)
