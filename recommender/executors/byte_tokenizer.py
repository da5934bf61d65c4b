"""PURE: a tokenizer whose tokens are single bytes, as Hugging Face's tokenizer.json, for models without one of their own.

Byte-level pair encoding without pairs; what is left of the vocabulary are words that no text gives and every generated token can be told by.
"""

from __future__ import annotations

from typing import Any

END = "<|endoftext|>"
_PRINTABLE = (*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1))


def vocabulary(n_vocab: int) -> list[str]:
    """Words by id: the end, the 256 bytes in the alphabet of byte-level encoding (GPT-2's: those that do not print are moved beyond 255), fillers."""
    moved = iter(range(256, 512))
    alphabet = [chr(byte if byte in _PRINTABLE else next(moved)) for byte in range(256)]
    return [END, *alphabet, *(f"<{number}>" for number in range(len(alphabet) + 1, n_vocab))][:n_vocab]


def tokenizer(n_vocab: int) -> dict[str, Any]:
    """Of tokenizer.json."""
    level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": False}
    end = {"id": 0, "content": END, "single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True}
    words = {word: number for number, word in enumerate(vocabulary(n_vocab))}
    return {
        "version": "1.0", "truncation": None, "padding": None, "added_tokens": [end], "normalizer": None, "pre_tokenizer": level, "post_processor": None,
        "decoder": level, "model": {
            "type": "BPE", "dropout": None, "unk_token": None, "continuing_subword_prefix": None, "end_of_word_suffix": None, "fuse_unk": False,
            "byte_fallback": False, "ignore_merges": False, "vocab": words, "merges": [],
        },
    }


def tokenizer_config() -> dict[str, Any]:
    """Of tokenizer_config.json."""
    return {"tokenizer_class": "PreTrainedTokenizerFast", "bos_token": END, "eos_token": END, "pad_token": END, "clean_up_tokenization_spaces": False}
