"""From a Hugging Face configuration (config.json) to dimensions. Pure; senseless values count as absent."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from recommender.domain.model import Attention
from recommender.intake.models.architectures import ENCODERS, WINDOW_PERIOD, architecture_of, n_global, structure_of

MAX_COUNT = 1 << 40
_HEADS = (
    ("ForSequenceClassification", "text-classification"), ("ForTokenClassification", "text-classification"),
    ("ForImageClassification", "image-classification"), ("ForObjectDetection", "object-detection"),
    ("ForSemanticSegmentation", "segmentation"), ("ForInstanceSegmentation", "segmentation"),
    ("ForUniversalSegmentation", "segmentation"),
    ("ForImageSegmentation", "segmentation"), ("ForDepthEstimation", "depth-estimation"),
    ("ForPoseEstimation", "pose-estimation"),
    ("ForAudioClassification", "audio-classification"), ("ForImageSuperResolution", "super-resolution"),
    ("ForCTC", "speech-recognition"),
    ("ForSpeechSeq2Seq", "speech-recognition"), ("ForVision2Seq", "image-text-to-text"),
    ("ForImageTextToText", "image-text-to-text"),
    ("ForMaskedLM", "embedding"), ("ForCausalLM", "text-generation"), ("LMHeadModel", "text-generation"),
)  # fmt: skip
_SPEECH = ("whisper", "wav2vec2", "hubert", "speech_to_text", "moonshine", "parakeet", "seamless_m4t")
_VISION = (
    "vit",
    "deit",
    "swin",
    "swinv2",
    "convnext",
    "convnextv2",
    "resnet",
    "mobilenet_v1",
    "mobilenet_v2",
    "mobilevit",
    "mobilevitv2",
    "efficientnet",
    "regnet",
    "beit",
    "dinov2",
    "detr",
    "yolos",
    "rt_detr",
    "segformer",
    "dpt",
    "timm_wrapper",
)
_CNN = ("convnext", "convnextv2", "resnet", "mobilenet_v1", "mobilenet_v2", "efficientnet", "regnet")
_IMAGE_TEXT = ("clip", "siglip", "siglip2", "chinese_clip", "align", "blip")


class Config:
    """A configuration with checked look-ups; `text` is the language model's part where one is nested."""

    def __init__(self, raw: Mapping[str, Any]):
        self.raw = raw
        nested = next(
            (raw[key] for key in ("text_config", "llm_config", "language_config") if isinstance(raw.get(key), dict)), None
        )
        self.text: Mapping[str, Any] = nested if nested is not None and self.model_type not in _IMAGE_TEXT else raw
        self.is_nested = self.text is not raw

    @property
    def model_type(self) -> str:
        value = self.raw.get("model_type")
        return value if isinstance(value, str) else ""

    @property
    def architecture(self) -> tuple[str | None, str]:
        """GGUF architecture and family."""
        inner = self.text.get("model_type")
        name = inner if isinstance(inner, str) and inner and not self.model_type else self.model_type
        return architecture_of(name) if name else (None, "")

    @property
    def heads(self) -> tuple[str, ...]:
        value = self.raw.get("architectures")
        return tuple(item for item in value if isinstance(item, str)) if isinstance(value, list) else ()

    def number(self, *names: str) -> int | None:
        """The first of these that is a sensible count, looked up in the language model's part, then at the top."""
        for part in (self.text, self.raw):
            for name in names:
                value = part.get(name)
                if isinstance(value, int) and not isinstance(value, bool) and 0 < value < MAX_COUNT:
                    return value
        return None

    def get(self, name: str) -> Any:
        return self.text.get(name, self.raw.get(name))


def task_of(config: Config) -> str:
    """Task from the class that the checkpoint was saved from, else from the model type."""
    kind = config.model_type
    if kind in _SPEECH or any("SpeechSeq2Seq" in head for head in config.heads):
        return "audio-classification" if any("Classification" in head for head in config.heads) else "speech-recognition"
    if kind in _IMAGE_TEXT and not any("ImageClassification" in head for head in config.heads):
        return "image-text-embedding"
    is_multimodal = any(isinstance(config.raw.get(key), dict) for key in ("vision_config", "visual", "vision_tower_config"))
    for head in config.heads:
        for ending, task in _HEADS:
            if head.endswith(ending):
                return "image-text-to-text" if task == "text-generation" and is_multimodal else task
        if head.endswith("ForConditionalGeneration"):
            return "image-text-to-text" if is_multimodal else "text-generation"
    if is_multimodal:
        return "image-text-to-text"
    architecture, _ = config.architecture
    if kind in _VISION:
        return "image-classification"
    return "embedding" if architecture in ENCODERS or any(head.endswith("Model") for head in config.heads) else "text-generation"


def modality_of(task: str) -> str:
    if task in ("image-text-to-text", "image-text-embedding"):
        return "multimodal"
    if task in ("text-generation", "embedding", "text-classification"):
        return "text"
    return {"speech-recognition": "audio", "audio-classification": "audio", "tabular": "tabular"}.get(task, "vision")


def structure_of_config(config: Config) -> str:
    if config.model_type in _CNN:
        return "cnn"
    if config.raw.get("is_encoder_decoder") is True:
        return "encoder-decoder"
    return structure_of(config.architecture[0] or "")


def dimensions(config: Config) -> dict[str, Any]:
    """ModelSpec's shape fields."""
    hidden = config.number("hidden_size", "n_embd", "d_model", "dim")
    heads = config.number("num_attention_heads", "n_head", "n_heads", "encoder_attention_heads", "num_heads")
    experts, used = experts_of(config)
    return {
        "n_layers": config.number("num_hidden_layers", "n_layer", "n_layers", "num_layers", "encoder_layers"),
        "hidden_size": hidden,
        "n_heads": heads,
        "n_kv_heads": config.number("num_key_value_heads", "num_kv_heads", "multi_query_group_num", "n_head_kv")
        or _kv_of(config, heads),
        "head_dim": config.number("head_dim", "d_kv", "kv_channels")
        or (hidden // heads if hidden and heads and hidden >= heads else None),
        "ffn_size": config.number(
            "intermediate_size", "n_inner", "d_ff", "ffn_dim", "encoder_ffn_dim", "ffn_hidden_size", "hidden_dim"
        )
        or (4 * hidden if hidden and config.model_type in ("gpt2", "gptj", "bloom", "gpt_bigcode") else None),
        "vocab_size": config.number("vocab_size"),
        "context_length": config.number(
            "max_position_embeddings", "n_positions", "n_ctx", "seq_length", "model_max_length", "max_seq_len"
        ),
        "tied_embeddings": tied(config),
        "n_experts": experts,
        "n_experts_used": used,
        "expert_ffn_size": (config.number("moe_intermediate_size", "expert_ffn_hidden_size") or _expert_ffn(config))
        if experts
        else None,
        "attention": attention_of(config),
    }


def experts_of(config: Config) -> tuple[int | None, int | None]:
    """Routed experts and those used per token, in the spelling of any family."""
    return (
        config.number("num_local_experts", "num_experts", "n_routed_experts", "moe_num_experts"),
        config.number("num_experts_per_tok", "num_experts_per_token", "experts_per_token", "moe_topk", "moe_k"),
    )


def _expert_ffn(config: Config) -> int | None:
    """Families without a size of their own for experts (Mixtral, OLMoE, GPT-OSS, Llama 4) use intermediate_size."""
    return config.number("intermediate_size")


def _kv_of(config: Config, heads: int | None) -> int | None:
    return 1 if config.get("multi_query") is True else heads


def tied(config: Config) -> bool | None:
    """Families of Gemma and GPT-2 tie by default, the others say so or do not."""
    value = config.get("tie_word_embeddings")
    if isinstance(value, bool):
        return value
    if config.model_type in ("whisper", "t5"):
        return True
    if not config.architecture[0] or task_of(config) not in ("text-generation", "image-text-to-text"):
        return None
    return config.architecture[1] in ("gemma", "gpt2") or config.model_type == "cohere"


def attention_of(config: Config) -> Attention:
    rank = config.number("kv_lora_rank")
    if rank:
        return Attention(kind="latent", kv_lora_rank=rank, rope_head_dim=config.number("qk_rope_head_dim"))
    if structure_of(config.architecture[0] or "") == "recurrent":
        return Attention(kind="none")
    n_layers = min(config.number("num_hidden_layers", "n_layer") or 0, 65_536)
    types = config.get("layer_types") or config.get("layers_block_type")
    kinds = tuple(item for item in types if isinstance(item, str)) if isinstance(types, list) else ()
    with_cache = _cached_layers(config, kinds, n_layers)
    window = config.number("sliding_window", "attention_chunk_size")
    if not window or not n_layers or not _uses_window(config, window):
        return Attention(kind="full", n_kv_layers=with_cache)
    globals_ = _global_layers(config, kinds, n_layers, with_cache)
    if globals_ is None or globals_ >= (with_cache or n_layers):
        return Attention(kind="full", n_kv_layers=with_cache)
    return Attention(
        kind="sliding",
        window=window,
        n_global_layers=globals_,
        n_kv_layers=with_cache,
        n_global_kv_heads=config.number("num_global_key_value_heads"),
        global_head_dim=config.number("global_head_dim"),
    )


def _uses_window(config: Config, window: int) -> bool:
    """Qwen names a window that is off unless switched on; a window as long as the context is none."""
    switch = config.get("use_sliding_window")
    if switch is False or (switch is None and config.architecture[1] == "qwen"):
        return False
    context = config.number("max_position_embeddings")
    return not context or window < context


def _cached_layers(config: Config, kinds: tuple[str, ...], n_layers: int) -> int | None:
    """Layers with a KV cache, None when all have one: hybrids name the others, some share the cache of earlier layers."""
    count = n_layers
    if kinds:
        count = sum("attention" in kind and not kind.startswith("linear") for kind in kinds)
    shared = config.number("num_kv_shared_layers")
    if shared and shared < count:
        count -= shared
    period = config.number("full_attention_interval")
    if not kinds and period and structure_of(config.architecture[0] or "") == "hybrid":
        count = n_global(n_layers, period)
    return count if 0 < count < n_layers else None


def _global_layers(config: Config, kinds: tuple[str, ...], n_layers: int, with_cache: int | None) -> int | None:
    """Layers that see everything; 0 when the window holds for all (Mistral 7B), None when nothing tells."""
    considered = with_cache or n_layers
    if kinds:
        return sum(kind == "full_attention" for kind in kinds[:considered])
    period = config.number("sliding_window_pattern", "_sliding_window_pattern") or WINDOW_PERIOD.get(config.architecture[0] or "")
    if period:
        return n_global(considered, period)
    first_windowed = config.get("max_window_layers")
    if config.get("use_sliding_window") is True and isinstance(first_windowed, int) and first_windowed >= 0:
        return min(first_windowed, considered)
    return 0
