"""Artifacts that several tests of this folder share: each made once, in as few child processes as there are interpreters."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from recommender.executors import environment
from tests.executors.openvino.in_child import ask

Made = dict[str, dict[str, Any]]


def ordered(folder: Path, source: Path, orders: dict[str, dict[str, Any]]) -> list[dict[str, Any]]:
    """Orders with a source, and a folder for each below `folder`."""
    return [{"source": str(source), "out": str(folder / name), **order} for name, order in orders.items()]


def made(folder: Path, source: Path, orders: dict[str, dict[str, Any]]) -> Made:
    """What NNCF makes of a source, by name."""
    return dict(zip(orders, ask("prepare_all", folder / "job", preparer="compress", orders=ordered(folder, source, orders)), strict=True))


@pytest.fixture(scope="session")
def cnns(cnn: Any, tmp_path_factory: pytest.TempPathFactory) -> Made:
    """The convolutional network by scheme; also what cannot be made of it."""
    data = {"calibration": str(cnn.calibration)}
    static = {"key": "int8-static", **data}
    orders: dict[str, dict[str, Any]] = {
        "F32": {"key": "F32"}, "fp16": {"key": "fp16"}, "int8-weights": {"key": "int8-weights"}, "int8-static": static,
        "mixed": {**static, "parameters": {"preset": "mixed"}}, "slow": {**static, "parameters": {"fast_bias_correction": False, "subset_size": 10}},
        "int4": {"key": "int4-weights-g64"}, "no data": {"key": "int8-static"}, "Q4_K_M": {"key": "Q4_K_M"},
        "unlabelled": {**static, "parameters": {"accuracy_drop": 0.01}}, "misspelt": {**static, "parameters": {"subsetsize": 10}},
    }
    return made(tmp_path_factory.mktemp("cnn"), cnn.model, orders)


@pytest.fixture(scope="session")
def minilms(minilm: Any, tmp_path_factory: pytest.TempPathFactory) -> Made:
    """The sentence encoder by scheme."""
    orders: dict[str, dict[str, Any]] = {
        "fp16": {"key": "fp16"}, "int8-weights": {"key": "int8-weights"}, "int4": {"key": "int4-weights-g64"},
        "int8-static": {"key": "int8-static", "calibration": str(minilm.calibration), "parameters": {"subset_size": 6}},
    }
    return made(tmp_path_factory.mktemp("minilm"), minilm.model, orders)


@pytest.fixture(scope="session")
def conversion() -> Path:
    """The interpreter with the exporter, found as `hermetic_environment` has it, which session fixtures come before."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(environment.VARIABLE, str(Path(sys.prefix) / "side-environments"))
        return environment.make("conversion", print)


@pytest.fixture(scope="session")
def exports(tiny_llama: Any, minilm: Any, conversion: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """`made`: name -> export or failure; `text`, and what transformers makes of it: `ids` and `logits` (a file)."""
    folder = tmp_path_factory.mktemp("exports")
    unknown = tmp_path_factory.mktemp("source")
    told = (tiny_llama.model / "config.json").read_text("utf-8")
    (unknown / "config.json").write_text(told.replace("LlamaForCausalLM", "ZorpForCausalLM").replace('"llama"', '"zorp"'), "utf-8")
    parameters = {"awq": True, "scale_estimation": True, "subset_size": 8, "sequence_length": 64}
    orders: dict[str, dict[str, Any]] = {
        "F32": {"key": "F32"}, "fp16": {"key": "fp16"}, "int4": {"key": "int4-weights-g64", "parameters": parameters, "calibration": str(tiny_llama.calibration)},
        "encoder": {"key": "fp16", "source": str(minilm.folder / "model")}, "unknown": {"key": "fp16", "source": str(unknown)},
        "no folder": {"key": "fp16", "source": str(minilm.folder)}, "Q4_0": {"key": "Q4_0"},
    }
    text = tiny_llama.test.read_text("utf-8")[:1500]
    logits = folder / "logits.npy"
    answer = ask(
        "exported", folder / "job", interpreter=conversion, orders=ordered(folder, tiny_llama.model, orders), source=str(tiny_llama.model), text=text, logits=str(logits)
    )
    return {"made": dict(zip(orders, answer["made"], strict=True)), "ids": answer["ids"], "text": text, "logits": str(logits)}


@pytest.fixture(scope="session")
def llamas(exports: dict[str, Any], tiny_llama: Any, tmp_path_factory: pytest.TempPathFactory) -> Made:
    """The exported language model (fp16), compressed by scheme and method."""
    data = {"calibration": str(tiny_llama.calibration)}
    small = {"subset_size": 2, "sequence_length": 64}
    orders: dict[str, dict[str, Any]] = {
        "int8": {"key": "int8-weights"}, "int4": {"key": "int4-weights-g64"}, "int4-r0.8": {"key": "int4-weights-g64-r0.8"},
        "int4-sym": {"key": "int4-weights-sym-g128"}, "int4-channel": {"key": "int4-weights-channel"}, "NF4": {"key": "NF4"},
        "awq without data": {"key": "int4-weights-g64", "parameters": {"awq": True}}, "gptq": {"key": "int4-weights-g64", "parameters": {"gptq": True, **small}, **data},
        "gptq without data": {"key": "int4-weights-g64", "parameters": {"gptq": True}}, "group of 100": {"key": "int4-weights-g100"},
        "adjusted": {"key": "int4-weights-g512", "parameters": {"group_size_fallback": "adjust"}}, "F32": {"key": "F32"},
    }
    found = made(tmp_path_factory.mktemp("llama"), Path(exports["made"]["fp16"]["artifact"]), orders)
    return {"fp16": exports["made"]["fp16"], **found}
