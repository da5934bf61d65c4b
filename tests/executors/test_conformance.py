"""Every preparer and runner of ours passes the suites that a plug-in's would, on small real models: what the preparers make, the runners run."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import pytest

from recommender.domain.catalog import Catalog
from recommender.executors import registry
from recommender.testing.runner import GraphRunnerSuite, TokenRunnerSuite
from tests.executors.conftest import Trained
from tests.executors.qualcomm.conftest import service  # noqa: F401  a fixture
from tests.executors.suites import ORDERS, Once, OurPreparer, OurRunner, Steps, names_of

IMAGE = {"image": ("float32", (1, 1, 32, 32))}


@dataclass(frozen=True, kw_only=True)
class Source:
    """As `conftest.Trained`, for what is not trained."""

    model: Path


@pytest.fixture(scope="session")
def once(tmp_path_factory: pytest.TempPathFactory) -> Once:
    return Once(tmp_path_factory)


@pytest.fixture(scope="session")
def steps(request: pytest.FixtureRequest, catalog: Catalog, once: Once) -> Steps:
    return Steps(request, catalog, once)


@pytest.fixture(scope="session")
def null_graph(tmp_path_factory: pytest.TempPathFactory) -> Source:
    path = tmp_path_factory.mktemp("null") / "graph.null"
    path.write_text(json.dumps({"kind": "graph"}), "utf-8")
    return Source(model=path)


@pytest.fixture(scope="session")
def shallow_encoder(minilm: Trained, tmp_path_factory: pytest.TempPathFactory) -> Source:
    """The first layer of the sentence encoder: exporting all of them takes long and shows nothing more."""
    return changed(minilm.folder / "model", tmp_path_factory.mktemp("encoder"), "config.json", num_hidden_layers=1)


@pytest.fixture(scope="session")
def llama_with_start(tiny_llama: Trained, tmp_path_factory: pytest.TempPathFactory) -> Source:
    """The language model with a tokenizer that puts a start token before a text, as most do, unless it is told not to."""
    start = "<|endoftext|>"
    single = [{"SpecialToken": {"id": start, "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}]
    pair = [*single, {"Sequence": {"id": "B", "type_id": 1}}]
    template = {"type": "TemplateProcessing", "single": single, "pair": pair, "special_tokens": {start: {"id": start, "ids": [0], "tokens": [start]}}}
    return changed(tiny_llama.model, tmp_path_factory.mktemp("llama"), "tokenizer.json", post_processor=template)


def changed(model: Path, folder: Path, name: str, **values: Any) -> Source:
    """A model's folder with other values in one of its JSON files."""
    for path in model.iterdir():
        if path.name != name:
            (folder / path.name).symlink_to(path)
    (folder / name).write_text(json.dumps({**json.loads((model / name).read_text("utf-8")), **values}), "utf-8")
    return Source(model=folder)


@pytest.fixture(scope="session")
def signed_in(service: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:  # noqa: F811
    """The environment of a child whose client of AI Hub has a token for the contract server."""
    path = tmp_path_factory.mktemp("hub") / "client.ini"
    path.write_text(f"[api]\napi_token = works\napi_url = {service}\nweb_url = {service}\nverbose = False\n")
    yield {"QAIHUB_CLIENT_INI": str(path)}


# --- preparers ---------------------------------------------------------------------------------------------------------


class TestHfToGguf(OurPreparer):
    name = "hf-to-gguf"
    has_schemes = False  # an intermediate step: what it does not write is a later step's


class TestLlamaQuantize(OurPreparer):
    name = "llama-quantize"


class TestMlxLm(OurPreparer):
    name = "mlx-lm"


class TestNncf(OurPreparer):
    name = "nncf"


class TestNullPreparer(OurPreparer):
    name = "null"
    needs_a_framework = has_schemes = reads_source = False


class TestOlive(OurPreparer):
    name = "olive"


class TestOnnxExport(OurPreparer):
    name = "onnx-export"


class TestOptimumIntel(OurPreparer):
    name = "optimum-intel"


class TestOrtGenAIBuilder(OurPreparer):
    name = "ort-genai-builder"


class TestOrtQuantizer(OurPreparer):
    name = "ort-quantizer"


class TestQaiHub(OurPreparer):
    name = "qai-hub"
    has_schemes = False  # what it does not quantize it compiles as it is


class TestQnnContext(OurPreparer):
    name = "qnn-context"
    has_schemes = False  # it compiles what it is given


class TestQnnQdq(OurPreparer):
    name = "qnn-qdq"


# --- runners of language models ----------------------------------------------------------------------------------------


class TestLlamaCpp(OurRunner, TokenRunnerSuite):
    name = "llama-cpp"
    @pytest.fixture(scope="class")
    def artifact(self, steps: Steps) -> Path:
        return steps.artifact("llama-quantize")


class TestMlx(OurRunner, TokenRunnerSuite):
    name = "mlx"
    heeds = ("execution_provider",)  # it sets no threads, and grows its cache with the prompt

    @pytest.fixture(scope="class")
    def artifact(self, steps: Steps) -> Path:
        return steps.artifact("mlx-lm")


class TestNullTokens(OurRunner, TokenRunnerSuite):
    name = "null"
    needs_a_framework = False
    heeds = ()
    options: ClassVar[dict[str, Any]] = {"kind": "tokens"}

    @pytest.fixture(scope="class")
    def artifact(self, steps: Steps) -> Path:
        return steps.artifact("null")


class TestOnnxRuntimeGenAI(OurRunner, TokenRunnerSuite):
    name = "onnxruntime-genai"
    @pytest.fixture(scope="class")
    def artifact(self, steps: Steps) -> Path:
        return steps.artifact("ort-genai-builder")


class TestOpenVINOGenAI(OurRunner, TokenRunnerSuite):
    name = "openvino-genai"
    heeds = ("n_threads", "execution_provider")  # its waiting threads sleep, and its cache grows with the prompt
    closeness = 0.01  # generation keeps its cache in fewer bits than the graph that gives the logits

    @pytest.fixture(scope="class")
    def artifact(self, steps: Steps) -> Path:
        return steps.artifact("optimum-intel")


# --- runners of graphs -------------------------------------------------------------------------------------------------


class _FreeBatch(OurRunner, GraphRunnerSuite):
    """Those that take a graph with a free first axis."""

    inputs = IMAGE

    @pytest.fixture(scope="class")
    def free_artifact(self, classic: Trained) -> Path:
        return classic.model


class TestNullGraph(OurRunner, GraphRunnerSuite):
    name = "null"
    needs_a_framework = False
    heeds = ()
    inputs: ClassVar[dict[str, Any]] = {"x": ("float32", (1, 8))}
    test_an_input_of_another_shape_is_refused = None  # it computes nothing of it

    @pytest.fixture(scope="class")
    def artifact(self, steps: Steps) -> Path:
        return steps.artifact("null")


class TestOnnxRuntime(_FreeBatch):
    name = "onnxruntime"
    @pytest.fixture(scope="class")
    def artifact(self, steps: Steps) -> Path:
        return steps.artifact("ort-quantizer")


class TestOpenVINO(_FreeBatch):
    name = "openvino"
    heeds = ("n_threads", "execution_provider")  # its waiting threads sleep

    @pytest.fixture(scope="class")
    def artifact(self, steps: Steps) -> Path:
        return steps.artifact("nncf")


class TestQnn(OurRunner, GraphRunnerSuite):
    name = "qnn"
    offers = "qnn-htp"
    options: ClassVar[dict[str, Any]] = {"execution_provider": "qnn-htp"}
    inputs = IMAGE

    @pytest.fixture(scope="class")
    def artifact(self, steps: Steps) -> Path:
        return steps.artifact("qnn-context")


# --- all of them -------------------------------------------------------------------------------------------------------


def test_every_executor_has_its_suite() -> None:
    assert names_of(OurPreparer) == set(registry.names(registry.PREPARERS)) == set(ORDERS)
    assert names_of(OurRunner) == set(registry.names(registry.RUNNERS))


def test_names_and_formats_are_of_the_closed_lists(catalog: Catalog) -> None:
    lists = catalog.vocabulary["lists"]
    runners = [registry.runner(name) for name in registry.names(registry.RUNNERS) if name != "null"]
    formats = {form for scheme in catalog.schemes.values() for form in scheme.formats}
    assert {each.name for each in runners} <= set(lists["frameworks"]) and {form for each in runners for form in each.formats} <= formats
    assert {registry.preparer(name).name for name in registry.names(registry.PREPARERS)} <= {*lists["preparers"], "null"}
