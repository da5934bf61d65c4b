"""Files of a model's shapes: the tensors and types of a real file, no weights, and llama.cpp runs them."""

from __future__ import annotations

from collections import Counter
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from recommender.apply.proxies import shape_of
from recommender.domain.catalog import Catalog
from recommender.executors.llama_cpp.layers import LAYOUTS, Tensor, refusal, tensors
from recommender.executors.llama_cpp.random_blocks import TYPES, random_blocks
from recommender.executors.llama_cpp.shape_proxy import PROXY, spread_layers
from tests.executors.llama_cpp.conftest import Step

needs_gguf = pytest.mark.skipif(find_spec("gguf") is None, reason="gguf is not installed")
needs_llama = pytest.mark.skipif(find_spec("llama_cpp") is None or find_spec("gguf") is None, reason="llama.cpp is not installed")


def shape(architecture: str = "llama", **values: Any) -> dict[str, Any]:
    """A small model with every size that a level's blocks want."""
    experts = {"n_experts": 4, "n_experts_used": 2, "expert_ffn_size": 256} if architecture == "qwen3moe" else {}
    return {
        "architecture": architecture, "n_layers": 12, "hidden_size": 256, "n_heads": 4, "n_kv_heads": 2, "head_dim": 64, "ffn_size": 512, "vocab_size": 640,
        "context_length": 2048, "tied_embeddings": False, "attention": {"kind": "full"}, **experts, **values,
    }  # fmt: skip


def test_the_tensors_of_published_models_have_as_many_parameters_as_they(catalog: Catalog) -> None:
    known = [model for model in catalog.models.values() if model.task == "text-generation" and model.architecture in LAYOUTS]
    counted = {model.key: sum(tensor.elements for tensor in tensors(shape_of(model), model.n_layers or 0)) for model in known if not refusal(shape_of(model))}
    assert len(counted) > 50 and {catalog.models[key].architecture for key in counted} == set(LAYOUTS)
    assert {key: n for key, n in counted.items() if n != catalog.models[key].n_params} == {}


@pytest.mark.parametrize(("model", "level", "why"), [
    (shape("mamba"), "Q4_0", "`mamba` are not known"), (shape(hidden_size=None), "Q4_0", "hidden_size is not known"), (shape(), "int4-weights-g128", "int4-weights-g128"),
    (shape(), "IQ1_M", "IQ1_M"), (shape(), "MXFP4", "mixtures of experts"), (shape(attention={"kind": "latent"}), "Q4_0", "`latent`"),
    (shape("qwen2", n_experts=4, n_experts_used=2), "Q4_0", "mixtures of experts of `qwen2`"),
])  # fmt: skip
def test_what_it_cannot_write_is_refused_with_the_reason(model: dict[str, Any], level: str, why: str) -> None:
    assert why in PROXY.refusal(model, {"key": level})
    assert PROXY.refusal(shape(), {"key": "Q4_K_M"}) == ""


@needs_gguf
@pytest.mark.parametrize("kind", TYPES)
def test_random_blocks_are_weights_like_trained_ones(kind: str) -> None:
    import gguf
    import numpy as np

    blocks = random_blocks(kind)
    numbers = gguf.quants.dequantize(blocks, gguf.GGMLQuantizationType[kind])
    assert np.isfinite(numbers).all() and 0.01 < float(numbers.std()) < 0.04 and abs(float(numbers.mean())) < 0.01
    n_distinct = len(np.unique(blocks[:1000], axis=0))
    assert n_distinct > 500


def test_a_proxy_has_of_each_kind_of_layers_its_share() -> None:
    types = {f"blk.{layer}.ffn_down.weight": "Q6_K" if layer in (0, 1, 2, 5, 8, 11) else "Q4_K" for layer in range(12)}
    for n in (2, 4, 6, 12):
        assert Counter(types[f"blk.{layer}.ffn_down.weight"] for layer in spread_layers(types, 12, n)) == {"Q6_K": n / 2, "Q4_K": n / 2}
    rare = {f"blk.{layer}.ffn_down.weight": "Q5_K" if layer == 0 else "Q4_K" for layer in range(12)}
    assert spread_layers(rare, 12, 4) == (1, 2, 3, 4)


def test_only_vectors_and_the_choice_of_experts_stay_plain() -> None:
    assert [Tensor(name=name, shape=sizes).is_plain for name, sizes in (("blk.0.attn_norm.weight", (8,)), ("blk.0.ffn_gate_inp.weight", (4, 8)), ("output.weight", (8, 8)))] == [True, True, False]


@needs_llama
@pytest.mark.parametrize("level", ["Q4_0", "Q4_K_M", "IQ4_XS"])
def test_a_file_of_all_layers_has_the_types_that_llama_quantize_gives(inside: Step, tmp_path: Path, level: str) -> None:
    """Against the product's own quantizer on an F16 file of the same shape, tensor by tensor."""
    told = inside("proxy_beside_quantized", model=shape(), level=level, folder=str(tmp_path))
    assert told["proxy"] == told["quantized"] and told["sizes"][0] == pytest.approx(told["sizes"][1], rel=0.01)


@needs_llama
@pytest.mark.parametrize("architecture", sorted(LAYOUTS))
def test_llama_cpp_runs_a_few_layers_of_every_architecture(inside: Step, tmp_path: Path, architecture: str) -> None:
    told = inside("proxies_of_two_depths", model=shape(architecture, attention={"kind": "sliding", "window": 64} if "gemma" in architecture else {}), level="Q4_K_M", folder=str(tmp_path))
    assert told["layers"] == [2, 4] and told["n_vocab"] == 640 and len(told["tokens"]) == 4 and told["is_finite"]
    assert told["refused"]["message"] == "the file holds no tokenizer"
    assert told["left"] == ["model.gguf"]
    assert told["bytes"][1] - told["bytes"][0] == told["bytes"][0] - told["bytes_without_layers"]
