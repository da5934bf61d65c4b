"""Which model a folder means, and which reader a file goes to.

Order in a folder: Core ML package; diffusion pipeline; safetensors with config.json; ONNX or OpenVINO IR with config.json or
genai_config.json; GGUF; ONNX; OpenVINO IR; TensorFlow Lite; ExecuTorch; Core ML; ncnn; compiled formats; config.json alone. Of
several files of one kind the largest is taken, and the note says which and what else lies there.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from recommender.domain.model import Artifact, ModelSpec
from recommender.intake.models.endings import PICKLES
from recommender.intake.models.executorch import read_executorch
from recommender.intake.models.gguf_spec import read_gguf
from recommender.intake.models.huggingface import describe, read_folder, weight_files
from recommender.intake.models.mlpackage import read_mlmodel, read_mlpackage
from recommender.intake.models.onnx import read_onnx
from recommender.intake.models.opaque import CLOSED, read_closed, read_context_binary, read_ncnn
from recommender.intake.models.openvino_ir import read_ir
from recommender.intake.models.reading import Malformed, file_size, names_in, not_a, read_head, read_json, tree_size
from recommender.intake.models.safetensors import read_file
from recommender.intake.models.tflite import read_tflite

Reader = Callable[[Path], ModelSpec]
READERS: dict[str, Reader] = {
    ".gguf": read_gguf, ".onnx": read_onnx, ".xml": read_ir, ".tflite": read_tflite, ".lite": read_tflite,
    ".pte": read_executorch,
    ".mlmodel": read_mlmodel, ".param": read_ncnn, **dict.fromkeys(CLOSED, read_closed),
}  # fmt: skip
_MAGIC: tuple[tuple[int, bytes, Reader], ...] = (
    (0, b"GGUF", read_gguf),
    (4, b"TFL3", read_tflite),
    (4, b"ET12", read_executorch),
)
# Names of dimensions that a language model's configuration gives to a graph that has none of its own.
_FROM_CONFIG = (
    "family", "architecture", "n_layers", "hidden_size", "n_heads", "n_kv_heads", "head_dim", "ffn_size", "vocab_size",
    "context_length",
    "tied_embeddings", "attention", "n_experts", "n_experts_used", "expert_ffn_size", "n_embedding_params", "repository",
    "aliases",
)  # fmt: skip


def read_path(path: Path) -> ModelSpec:
    """ModelSpec of a file or a folder.

    Raises:
        Malformed
    """
    return read_directory(path) if path.is_dir() else read_model_file(path)


def read_model_file(path: Path) -> ModelSpec:
    """ModelSpec of one file: by its first bytes where these are unmistakable, else by its ending."""
    head = read_head(path, 64)
    for offset, magic, reader in _MAGIC:
        if head[offset : offset + len(magic)] == magic:
            return reader(path)
    ending = path.suffix.lower()
    if ending in READERS:
        return READERS[ending](path)
    if ending == ".safetensors":
        return _safetensors_file(path)
    if path.name in ("config.json", "model.safetensors.index.json", "genai_config.json"):
        return read_directory(path.parent)
    if ending == ".bin" and path.with_suffix(".xml").exists():
        return read_ir(path)
    if ending == ".bin" and path.with_suffix(".param").exists():
        return read_ncnn(path.with_suffix(".param"))
    if ending == ".bin" and re.search(r"context|qnn|qairt|htp", path.name.lower()):
        return read_context_binary(path)
    if ending in PICKLES:
        raise _pickle(path)
    if not head:
        raise Malformed("is an empty file")
    raise not_a("a model file of a known format", head)


def read_directory(folder: Path) -> ModelSpec:
    """ModelSpec of the model that a folder holds, see the order above."""
    names = names_in(folder)
    lower = {name.lower() for name in names}
    if "Manifest.json" in names and "Data" in names:
        return read_mlpackage(folder)
    if "model_index.json" in names:
        return _diffusion(folder)
    has_config = "config.json" in names
    if has_config and weight_files(folder, names):
        return _say_rest(read_folder(folder), names, (".gguf", ".onnx", ".xml"))
    if "adapter_config.json" in names:
        raise Malformed("is an adapter (LoRA), which needs its base model", f"recommend --model {_base_of_adapter(folder)}")
    found = _first_kind(folder, names) or _first_below(folder, names)
    if found is not None:
        spec, others = found
        if has_config or "genai_config.json" in names:
            spec = with_config(spec, folder, names)
        return _mention(spec, others)
    if has_config:
        return read_folder(folder)
    if any(name.endswith(".safetensors") for name in lower):
        raise Malformed("holds safetensors files but no config.json, so what the model is cannot be read")
    if any(name.endswith(PICKLES) for name in lower):
        raise _pickle(folder / next(name for name in names if name.lower().endswith(PICKLES)))
    raise Malformed("holds no model file of a known format")


def with_config(spec: ModelSpec, folder: Path, names: tuple[str, ...]) -> ModelSpec:
    """A graph's own facts, and the language model's dimensions from the configuration beside it."""
    raw = read_json(folder / "config.json") if "config.json" in names else _from_genai(read_json(folder / "genai_config.json"))
    try:
        other = describe(raw, None, key=folder.resolve().name, path=str(folder))
    except Malformed:  # a configuration of another program: the graph speaks for itself
        return spec
    filled: dict[str, Any] = {name: getattr(other, name) for name in _FROM_CONFIG}
    return replace(
        spec, key=other.key, name=other.name, task=other.task, structure=other.structure, modality=other.modality, **filled,
        n_active_params=other.n_active_params, note="",
    )  # fmt: skip


def _from_genai(raw: dict[str, Any]) -> dict[str, Any]:
    """ONNX Runtime GenAI's configuration in the spelling of config.json."""
    model = raw.get("model")
    decoder = model.get("decoder") if isinstance(model, dict) else None
    if not isinstance(model, dict) or not isinstance(decoder, dict):
        raise Malformed("has a genai_config.json that describes no model")
    return {
        "model_type": model.get("type"), "architectures": ["ForCausalLM"], "vocab_size": model.get("vocab_size"),
        "max_position_embeddings": model.get("context_length"), "hidden_size": decoder.get("hidden_size"),
        "num_hidden_layers": decoder.get("num_hidden_layers"), "num_attention_heads": decoder.get("num_attention_heads"),
        "num_key_value_heads": decoder.get("num_key_value_heads"), "head_dim": decoder.get("head_size"),
    }  # fmt: skip


def _first_kind(folder: Path, names: tuple[str, ...]) -> tuple[ModelSpec, list[str]] | None:
    """The largest file of the first kind there is; vision projectors and later parts of split files are no candidates."""
    for ending, reader in READERS.items():
        files = [name for name in names if name.lower().endswith(ending) and not _is_companion(name)]
        if ending == ".xml":
            files = [name for name in files if name[:-4] + ".bin" in names and "tokenizer" not in name]
        if files:
            sized = sorted(files, key=lambda name: (-file_size(folder / name), name))
            return reader(folder / sized[0]), sized[1:]
    packages = [name for name in names if name.endswith(".mlpackage") and (folder / name).is_dir()]
    return (read_mlpackage(folder / packages[0]), packages[1:]) if packages else None


def _first_below(folder: Path, names: tuple[str, ...]) -> tuple[ModelSpec, list[str]] | None:
    """One level down, where exports put their graphs."""
    for name in names:
        below = folder / name
        if name in ("onnx", "openvino", "openvino_model", "model", "cpu_and_mobile", "gguf") and below.is_dir():
            found = _first_kind(below, names_in(below))
            if found is not None:
                return found
    return None


def _is_companion(name: str) -> bool:
    part = re.search(r"-(\d{5})-of-\d{5}\.gguf$", name)
    return "mmproj" in name.lower() or (part is not None and int(part[1]) != 1)


def _safetensors_file(path: Path) -> ModelSpec:
    read_file(path)  # a damaged file is told before what stands beside it
    names = names_in(path.parent)
    if "config.json" not in names:
        raise Malformed(
            "has no config.json beside it, so what the model is cannot be read",
            f"recommend --model {shlex.quote(str(path.parent))}",
        )
    return read_folder(path.parent)


def _pickle(path: Path) -> Malformed:
    reason = (
        "is (or holds) a Python pickle, which is not opened because that would execute code in it; give safetensors, GGUF or ONNX"
    )
    return (
        Malformed(reason, f"recommend --model {shlex.quote(str(path.parent))}")
        if (path.parent / "config.json").exists()
        else Malformed(reason, "recommend catalog list models")
    )


def _diffusion(folder: Path) -> ModelSpec:
    """A pipeline of several models: what its index names, the size of all its weights."""
    index = read_json(folder / "model_index.json")
    kind = index.get("_class_name")
    artifact = Artifact(format="safetensors", path=str(folder), size=tree_size(folder), details={"pipeline": str(kind)[:100]})
    key = folder.resolve().name
    return ModelSpec(
        key=key, name=key, task="image-generation", structure="diffusion", modality="multimodal", artifact=artifact,
        note="a pipeline of several models; their sizes are not counted one by one",
    )  # fmt: skip


def _base_of_adapter(folder: Path) -> str:
    base = read_json(folder / "adapter_config.json").get("base_model_name_or_path")
    return shlex.quote(base) if isinstance(base, str) and base else "MODEL"


def _mention(spec: ModelSpec, others: list[str]) -> ModelSpec:
    if not others:
        return spec
    chosen = Path(spec.artifact.path).name if spec.artifact else spec.key
    note = f"read {chosen}, the largest; beside it: {', '.join(others[:4])}" + (" ..." if len(others) > 4 else "")
    return replace(spec, note="; ".join(part for part in (spec.note, note) if part))


def _say_rest(spec: ModelSpec, names: tuple[str, ...], endings: tuple[str, ...]) -> ModelSpec:
    others = [name for name in names if name.lower().endswith(endings)]
    if not others:
        return spec
    note = f"read the safetensors weights; beside them: {', '.join(others[:4])}"
    return replace(spec, note="; ".join(part for part in (spec.note, note) if part))
