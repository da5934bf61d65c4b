"""An encoder from a Hugging Face folder as a PyTorch module with plain tensors in and out, with example inputs: what the exporter needs. For `export`."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from recommender.domain.errors import Unsupported

if TYPE_CHECKING:
    import torch

TOKENS, OTHER_TOKENS = 16, 24  # of the examples where the length is free
POOLING = {"mean": "pooling_mode_mean_tokens", "cls": "pooling_mode_cls_token", "max": "pooling_mode_max_tokens"}
_UNUSED = ("loss", "past_key_values", "hidden_states", "attentions")


@dataclass(frozen=True, kw_only=True, slots=True)
class Encoder:
    """module: called with an example (tensors by name), returns a tuple of `outputs`. examples: the first is exported with, all are compared with.

    dynamic_shapes: as torch.export takes them, None when every axis is fixed. pooling: mean, cls, max or "".
    """

    module: Any
    architecture: str
    outputs: tuple[str, ...]
    examples: tuple[Mapping[str, torch.Tensor], ...]
    dynamic_shapes: Mapping[str, Mapping[int, Any]] | None
    pooling: str = ""


def load(folder: Path, *, shape: Sequence[int] | None, pooling: bool, threads: int) -> Encoder:
    """Read a folder. Raises Unsupported when transformers does not know it, it needs code of its own, or it is a generator."""
    import torch

    torch.set_num_threads(threads)
    torch.manual_seed(0)
    model = _model(folder)
    architecture = type(model).__name__
    axes = _axes(model, shape, folder)
    pooled, normalised = _pooling(folder) if pooling else ("", False)
    examples = _examples(model, axes, shape is not None, bool(pooled))
    with torch.no_grad():
        outputs = ("sentence_embedding",) if pooled else _tensors(model(**examples[0]))
    if not outputs:
        raise Unsupported(f"`{architecture}` returns no tensor that could be an output of a graph")
    return Encoder(
        module=_plain(model, outputs, pooled, normalised), architecture=architecture, outputs=outputs, examples=examples,
        dynamic_shapes=None if shape else _dynamic(examples[0], getattr(model.config, "max_position_embeddings", None)), pooling=pooled,
    )


def _model(folder: Path) -> Any:
    import transformers

    try:
        config = transformers.AutoConfig.from_pretrained(folder, local_files_only=True)
    except (OSError, ValueError, KeyError) as error:
        raise Unsupported(f"transformers {transformers.__version__} cannot read config.json of `{folder.name}`: {_line(error)}") from error
    names = config.architectures or ["AutoModel"]
    found = getattr(transformers, names[0], None)
    if found is None:
        raise Unsupported(f"transformers {transformers.__version__} has no `{names[0]}`")
    if names[0] in transformers.models.auto.modeling_auto.MODEL_FOR_CAUSAL_LM_MAPPING_NAMES.values():
        raise Unsupported(f"`{names[0]}` generates text, and one graph without a cache would do it badly: ort-genai-builder makes ONNX of it")
    if config.is_encoder_decoder:
        raise Unsupported(f"`{names[0]}` is an encoder and a decoder: onnx-export makes one graph")
    try:
        return found.from_pretrained(folder, local_files_only=True, dtype="float32", attn_implementation="eager").eval()
    except (OSError, ValueError, KeyError, ImportError) as error:
        raise Unsupported(f"transformers {transformers.__version__} cannot load `{names[0]}` from `{folder.name}`: {_line(error)}") from error


def _axes(model: Any, shape: Sequence[int] | None, folder: Path) -> tuple[int, ...]:
    """Shape of the main input: the given one, else the model's own with 2 samples (1 would be taken for a constant)."""
    kind = model.main_input_name
    free: tuple[int, ...]
    if kind == "input_ids":
        wanted, free = 2, (2, TOKENS)
    elif kind == "pixel_values":
        height, width = _image_size(model.config, folder)
        wanted, free = 4, (2, int(getattr(model.config, "num_channels", 3)), height, width)
    else:
        raise Unsupported(f"`{type(model).__name__}` reads `{kind}`: onnx-export knows input_ids and pixel_values")
    if shape is None:
        return free
    if len(shape) != wanted or not all(isinstance(each, int) and each > 0 for each in shape):
        raise Unsupported(f"static_shape {list(shape)}: `{kind}` has {wanted} axes, each a positive whole number")
    return tuple(shape)


def _image_size(config: Any, folder: Path) -> tuple[int, int]:
    """Height and width that the model was trained with: its configuration, else its image processor's."""
    size = getattr(config, "image_size", None)
    if size is None:
        size = _json(folder / "preprocessor_config.json").get("crop_size") or _json(folder / "preprocessor_config.json").get("size")
    if isinstance(size, Mapping):
        size = (size.get("height") or size.get("shortest_edge"), size.get("width") or size.get("shortest_edge"))
    height, width = (size, size) if isinstance(size, int) else (size or (None, None))
    if not (isinstance(height, int) and isinstance(width, int)):
        raise Unsupported(f"`{folder.name}` does not tell the size of its images: give static_shape [batch, channels, height, width]")
    return height, width


def _examples(model: Any, axes: tuple[int, ...], static: bool, pooled: bool) -> tuple[Mapping[str, torch.Tensor], ...]:
    """Inputs by name, twice, the second time in another shape where that is free."""
    import torch

    if model.main_input_name == "pixel_values":
        batches = (axes[0], axes[0] if static else 1)
        return tuple({"pixel_values": torch.randn(batch, *axes[1:])} for batch in batches)
    return tuple(_text(model.config, *each, pooled=pooled) for each in (axes, axes if static else (3, OTHER_TOKENS)))


def _text(config: Any, batch: int, tokens: int, *, pooled: bool) -> Mapping[str, torch.Tensor]:
    """Random tokens, the last sample padded at its end. Token types (which of two sentences) only where there are several and a sentence does not stand alone."""
    import torch

    mask = torch.ones(batch, tokens, dtype=torch.int64)
    mask[-1, tokens - tokens // 4 :] = 0
    example = {"input_ids": torch.randint(config.vocab_size, (batch, tokens)), "attention_mask": mask}
    if getattr(config, "type_vocab_size", 0) > 1 and not pooled:
        example["token_type_ids"] = torch.zeros(batch, tokens, dtype=torch.int64)
    return example


def _dynamic(example: Mapping[str, torch.Tensor], longest: int | None) -> Mapping[str, Mapping[int, Any]]:
    """Free axes by input: the samples, and the tokens of text."""
    import torch

    batch, tokens = torch.export.Dim("batch"), torch.export.Dim("sequence", min=2, max=longest)
    return {name: {0: batch, 1: tokens} if value.ndim == 2 else {0: batch} for name, value in example.items()}


def _tensors(output: Any) -> tuple[str, ...]:
    """Names of a model output's tensors; the pooler of a bare model is left out, most were never trained."""
    import torch

    names = [name for name, value in output.items() if isinstance(value, torch.Tensor) and name not in _UNUSED]
    return tuple(name for name in names if not (name == "pooler_output" and "last_hidden_state" in names))


def _pooling(folder: Path) -> tuple[str, bool]:
    """How sentence-transformers makes one vector of a sentence (modules.json): its kind and whether the length becomes 1; ("", False) for other folders."""
    modules = _json(folder / "modules.json") if (folder / "modules.json").is_file() else []
    kinds = [str(each["type"]).rpartition(".")[2] for each in modules]
    if "Pooling" not in kinds:
        return "", False
    if unknown := sorted(set(kinds) - {"Transformer", "Pooling", "Normalize"}):
        raise Unsupported(f"`{folder.name}` goes through {', '.join(unknown)} after its encoder: onnx-export knows pooling and normalisation")
    told = _json(folder / modules[kinds.index("Pooling")]["path"] / "config.json")
    chosen = [name for name, key in POOLING.items() if told.get(key)]
    modes = [key for key, value in told.items() if key.startswith("pooling_mode_") and value]
    if len(chosen) != 1 or len(modes) != 1:
        raise Unsupported(f"`{folder.name}` pools by {', '.join(modes) or 'nothing'}: onnx-export knows one of {', '.join(POOLING)}")
    return chosen[0], "Normalize" in kinds


def _plain(model: Any, outputs: tuple[str, ...], pooled: str, normalised: bool) -> Any:
    """The model as a module that returns a tuple of tensors."""
    import torch

    module: Any = torch.nn.Module

    class Plain(module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.model = model

        def forward(self, inputs: dict[str, torch.Tensor]) -> tuple[torch.Tensor, ...]:
            output = self.model(**inputs)
            if not pooled:
                return tuple(output[name] for name in outputs)
            vector = _sentence(output.last_hidden_state, inputs["attention_mask"], pooled)
            return (torch.nn.functional.normalize(vector) if normalised else vector,)

    return Plain().eval()


def _sentence(hidden: torch.Tensor, mask: torch.Tensor, kind: str) -> torch.Tensor:
    """[batch, tokens, width] to [batch, width]; padding does not count."""
    if kind == "cls":
        return hidden[:, 0]
    counted = mask[:, :, None].to(hidden.dtype)
    if kind == "max":
        return hidden.masked_fill(counted == 0, -1e9).max(dim=1).values
    return (hidden * counted).sum(1) / counted.sum(1).clamp(min=1e-9)


def _json(file: Path) -> Any:
    try:
        return json.loads(file.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise Unsupported(f"`{file.parent.name}/{file.name}` cannot be read: {_line(error)}") from error


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:300]
