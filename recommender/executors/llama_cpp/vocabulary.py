"""Tokenizers into GGUF: byte-level BPE from tokenizer.json, SentencePiece from tokenizer.model or from a tokenizer.json made of one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from recommender.domain.errors import ModelFileError, Unsupported
from recommender.executors.llama_cpp.checkpoint import read_json

NORMAL, UNKNOWN, CONTROL, USER_DEFINED, UNUSED, BYTE = range(1, 7)  # kinds of a token, alike in SentencePiece and GGUF
_NEVER_MERGED = -1e6  # score of a token that no merge makes
_CONTRACTIONS = "(?i:'s|'t|'re|'ve|'m|'ll|'d)"
_TAIL = r" ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
_SLASH_TAIL = _TAIL.replace(r"[\r\n]*", r"[\r\n/]*")
_LOWER = r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+"
_UPPER = r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*"
# How text is cut before merging (pattern, whether merges are ignored for whole words) -> llama.cpp's name of it (its `llama-vocab.cpp`).
PRE_TOKENIZERS = {
    ("bytes", False): "gpt-2",
    ("digits bytes", False): "smollm",
    (_CONTRACTIONS + r"|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}|" + _TAIL, True): "llama-bpe",
    (_CONTRACTIONS + r"|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}|" + _TAIL, False): "dbrx",
    (_CONTRACTIONS + r"|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}|" + _TAIL, False): "qwen2",
    (f"{_LOWER}|{_UPPER}|" + r"\p{N}|" + _SLASH_TAIL, True): "tekken",
    (f"{_LOWER}{_CONTRACTIONS}?|{_UPPER}{_CONTRACTIONS}?|" + r"\p{N}{1,3}|" + _SLASH_TAIL, False): "gpt-4o",
}


@dataclass(kw_only=True, slots=True)
class Vocabulary:
    """model: llama.cpp's name of the algorithm: gpt2 (byte-level BPE), llama (SentencePiece BPE) or t5 (SentencePiece unigram)."""

    model: str
    pre: str = "default"
    tokens: list[bytes]
    scores: list[float]
    kinds: list[int]
    add_space_prefix: bool = False
    remove_extra_whitespaces: bool = False
    charsmap: bytes = field(default=b"", repr=False)

    def put(self, index: int, token: bytes, kind: int) -> None:
        """Set a token; the list grows as needed. What stands for unknown text or for a byte stays that."""
        self.extend_to(index + 1)
        if self.kinds[index] not in (UNKNOWN, BYTE):
            self.tokens[index], self.kinds[index] = token, kind

    def extend_to(self, size: int) -> None:
        for index in range(len(self.tokens), size):
            self.tokens.append(f"[PAD{index}]".encode())
            self.scores.append(_NEVER_MERGED)
            self.kinds.append(UNUSED)


def read_vocabulary(folder: Path, size: int) -> Vocabulary:
    """The tokenizer of a model whose embedding has `size` rows.

    Raises:
        Unsupported: a tokenizer of another kind, named. ModelFileError: none is there, or it is broken.
    """
    described = read_json(folder / "tokenizer.json")
    model = described.get("model") or {}
    if model.get("type") == "BPE" and not model.get("byte_fallback"):
        found = _byte_level(described)
    elif (folder / "tokenizer.model").is_file():
        found = read_sentencepiece((folder / "tokenizer.model").read_bytes())
    elif model.get("type") == "BPE":
        found = _byte_fallback(described)
    elif described:
        raise Unsupported(f"tokenizer.json of type {model.get('type')} without tokenizer.model")
    else:
        raise ModelFileError(f"`{folder.name}` has neither tokenizer.json nor tokenizer.model")
    for index, (token, special) in sorted(_added_tokens(folder, described).items()):
        text = token if special or found.model == "gpt2" else token.replace("▁", " ")
        found.put(index, text.encode(), CONTROL if special else USER_DEFINED)
    if len(found.tokens) > size:
        raise ModelFileError(f"the tokenizer has {len(found.tokens)} tokens, the model's embedding {size} rows")
    found.extend_to(size)
    return found


def write_vocabulary(writer: Any, folder: Path, vocabulary: Vocabulary) -> None:
    """The tokenizer, its special tokens and the chat template into an open `gguf.GGUFWriter`."""
    import gguf

    writer.add_tokenizer_model(vocabulary.model)
    writer.add_tokenizer_pre(vocabulary.pre)
    writer.add_token_list(vocabulary.tokens)
    writer.add_token_types(vocabulary.kinds)
    if vocabulary.model != "gpt2":
        writer.add_token_scores(vocabulary.scores)
    writer.add_add_space_prefix(vocabulary.add_space_prefix)
    if vocabulary.model == "t5":
        writer.add_remove_extra_whitespaces(vocabulary.remove_extra_whitespaces)
        if vocabulary.charsmap:
            writer.add_precompiled_charsmap(vocabulary.charsmap)
    special = gguf.SpecialVocab(folder, load_merges=vocabulary.model == "gpt2", n_vocab=len(vocabulary.tokens))
    if UNKNOWN in vocabulary.kinds:
        special.special_token_ids["unk"] = vocabulary.kinds.index(UNKNOWN)
    added = special.add_special_token
    # Without a template that says so only a bare SentencePiece model begins with its BOS token, as its tokenizer class does.
    added.setdefault("bos", vocabulary.model == "llama" and not (folder / "tokenizer.json").is_file())
    added.setdefault("eos", False)
    special.add_to_gguf(writer, quiet=True)


def _byte_level(described: Mapping[str, Any]) -> Vocabulary:
    """Byte-level BPE, with the way it cuts words recognised by its pattern."""
    model = described["model"]
    normalizer = (described.get("normalizer") or {}).get("type")
    if normalizer not in (None, "NFC"):  # llama.cpp normalizes nothing here; composed text is what models see anyway
        raise Unsupported(f"byte-level tokenizer with normalizer `{normalizer}`")
    pattern = _pattern(described.get("pre_tokenizer") or {})
    pre = PRE_TOKENIZERS.get((pattern, bool(model.get("ignore_merges"))))
    if pre is None:
        raise Unsupported(f"byte-level tokenizer that cuts words by `{pattern[:80]}`: llama.cpp's name of it is not known here")
    found = Vocabulary(model="gpt2", pre=pre, tokens=[], scores=[], kinds=[])
    for token, index in model["vocab"].items():
        found.put(index, token.encode(), NORMAL)
    return found


def _pattern(step: Mapping[str, Any]) -> str:
    """The steps before merging in one text: `bytes` for the pattern of GPT-2, `digits` for single digits, else a regular expression."""
    kind = step.get("type")
    if kind == "Sequence":
        return " ".join(filter(None, map(_pattern, step["pretokenizers"])))
    if kind == "ByteLevel" and not step.get("add_prefix_space"):
        return "bytes" if step.get("use_regex", True) else ""
    if kind == "Digits" and step.get("individual_digits"):
        return "digits"
    if kind == "Split" and step.get("behavior") == "Isolated" and not step.get("invert"):
        return str(step["pattern"].get("Regex", step["pattern"]))
    return f"({kind})"


def _byte_fallback(described: Mapping[str, Any]) -> Vocabulary:
    """SentencePiece BPE written as tokenizer.json: a token's score is minus the rank of the first merge that makes it."""
    model = described["model"]
    rank: dict[str, int] = {}
    for position, pair in enumerate(model["merges"]):
        rank.setdefault("".join(pair.split(" ") if isinstance(pair, str) else pair), position)
    prefix = any(step.get("type") == "Prepend" or step.get("prepend_scheme") in ("first", "always") for step in _steps(described))
    found = Vocabulary(model="llama", tokens=[], scores=[], kinds=[], add_space_prefix=prefix)
    for token, index in model["vocab"].items():
        is_byte = len(token) == 6 and token.startswith("<0x") and token.endswith(">")
        found.put(index, token.encode(), BYTE if is_byte else UNKNOWN if token == model.get("unk_token") else NORMAL)
        found.scores[index] = -float(rank[token]) if token in rank else _NEVER_MERGED
    return found


def _steps(described: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Normalizers and pre-tokenizers in one flat list."""
    tops = [described.get("normalizer") or {}, described.get("pre_tokenizer") or {}]
    return [step for top in tops for step in (top.get("normalizers") or top.get("pretokenizers") or [top])]


def read_sentencepiece(data: bytes) -> Vocabulary:
    """A SentencePiece model file (`sentencepiece_model.proto`: pieces 1, trainer 2 with its type 3, normalizer 3).

    Raises:
        Unsupported: neither BPE nor unigram. ModelFileError: it is not such a file.
    """
    import struct

    from recommender.intake.models.reading import Malformed, Window
    from recommender.intake.models.wire import BYTES, fields

    window = Window(data, "tokenizer.model")

    def message(start: int, length: int) -> dict[int, Any]:
        return {number: window.take(at, size) if size or kind == BYTES else at for number, kind, at, size in fields(window, start, start + length)}

    tokens, scores, kinds, trainer, normalizer = [], [], [], {}, {}
    try:
        for number, _, at, size in fields(window, 0, len(data)):
            if number == 1:
                piece = message(at, size)
                tokens.append(piece.get(1, b""))
                scores.append(struct.unpack("<f", piece[2])[0] if 2 in piece else 0.0)
                kinds.append(piece.get(3, NORMAL))
            elif number == 2:
                trainer = message(at, size)
            elif number == 3:
                normalizer = message(at, size)
    except (Malformed, struct.error, TypeError) as error:
        raise ModelFileError(f"`tokenizer.model` is not a SentencePiece model: it {error}") from None
    algorithm = {1: "t5", 2: "llama"}.get(trainer.get(3, 1))
    if algorithm is None or not tokens:
        raise Unsupported("tokenizer.model is neither BPE nor unigram")
    return Vocabulary(
        model=algorithm, tokens=tokens, scores=scores, kinds=kinds, charsmap=normalizer.get(2, b""),
        add_space_prefix=bool(normalizer.get(3, 1)), remove_extra_whitespaces=bool(normalizer.get(4, 1)),
    )


def _added_tokens(folder: Path, described: Mapping[str, Any]) -> dict[int, tuple[str, bool]]:
    """id -> (text, whether it is special) of tokens added beside the vocabulary."""
    told = described.get("added_tokens") or [
        {"id": int(index), **token} for index, token in (read_json(folder / "tokenizer_config.json").get("added_tokens_decoder") or {}).items()
    ]
    found = {token["id"]: (token["content"], bool(token.get("special"))) for token in told}
    for content, index in read_json(folder / "added_tokens.json").items():
        found.setdefault(index, (content, True))
    return found
