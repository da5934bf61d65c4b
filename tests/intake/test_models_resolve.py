from __future__ import annotations

import io
import json
import math
import os
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from recommender.domain.errors import ModelFileError
from recommender.domain.model import ModelSpec
from recommender.intake.model_files import read_model, resolve_model
from recommender.intake.models.directory import READERS
from recommender.intake.models.endings import MODEL_ENDINGS
from tests.model_files import DECODER_CONFIG, decoder_tensors, safetensors_bytes, write_hf_folder

N_PARAMS = sum(math.prod(shape) for _, shape in decoder_tensors(DECODER_CONFIG).values())


# --- the hub ----------------------------------------------------------------------------------------------------------


def test_local_cache_is_read_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    folder = tmp_path / "models--acme--tiny"
    write_hf_folder(folder / "snapshots" / "abc")
    (folder / "refs").mkdir()
    (folder / "refs" / "main").write_text("abc")
    spec = resolve_model("acme/tiny", {}, offline=True)
    assert (spec.key, spec.repository, spec.n_params) == ("tiny", "acme/tiny", N_PARAMS)


@pytest.mark.parametrize("how", ["argument", "environment"])
def test_offline_never_opens_the_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str) -> None:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr(urllib.request, "urlopen", lambda *_, **__: pytest.fail("the network was used"))
    if how == "environment":
        monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(ModelFileError, match="acme/tiny") as caught:
        resolve_model("acme/tiny", {}, offline=how == "argument")
    assert "hf download acme/tiny" in caught.value.hints


class Hub:
    """Answers requests from files; keeps what was asked."""

    def __init__(self, files: dict[str, bytes], code: int = 404):
        self.files, self.code, self.requests = files, code, []

    def __call__(self, request, timeout):
        self.requests.append(request)
        assert timeout <= 10
        name = request.full_url.rpartition("/")[2]
        if name not in self.files:
            raise urllib.error.HTTPError(request.full_url, self.code, "no", {}, None)
        start, end = (int(part) for part in request.headers["Range"].removeprefix("bytes=").split("-"))
        return _Answer(self.files[name][start : end + 1])


class _Answer(io.BytesIO):
    status = 206


def use_hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, files: dict[str, bytes], code: int = 404) -> Hub:
    fake = Hub(files, code)
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "none"))
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    monkeypatch.delenv("HF_ENDPOINT", raising=False)
    monkeypatch.setattr(urllib.request, "urlopen", fake)
    return fake


def test_hub_sends_only_configuration_and_header(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = {
        "config.json": json.dumps(DECODER_CONFIG).encode(),
        "model.safetensors": safetensors_bytes(decoder_tensors(DECODER_CONFIG)),
    }
    fake = use_hub(monkeypatch, tmp_path, files)
    spec = resolve_model("acme/tiny", {})
    assert (spec.n_params, spec.repository, spec.artifact) == (N_PARAMS, "acme/tiny", None)
    assert {request.full_url.rpartition("/")[2] for request in fake.requests} == {"config.json", "model.safetensors"}
    for request in fake.requests:
        assert request.unredirected_hdrs["Authorization"] == "Bearer hf_secret" and "Authorization" not in request.headers


@pytest.mark.parametrize(("code", "because"), [(401, "log in"), (404, "no config.json"), (500, "500")])
def test_hub_refusals(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int, because: str) -> None:
    use_hub(monkeypatch, tmp_path, {}, code)
    with pytest.raises(ModelFileError, match=because) as caught:
        resolve_model("acme/tiny", {})
    assert "acme/tiny" in caught.value.message and "hf_secret" not in caught.value.message and caught.value.hints


def test_unreachable_hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    use_hub(monkeypatch, tmp_path, {})
    monkeypatch.setattr(urllib.request, "urlopen", _unreachable)
    with pytest.raises(ModelFileError, match="cannot be reached"):
        read_model("acme/tiny")


def _unreachable(*_, **__):
    raise urllib.error.URLError(OSError("no route to host"))


# --- catalogue names --------------------------------------------------------------------------------------------------

CATALOG = {
    "llama-3.2-1b": ModelSpec(
        key="llama-3.2-1b",
        name="Llama 3.2 1B Instruct",
        task="text-generation",
        structure="transformer",
        license="llama3.2",
        gated=True,
        aliases=("meta-llama/Llama-3.2-1B-Instruct", "llama3.2:1b"),
        sources=("mod-x",),
    ),
    "tiny": ModelSpec(key="tiny", name="Tiny", task="text-generation", structure="transformer", n_params=10**12, license="mit"),
}


@pytest.mark.parametrize(
    "words", ["llama-3.2-1b", "LLAMA-3.2-1B", "meta-llama/Llama-3.2-1B-Instruct", "llama3.2:1b", "Llama 3.2 1B Instruct"]
)
def test_catalogue_names(words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert resolve_model(words, CATALOG, offline=True).key == "llama-3.2-1b"


def test_near_misses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ModelFileError) as caught:
        resolve_model("llama-3.2-1bb", CATALOG)
    assert caught.value.message == "unknown model `llama-3.2-1bb`"
    assert caught.value.hints == ("recommend --model llama-3.2-1b", "recommend catalog list models")


def test_path_wins_and_the_catalogue_adds_what_the_file_lacks(tmp_path: Path) -> None:
    config = {**DECODER_CONFIG, "_name_or_path": "meta-llama/Llama-3.2-1B-Instruct"}
    spec = resolve_model(str(write_hf_folder(tmp_path / "llama-3.2-1b", config)), CATALOG)
    assert (spec.license, spec.gated, spec.n_params) == ("llama3.2", True, N_PARAMS)
    assert "llama-3.2-1b" in spec.note and "license" in spec.note and spec.sources == ("mod-x",)


def test_a_like_name_of_another_size_adds_nothing(tmp_path: Path) -> None:
    assert resolve_model(str(write_hf_folder(tmp_path / "tiny")), CATALOG).license is None


@pytest.mark.parametrize("words", ["./nothing.gguf", "/no/such/dir", "model.onnx", "~/none/x", "a/b/c", "bad\0name", ""])
def test_missing_paths(words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ModelFileError) as caught:
        read_model(words)
    assert words.replace("\0", " ") in caught.value.message and caught.value.hints


def test_a_loop_of_links_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to(tmp_path / "b")
    (tmp_path / "b").symlink_to(tmp_path / "a")
    with pytest.raises(ModelFileError, match="cannot be read"):
        read_model(str(tmp_path / "a"))


def test_each_reader_has_an_ending_that_marks_a_path() -> None:
    assert set(READERS) <= set(MODEL_ENDINGS)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes on this system")
def test_a_pipe_does_not_block(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.gguf")
    with pytest.raises(ModelFileError, match="not a regular file"):
        read_model(str(tmp_path / "pipe.gguf"))
