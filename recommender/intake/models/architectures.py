"""What the names of language-model architectures stand for: GGUF spelling, family, layout of the layers.

The names are those of llama.cpp's architecture list and of `model_type` in Hugging Face configurations.
"""

from __future__ import annotations

# Hugging Face `model_type` -> (GGUF architecture, family), where they differ from the type itself.
MODEL_TYPES: dict[str, tuple[str, str]] = {
    "llama": ("llama", "llama"), "mistral": ("llama", "mistral"), "mixtral": ("llama", "mistral"),
    "ministral": ("llama", "mistral"),
    "mistral3": ("mistral3", "mistral"), "llama4": ("llama4", "llama"), "llama4_text": ("llama4", "llama"),
    "mllama": ("mllama", "llama"),
    "qwen": ("qwen", "qwen"), "qwen2": ("qwen2", "qwen"), "qwen2_moe": ("qwen2moe", "qwen"), "qwen2_vl": ("qwen2vl", "qwen"),
    "qwen2_5_vl": ("qwen2vl", "qwen"), "qwen3": ("qwen3", "qwen"), "qwen3_moe": ("qwen3moe", "qwen"),
    "qwen3_next": ("qwen3next", "qwen"),
    "qwen3_vl": ("qwen3vl", "qwen"), "qwen3_vl_moe": ("qwen3vlmoe", "qwen"), "qwen3_5": ("qwen35", "qwen"),
    "qwen3_5_moe": ("qwen35moe", "qwen"),
    "phi": ("phi2", "phi"), "phi3": ("phi3", "phi"), "phi3_v": ("phi3", "phi"), "phi4mm": ("phi3", "phi"),
    "phimoe": ("phimoe", "phi"),
    "gemma": ("gemma", "gemma"), "gemma2": ("gemma2", "gemma"), "gemma3": ("gemma3", "gemma"), "gemma3_text": ("gemma3", "gemma"),
    "gemma3n": ("gemma3n", "gemma"), "gemma3n_text": ("gemma3n", "gemma"), "gemma4": ("gemma4", "gemma"),
    "gemma4_text": ("gemma4", "gemma"),
    "deepseek": ("deepseek", "deepseek"), "deepseek_v2": ("deepseek2", "deepseek"), "deepseek_v3": ("deepseek2", "deepseek"),
    "gpt_oss": ("gpt-oss", "gpt-oss"), "smollm3": ("smollm3", "smollm"), "olmo": ("olmo", "olmo"), "olmo2": ("olmo2", "olmo"),
    "olmo3": ("olmo2", "olmo"), "olmoe": ("olmoe", "olmo"), "granite": ("granite", "granite"),
    "granitemoe": ("granitemoe", "granite"),
    "granitemoehybrid": ("granitehybrid", "granite"), "exaone": ("exaone", "exaone"), "exaone4": ("exaone4", "exaone"),
    "falcon": ("falcon", "falcon"), "falcon_h1": ("falcon-h1", "falcon"), "stablelm": ("stablelm", "stablelm"),
    "gpt2": ("gpt2", "gpt2"),
    "gptj": ("gptj", "gptj"), "gpt_neox": ("gptneox", "gptneox"), "gpt_bigcode": ("starcoder", "starcoder"),
    "starcoder2": ("starcoder2", "starcoder"), "bloom": ("bloom", "bloom"), "mpt": ("mpt", "mpt"),
    "cohere": ("command-r", "command-r"),
    "cohere2": ("cohere2", "command-r"), "internlm2": ("internlm2", "internlm"), "minicpm": ("minicpm", "minicpm"),
    "minicpm3": ("minicpm3", "minicpm"), "glm4": ("glm4", "glm"), "glm4_moe": ("glm4moe", "glm"), "chatglm": ("chatglm", "glm"),
    "nemotron": ("nemotron", "nemotron"), "nemotron_h": ("nemotron_h", "nemotron"), "lfm2": ("lfm2", "lfm"),
    "lfm2_moe": ("lfm2moe", "lfm"),
    "mamba": ("mamba", "mamba"), "mamba2": ("mamba2", "mamba"), "jamba": ("jamba", "jamba"), "bitnet": ("bitnet", "bitnet"),
    "seed_oss": ("seed_oss", "seed"), "hunyuan_v1_dense": ("hunyuan-dense", "hunyuan"), "ernie4_5": ("ernie4_5", "ernie"),
    "ernie4_5_moe": ("ernie4_5-moe", "ernie"), "bert": ("bert", "bert"), "distilbert": ("bert", "bert"),
    "roberta": ("bert", "bert"),
    "xlm-roberta": ("bert", "bert"), "mpnet": ("mpnet", "bert"), "modernbert": ("modern-bert", "bert"),
    "nomic_bert": ("nomic-bert", "bert"),
    "deberta-v2": ("deberta-v2", "bert"), "albert": ("albert", "bert"), "electra": ("electra", "bert"), "t5": ("t5", "t5"),
    "mt5": ("t5", "t5"), "whisper": ("whisper", "whisper"), "vit": ("vit", "vit"), "clip": ("clip", "clip"),
    "siglip": ("siglip", "clip"),
}  # fmt: skip

ENCODERS = frozenset({
    "bert", "modern-bert", "nomic-bert", "nomic-bert-moe", "neo-bert", "jina-bert-v2", "jina-bert-v3", "eurobert",
    "gemma-embedding",
    "llama-embed", "t5encoder", "mpnet", "deberta-v2", "albert", "electra",
})  # fmt: skip
RECURRENT = frozenset({"mamba", "mamba2", "rwkv6", "rwkv6qwen2", "rwkv7", "arwkv7"})
HYBRIDS = frozenset({
    "jamba", "granitehybrid", "nemotron_h", "nemotron_h_moe", "falcon-h1", "lfm2", "lfm2moe", "qwen3next", "qwen35", "qwen35moe",
    "plamo2", "kimi-linear",
})  # fmt: skip
VISION_LANGUAGE = frozenset({"qwen2vl", "qwen3vl", "qwen3vlmoe", "mllama", "cogvlm", "hunyuan_vl", "paddleocr", "chameleon"})
# Every n-th layer sees the whole context, the others a window; the GGUF header does not say it for these.
WINDOW_PERIOD = {"gemma2": 2, "gemma3": 6, "gemma3n": 5, "gpt-oss": 2, "cohere2": 4, "llama4": 4, "exaone4": 4, "olmo2": 4}


def architecture_of(model_type: str) -> tuple[str, str]:
    """GGUF architecture and family of a `model_type`; the type's own spelling where the table has none."""
    return MODEL_TYPES.get(model_type, (model_type.replace("_", "-"), family_of(model_type)))


def family_of(architecture: str) -> str:
    """Family of a GGUF architecture, by the table or the letters the name starts with."""
    for known, family in MODEL_TYPES.values():
        if known == architecture:
            return family
    letters = architecture.split("-")[0].split("_")[0].rstrip("0123456789")
    return letters or architecture


def structure_of(architecture: str) -> str:
    if architecture in RECURRENT:
        return "recurrent"
    if architecture in HYBRIDS:
        return "hybrid"
    return "encoder-decoder" if architecture in ("t5", "whisper") else "transformer"


def n_global(n_layers: int, period: int) -> int:
    """Layers that see everything when each `period`-th does."""
    return n_layers // period if period > 0 else 0
