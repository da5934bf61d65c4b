"""Weights that are on this machine already: given by path, or in the caches of the Hugging Face hub, Ollama or LM Studio. Nothing is downloaded."""

from __future__ import annotations

import json
import os
import re
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from recommender.domain.errors import UsageError
from recommender.domain.model import ModelSpec
from recommender.intake.models import hub
from recommender.intake.models.reading import names_in

_OLLAMA_MODEL = "application/vnd.ollama.image.model"  # media type of the layer that holds the weights


@dataclass(frozen=True, kw_only=True, slots=True)
class Source:
    """Where weights lie and who put them there: given, hugging-face-cache, ollama, lm-studio."""

    path: Path
    origin: str


def find_source(words: str, model: ModelSpec, environment: Mapping[str, str] = os.environ) -> Source:
    """The weights of a model: the path the user gave, else what a cache holds (unquantized ones first).

    Raises:
        UsageError: there are none here; the hints say how to get them.
    """
    if model.artifact is not None:
        return Source(path=Path(model.artifact.path).absolute(), origin="given")
    ids = [name for name in dict.fromkeys((model.repository or "", words, *model.aliases)) if hub.ID.match(name)]
    for hub_id in ids:
        if (snapshot := hub.cached_snapshot(hub_id, environment)) is not None and _has_weights(snapshot):
            return Source(path=snapshot, origin="hugging-face-cache")
    names = {_plain(name.rpartition("/")[2]) for name in (model.key, words, model.repository or "", *model.aliases) if name}
    for origin, found in (("ollama", _ollama(environment)), ("lm-studio", _lm_studio(environment))):
        for name, path in found:
            if _plain(name) in names:
                return Source(path=path, origin=origin)
    download = tuple(hub.download_hint(hub_id) for hub_id in ids[:1])
    raise UsageError(
        f"`{words}`: its weights are not on this machine (looked in the caches of the Hugging Face hub, Ollama and LM Studio)",
        hints=(*download, f"recommend apply --model ./{shlex.quote(model.key.rpartition('/')[2])} --out DIR"),
    )


def _has_weights(folder: Path) -> bool:
    """A snapshot may hold a configuration only."""
    return any(name.endswith((".safetensors", ".gguf", ".onnx", ".xml")) for name in names_in(folder))


def _plain(name: str) -> str:
    """`llama3.2:1b`, `Llama-3.2-1B-Instruct-GGUF` and `llama-3.2-1b` are one name."""
    return re.sub(r"(instruct|chat|gguf|latest|[-_:.\s])", "", name.lower())


def _ollama(environment: Mapping[str, str]) -> Iterator[tuple[str, Path]]:
    """(name:tag, file of the weights) of what Ollama has pulled."""
    root = Path(environment.get("OLLAMA_MODELS") or "~/.ollama/models").expanduser()
    for manifest in sorted((root / "manifests").glob("*/*/*/*")):
        try:
            layers = json.loads(manifest.read_text("utf-8"))["layers"]
            digest = next(layer["digest"] for layer in layers if layer["mediaType"] == _OLLAMA_MODEL)
        except (OSError, ValueError, LookupError, TypeError, StopIteration):
            continue
        blob = root / "blobs" / digest.replace(":", "-")
        if blob.is_file():
            yield f"{manifest.parent.name}:{manifest.name}", blob


def _lm_studio(environment: Mapping[str, str]) -> Iterator[tuple[str, Path]]:
    """(repository name, its largest GGUF file) of what LM Studio has downloaded."""
    home = environment.get("LMSTUDIO_HOME")
    for root in [Path(home) / "models"] if home else [Path("~/.lmstudio/models").expanduser(), Path("~/.cache/lm-studio/models").expanduser()]:
        for folder in sorted(path for path in root.glob("*/*") if path.is_dir()):
            files = sorted(folder.glob("*.gguf"), key=lambda path: (-path.stat().st_size, path.name))
            if files:
                yield folder.name, files[0]
