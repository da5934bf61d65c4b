"""From a GGUF header to a ModelSpec."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from recommender.domain.model import Artifact, Attention, ModelSpec
from recommender.intake.models.architectures import (
    ENCODERS,
    VISION_LANGUAGE,
    WINDOW_PERIOD,
    family_of,
    structure_of,
)
from recommender.intake.models.gguf import Header, SkippedArray, Tensor, read_header
from recommender.intake.models.gguf_types import FILE_TYPES, FULL_PRECISION, bulk_types, scheme_of_types
from recommender.intake.models.reading import Malformed

MAX_COUNT = 1 << 40
_HUB = re.compile(r"^https?://huggingface\.co/([\w.-]+/[\w.-]+)/?$")


class Keys:
    """The `<architecture>.*` keys, each checked for kind and range; None when absent or senseless."""

    def __init__(self, metadata: Mapping[str, Any], architecture: str):
        self.metadata = metadata
        self.architecture = architecture

    def raw(self, key: str) -> Any:
        return self.metadata.get(f"{self.architecture}.{key}")

    def per_layer(self, key: str) -> tuple[int, ...]:
        """The value of each layer when the header has one a layer."""
        value = self.raw(key)
        if isinstance(value, tuple) and value and all(isinstance(item, int) for item in value):
            return tuple(int(item) for item in value)
        return ()

    def number(self, key: str) -> int | None:
        """One value; of a list the largest."""
        value = max(self.per_layer(key), default=None) if isinstance(self.raw(key), tuple) else self.raw(key)
        if isinstance(value, bool) or not isinstance(value, int) or not 0 < value < MAX_COUNT:
            return None
        return value


def read_gguf(path: Path) -> ModelSpec:
    """ModelSpec of a GGUF file or of the split file it is part of.

    Raises:
        Malformed
    """
    header = read_header(path)
    if not header.tensors:
        raise Malformed("holds no tensors, only metadata (a vocabulary file?)")
    architecture = header.metadata.get("general.architecture")
    if not isinstance(architecture, str) or not architecture:
        raise Malformed("does not say its architecture (general.architecture is absent)")
    keys = Keys(header.metadata, architecture)
    by_name = {tensor.name: tensor for tensor in header.tensors}
    n_params = sum(tensor.n_elements for tensor in header.tensors)
    embedding = by_name.get("token_embd.weight")
    task = task_of(keys, header)
    hidden, heads = keys.number("embedding_length"), keys.number("attention.head_count")
    return ModelSpec(
        key=stem_of(path),
        name=text(header.metadata, "general.name") or stem_of(path),
        aliases=names_of(header.metadata),
        task=task,
        structure=structure_of(architecture),
        family=family_of(architecture),
        architecture=architecture,
        modality="multimodal" if task in ("image-text-to-text", "image-text-embedding") else "text",
        n_params=n_params,
        n_active_params=active_params(header.tensors, keys),
        n_embedding_params=embedding.n_elements if embedding else None,
        n_layers=keys.number("block_count"),
        hidden_size=hidden,
        n_heads=heads,
        n_kv_heads=kv_heads(keys),
        head_dim=head_dim(keys),
        ffn_size=keys.number("feed_forward_length"),
        vocab_size=vocabulary_size(keys, embedding),
        context_length=keys.number("context_length"),
        tied_embeddings="output.weight" not in by_name
        if embedding and task in ("text-generation", "image-text-to-text")
        else None,
        attention=attention_of(keys, by_name),
        n_experts=keys.number("expert_count"),
        n_experts_used=keys.number("expert_used_count"),
        expert_ffn_size=keys.number("expert_feed_forward_length"),
        license=text(header.metadata, "general.license"),
        repository=repository_of(header.metadata),
        note="a vision projector: it needs its language model beside it" if architecture == "clip" else "",
        artifact=artifact_of(path, header, n_params),
    )


def task_of(keys: Keys, header: Header) -> str:
    """Task by architecture and pooling (1 to 3: a vector for the text, 4: a score)."""
    architecture = keys.architecture
    if architecture == "clip":
        return "image-text-embedding"
    if architecture == "whisper":
        return "speech-recognition"
    pooling = keys.raw("pooling_type")
    if pooling == 4 or any(tensor.name.startswith("cls.output") for tensor in header.tensors):
        return "text-classification"
    if architecture in ENCODERS or pooling in (1, 2, 3):
        return "embedding"
    return "image-text-to-text" if architecture in VISION_LANGUAGE else "text-generation"


def active_params(tensors: tuple[Tensor, ...], keys: Keys) -> int | None:
    """Parameters used per token: of the expert tensors only the share that is routed to."""
    experts, used = keys.number("expert_count"), keys.number("expert_used_count")
    if not experts or not used or used > experts:
        return None
    routed = sum(tensor.n_elements for tensor in tensors if "_exps" in tensor.name)
    return sum(tensor.n_elements for tensor in tensors) - routed + routed * used // experts


def window_pattern(keys: Keys, n_layers: int) -> tuple[bool, ...] | None:
    """For each layer whether it sees only a window; None when all see everything or nothing tells."""
    if not keys.number("attention.sliding_window"):
        return None
    pattern = keys.raw("attention.sliding_window_pattern")
    if isinstance(pattern, tuple) and len(pattern) >= n_layers:
        return tuple(bool(item) for item in pattern[:n_layers])
    period = pattern if isinstance(pattern, int) and not isinstance(pattern, bool) else WINDOW_PERIOD.get(keys.architecture)
    if not period or period < 1:
        return None
    return tuple((layer + 1) % period != 0 for layer in range(n_layers))


def kv_heads(keys: Keys) -> int | None:
    """KV heads of a layer; of layers that differ, of those with a window, else the largest."""
    each = keys.per_layer("attention.head_count_kv")
    pattern = window_pattern(keys, len(each)) if each else None
    if pattern:
        local = [count for count, windowed in zip(each, pattern, strict=True) if windowed and count > 0]
        if local:
            return max(local)
    return keys.number("attention.head_count_kv") or keys.number("attention.head_count")


def head_dim(keys: Keys) -> int | None:
    explicit = (
        keys.number("attention.key_length_swa") or keys.number("attention.key_length_mla") or keys.number("attention.key_length")
    )
    hidden, heads = keys.number("embedding_length"), keys.number("attention.head_count")
    return explicit or (hidden // heads if hidden and heads else None)


def attention_of(keys: Keys, by_name: Mapping[str, Tensor]) -> Attention:
    """Kind of attention; the latent cache only where the file holds the tensors for it (older files were written without)."""
    n_layers = min(keys.number("block_count") or 0, 65_536)
    each = keys.per_layer("attention.head_count_kv")
    with_cache = sum(count > 0 for count in each) if each and 0 in each else n_layers
    shared = keys.number("attention.shared_kv_layers")
    if shared and shared < with_cache:
        with_cache -= shared
    n_kv_layers = with_cache if with_cache != n_layers else None
    rank = keys.number("attention.kv_lora_rank")
    legacy = any(name.endswith("attn_kv_b.weight") for name in by_name) and not keys.number("attention.key_length_mla")
    if rank and not legacy:
        return Attention(
            kind="latent", kv_lora_rank=rank, rope_head_dim=keys.number("rope.dimension_count"), n_kv_layers=n_kv_layers
        )
    pattern = window_pattern(keys, n_layers) if n_layers else None
    if pattern:
        return _sliding(keys, pattern, with_cache, n_kv_layers)
    if structure_of(keys.architecture) == "recurrent":
        return Attention(kind="none")
    return Attention(kind="full", n_kv_layers=n_kv_layers)


def _sliding(keys: Keys, pattern: tuple[bool, ...], with_cache: int, n_kv_layers: int | None) -> Attention:
    each = keys.per_layer("attention.head_count_kv")
    of_global = [count for count, windowed in zip(each, pattern, strict=False) if not windowed and count > 0]
    local_heads, own_dim = kv_heads(keys), keys.number("attention.key_length_swa")
    full_heads, full_dim = max(of_global, default=None), keys.number("attention.key_length")
    return Attention(
        kind="sliding",
        window=keys.number("attention.sliding_window"),
        n_global_layers=sum(not windowed for windowed in pattern[:with_cache]),
        n_kv_layers=n_kv_layers,
        n_global_kv_heads=full_heads if full_heads != local_heads else None,
        global_head_dim=full_dim if own_dim and full_dim != own_dim else None,
    )


def artifact_of(path: Path, header: Header, n_params: int) -> Artifact:
    types: Counter[str] = Counter()
    for tensor in header.tensors:
        types[tensor.type_name] += tensor.n_elements
    bulk = _bulk(header.tensors)
    declared = FILE_TYPES.get(_file_type(header))
    scheme = scheme_of(header.tensors, bulk, declared)
    details: dict[str, Any] = {"gguf_version": header.version, "n_tensors": len(header.tensors)}
    if header.n_parts > 1:
        details["n_parts"] = header.n_parts
    if declared and declared != scheme:
        details["declared_scheme"] = declared
    if unknown := sorted(name for name in types if name.startswith("type-")):
        details["unknown_tensor_types"] = unknown
    return Artifact(
        format="gguf",
        path=str(path),
        size=header.file_size,
        scheme=scheme,
        bits_per_weight=round(header.data_size * 8 / n_params, 4) if n_params else None,
        is_quantized=bulk not in FULL_PRECISION if bulk else None,
        tensor_types=dict(types.most_common()),
        details=details,
    )


def _file_type(header: Header) -> int:
    value = header.metadata.get("general.file_type")
    return value & ~1024 if isinstance(value, int) and value >= 0 else -1  # 1024: "guessed" flag


def _bulk(tensors: tuple[Tensor, ...]) -> str | None:
    """The type that holds most weights of the layers; embedding and output tables have types of their own."""
    count: Counter[str] = Counter()
    for tensor in _layer_weights(tensors) or list(tensors):
        count[tensor.type_name] += tensor.n_elements
    return count.most_common(1)[0][0] if count else None


def _layer_weights(tensors: tuple[Tensor, ...]) -> list[Tensor]:
    return [tensor for tensor in tensors if len(tensor.shape) > 1 and not tensor.name.startswith(("token_embd", "output"))]


def scheme_of(tensors: tuple[Tensor, ...], bulk: str | None, declared: str | None) -> str | None:
    """The declared scheme if the tensors bear it out, else what the tensors say."""
    if bulk is None or bulk.startswith("type-"):
        return None
    weights = _layer_weights(tensors) or list(tensors)
    rows_fit = all(tensor.shape[0] % 256 == 0 for tensor in weights if tensor.type_name == bulk and tensor.shape)
    if declared and bulk in bulk_types(declared, rows_fit):
        return declared
    return scheme_of_types(bulk, frozenset(tensor.type_name for tensor in weights))


def vocabulary_size(keys: Keys, embedding: Tensor | None) -> int | None:
    tokens = keys.metadata.get("tokenizer.ggml.tokens")
    if isinstance(tokens, SkippedArray) and tokens.length:
        return tokens.length
    if embedding and len(embedding.shape) == 2:
        return embedding.shape[1]
    return keys.number("vocab_size")


def names_of(metadata: Mapping[str, Any]) -> tuple[str, ...]:
    """What the header calls the model: its name, its repository, base name with size and tuning."""
    base, size, tuning = (text(metadata, f"general.{key}") for key in ("basename", "size_label", "finetune"))
    joined = "-".join(part for part in (base, size, tuning) if part) if base and size else None
    found = (text(metadata, "general.name"), joined, repository_of(metadata))
    return tuple(dict.fromkeys(name for name in found if name))


def repository_of(metadata: Mapping[str, Any]) -> str | None:
    for key in (
        "general.source.huggingface.repository",
        "general.base_model.0.repo_url",
        "general.source.url",
        "general.repo_url",
    ):
        value = text(metadata, key)
        match = _HUB.match(value) if value else None
        if match:
            return match[1]
        if value and key.endswith("repository"):
            return value
    return None


def text(metadata: Mapping[str, Any], key: str) -> str | None:
    value = metadata.get(key)
    return value.strip()[:200] or None if isinstance(value, str) else None


def stem_of(path: Path) -> str:
    """The file's name without extension and part number."""
    return re.sub(r"-\d{5}-of-\d{5}$", "", path.stem)
