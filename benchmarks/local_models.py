"""GGUF files of random weights with the exact layers of three published models, in four levels: what is computed does not hang on the values."""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from recommender.executors.llama_cpp.shape_proxy import PROXY
from recommender.ports import ProxyJob

LEVELS = ("Q4_0", "Q4_K_M", "Q8_0", "F16")


@dataclass(frozen=True, kw_only=True, slots=True)
class Shape:
    """Dimensions of a model with tied embeddings."""

    key: str
    architecture: str
    layers: int
    hidden: int
    heads: int
    kv_heads: int
    head_size: int
    ffn: int
    vocabulary: int

    @property
    def kv_bytes(self) -> float:
        """Of one token in a cache of fp16."""
        return 2.0 * 2 * self.layers * self.kv_heads * self.head_size

    @property
    def model(self) -> dict[str, Any]:
        """As a writer of shapes is told of it."""
        return {
            "architecture": self.architecture, "n_layers": self.layers, "hidden_size": self.hidden, "n_heads": self.heads, "n_kv_heads": self.kv_heads,
            "head_dim": self.head_size, "ffn_size": self.ffn, "vocab_size": self.vocabulary, "context_length": 131072, "tied_embeddings": True,
        }


SHAPES = (
    Shape(key="qwen2.5-0.5b", architecture="qwen2", layers=24, hidden=896, heads=14, kv_heads=2, head_size=64, ffn=4864, vocabulary=151936),
    Shape(key="llama-3.2-1b", architecture="llama", layers=16, hidden=2048, heads=32, kv_heads=8, head_size=64, ffn=8192, vocabulary=128256),
    Shape(key="llama-3.2-3b", architecture="llama", layers=28, hidden=3072, heads=24, kv_heads=8, head_size=128, ffn=8192, vocabulary=128256),
)


def made(shape: Shape, level: str, folder: Path) -> Path:
    """The file of a level, written where the folder does not have it yet."""
    path = folder / f"{shape.key}-{level}.gguf"
    if path.exists():
        return path
    with tempfile.TemporaryDirectory(dir=folder) as name:
        out = Path(name)
        written = PROXY.write(ProxyJob(model=shape.model, scheme={"key": level}, n_layers=shape.layers, out=out))
        shutil.move(out / written.artifact, path)
    return path
