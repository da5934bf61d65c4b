"""Weights are found where the user's tools have put them; a name alone is answered with how to get them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from recommender.apply.sources import find_source
from recommender.domain.catalog import Catalog
from recommender.domain.errors import UsageError


@pytest.fixture
def homes(tmp_path: Path) -> dict[str, str]:
    return {"HF_HOME": str(tmp_path / "hf"), "OLLAMA_MODELS": str(tmp_path / "ollama"), "LMSTUDIO_HOME": str(tmp_path / "lm")}


def put_in_hub(root: str, repository: str, name: str = "model.safetensors") -> Path:
    folder = Path(root) / "hub" / ("models--" + repository.replace("/", "--")) / "snapshots" / "abc"
    folder.mkdir(parents=True)
    (folder / name).write_bytes(b"0" * 8)
    return folder


def put_in_ollama(root: str, name: str, tag: str) -> Path:
    manifest = Path(root) / "manifests" / "registry.ollama.ai" / "library" / name / tag
    manifest.parent.mkdir(parents=True)
    layer = {"mediaType": "application/vnd.ollama.image.model", "digest": "sha256:12ab"}
    manifest.write_text(json.dumps({"layers": [{"mediaType": "application/vnd.ollama.image.license", "digest": "sha256:00"}, layer]}))
    blob = Path(root) / "blobs" / "sha256-12ab"
    blob.parent.mkdir(parents=True)
    blob.write_bytes(b"GGUF")
    return blob


def test_a_name_without_weights_says_how_to_get_them(catalog: Catalog, homes: dict[str, str]) -> None:
    model = catalog.models["llama-3.2-1b"]
    with pytest.raises(UsageError, match="`llama-3.2-1b`: its weights are not on this machine") as caught:
        find_source("llama-3.2-1b", model, homes)
    assert caught.value.hints[0] == f"hf download {model.repository}"


def test_the_hub_cache_is_searched(catalog: Catalog, homes: dict[str, str]) -> None:
    model = catalog.models["llama-3.2-1b"]
    assert model.repository
    folder = put_in_hub(homes["HF_HOME"], model.repository, "config.json")
    with pytest.raises(UsageError):
        find_source("llama-3.2-1b", model, homes)
    (folder / "model.safetensors").write_bytes(b"0")
    found = find_source("llama-3.2-1b", model, homes)
    assert (found.path, found.origin) == (folder, "hugging-face-cache")


def test_ollama_and_lm_studio_are_searched(catalog: Catalog, homes: dict[str, str]) -> None:
    model = catalog.models["llama-3.2-1b"]
    lm = Path(homes["LMSTUDIO_HOME"]) / "models" / "someone" / "Llama-3.2-1B-Instruct-GGUF"
    lm.mkdir(parents=True)
    (lm / "a-Q4_K_M.gguf").write_bytes(b"GGUF")
    assert find_source("llama-3.2-1b", model, homes).origin == "lm-studio"
    blob = put_in_ollama(homes["OLLAMA_MODELS"], "llama3.2", "1b")
    assert find_source("llama-3.2-1b", model, homes).path == blob


def test_another_size_is_another_model(catalog: Catalog, homes: dict[str, str]) -> None:
    put_in_ollama(homes["OLLAMA_MODELS"], "llama3.2", "3b")
    with pytest.raises(UsageError):
        find_source("llama-3.2-1b", catalog.models["llama-3.2-1b"], homes)


def test_broken_manifests_are_passed_over(catalog: Catalog, homes: dict[str, str]) -> None:
    blob = put_in_ollama(homes["OLLAMA_MODELS"], "llama3.2", "1b")
    broken = Path(homes["OLLAMA_MODELS"]) / "manifests" / "registry.ollama.ai" / "library" / "a" / "b"
    broken.parent.mkdir()
    broken.write_text('{"layers": 3}')
    assert find_source("llama-3.2-1b", catalog.models["llama-3.2-1b"], homes).path == blob
