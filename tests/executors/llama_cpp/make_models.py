"""Random models of every architecture with their logits, and small tokenizers with their token ids: a program for an environment with PyTorch.

    python make_models.py FOLDER
"""

import json
import sys
from pathlib import Path

import numpy as np
import sentencepiece
import torch
import transformers
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

SIZES = {
    "vocab_size": 512, "hidden_size": 128, "intermediate_size": 256, "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2,
    "max_position_embeddings": 512, "initializer_range": 0.1, "bos_token_id": 0, "eos_token_id": 0, "pad_token_id": 0,
}  # fmt: skip
_LLAMA3 = {"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0, "original_max_position_embeddings": 64}
_YARN = {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 64}
_LONG = {"rope_type": "longrope", "long_factor": [1 + i for i in range(12)], "short_factor": [1 + 0.3 * i for i in range(12)]}
_WINDOWED = {"head_dim": 64, "query_pre_attn_scalar": 64, "sliding_window": 32}
MODELS = {
    "llama": ("Llama", {}),
    "llama-llama3": ("Llama", {"tie_word_embeddings": True, "attention_bias": True, "rope_scaling": _LLAMA3}),
    "llama-linear": ("Llama", {"rope_scaling": {"rope_type": "linear", "factor": 4.0}}),
    "mistral": ("Mistral", {"head_dim": 64, "rope_theta": 1e6}),
    "qwen2": ("Qwen2", {}),
    "qwen2-yarn": ("Qwen2", {"rope_scaling": _YARN}),
    "qwen3": ("Qwen3", {"head_dim": 64}),
    "phi3": ("Phi3", {}),
    "phi3-longrope": ("Phi3", {"partial_rotary_factor": 0.75, "original_max_position_embeddings": 256, "rope_scaling": _LONG}),
    "gemma": ("Gemma", {"head_dim": 64}),
    "gemma2": ("Gemma2", _WINDOWED),
    "gemma3": ("Gemma3", {**_WINDOWED, "num_hidden_layers": 7}),
}
CORPUS = [
    "The quick brown fox jumps over the lazy dog, again and again.", "It's fine; they've gone, I'm sure we'll see.", "def f(x):\n    return x + 1\n\n",
    "In 2024 there were 12345 entries, and 99 of them were wrong.", "café naïve déjà vu", "HELLO World CamelCase snake_case", "  indented\ttext\r\n",
] * 20
TEXTS = [
    "The quick brown fox didn't jump over 1234567 lazy dogs.", "They'RE HELLO worlds,  with   spaces\n\n\nand\ttabs ", " leading space", "def g(y):\n        return y/2 // 3",
    "déjà vu: 日本語 ☃ unseen", "camelCaseXMLHttp unmergeable words", "a",
]  # fmt: skip


def make_models(folder: Path) -> None:
    torch.manual_seed(0)
    tokens = torch.randint(0, SIZES["vocab_size"], (1, 96))
    np.save(folder / "tokens.npy", tokens.numpy()[0])
    for name, (family, changes) in MODELS.items():
        config = getattr(transformers, f"{family}TextConfig" if family == "Gemma3" else f"{family}Config")(**{**SIZES, **changes})
        model = getattr(transformers, f"{family}ForCausalLM")(config).eval()
        with torch.no_grad():
            for key, values in model.named_parameters():
                if key.endswith(("norm.weight", "bias")):
                    values.add_(torch.randn_like(values) * 0.2)
        save(model, tokens, folder / name)
        if name == "qwen2":
            save(model.to(torch.bfloat16), tokens, folder / "qwen2-bf16")


def save(model: torch.nn.Module, tokens: torch.Tensor, folder: Path) -> None:
    """In several files and with an index; logits in float32 whatever the weights are stored in (read again: a cast would spoil what is no weight)."""
    model.save_pretrained(folder, max_shard_size="700KB")
    exact = type(model).from_pretrained(folder, dtype=torch.float32).eval()
    with torch.no_grad():
        np.save(folder / "logits.npy", exact(tokens).logits[0].numpy())
    byte_level(pre_tokenizers.ByteLevel(add_prefix_space=False)).save(str(folder / "tokenizer.json"))


def byte_level(cutting: pre_tokenizers.PreTokenizer) -> Tokenizer:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer, tokenizer.decoder = cutting, decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    tokenizer.train_from_iterator(CORPUS, trainers.BpeTrainer(vocab_size=400, special_tokens=["<|end|>"], initial_alphabet=alphabet, show_progress=False))
    return tokenizer


def make_tokenizers(folder: Path, patterns: list[dict[str, object]]) -> None:
    """`patterns`: {name, pattern, ignore_merges} of llama.cpp's byte-level ones, as the converter knows them."""
    from tokenizers import Regex

    for each in patterns:
        cutting = pre_tokenizers.ByteLevel(add_prefix_space=False)
        if each["pattern"] == "digits bytes":
            cutting = pre_tokenizers.Sequence([pre_tokenizers.Digits(individual_digits=True), cutting])
        elif each["pattern"] != "bytes":
            split = pre_tokenizers.Split(Regex(str(each["pattern"])), "isolated")
            cutting = pre_tokenizers.Sequence([split, pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
        described = json.loads(byte_level(cutting).to_str())
        described["model"]["vocab"]["Ġunmergeable"] = len(described["model"]["vocab"])  # what only ignoring the merges can find
        described["model"]["ignore_merges"] = each["ignore_merges"]
        keep(folder / str(each["name"]), Tokenizer.from_str(json.dumps(described)))
    keep(folder / "byte-fallback", byte_fallback())
    for kind in ("bpe", "unigram"):
        sentence_piece(folder / f"sentencepiece-{kind}", kind)


def byte_fallback() -> Tokenizer:
    """A Llama 2 style tokenizer.json."""
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>", byte_fallback=True, fuse_unk=True))
    tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    special = ["<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256))]
    tokenizer.train_from_iterator(CORPUS, trainers.BpeTrainer(vocab_size=480, special_tokens=special, show_progress=False))
    described = json.loads(tokenizer.to_str())
    described["added_tokens"] = described["added_tokens"][:3]
    return Tokenizer.from_str(json.dumps(described))


def keep(folder: Path, tokenizer: Tokenizer) -> None:
    folder.mkdir()
    tokenizer.save(str(folder / "tokenizer.json"))
    write_expected(folder, [tokenizer.encode(text, add_special_tokens=False).ids for text in TEXTS])


def sentence_piece(folder: Path, kind: str) -> None:
    folder.mkdir()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(CORPUS), model_prefix=str(folder / "tokenizer"), model_type=kind, vocab_size=400 if kind == "bpe" else 120,
        byte_fallback=kind == "bpe", hard_vocab_limit=False, minloglevel=2, normalization_rule_name="identity" if kind == "bpe" else "nmt_nfkc",
        remove_extra_whitespaces=kind != "bpe", character_coverage=1.0,
    )
    processor = sentencepiece.SentencePieceProcessor(model_file=str(folder / "tokenizer.model"))
    write_expected(folder, [processor.encode(text) for text in TEXTS])


def write_expected(folder: Path, ids: list[list[int]]) -> None:
    told = [{"text": text, "ids": each} for text, each in zip(TEXTS, ids, strict=True)]
    (folder / "expected.json").write_text(json.dumps(told), "utf-8")


if __name__ == "__main__":
    root = Path(sys.argv[1])
    (root / "models").mkdir()
    (root / "tokenizers").mkdir()
    make_models(root / "models")
    make_tokenizers(root / "tokenizers", json.loads((root / "patterns.json").read_text("utf-8")))
