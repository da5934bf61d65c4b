"""Weights against exact block arithmetic: tensors of published shapes, counted one by one."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from recommender.domain.catalog import Catalog
from recommender.domain.model import Artifact, ModelSpec
from recommender.estimate.weights import active_bytes, active_params, for_format, parts, weight_bytes
from tests.invented import model, network, scheme

BLOCKS = {"F32": (1, 4), "F16": (1, 2), "Q8_0": (32, 34), "Q4_0": (32, 18), "Q6_K": (256, 210), "Q4_K": (256, 144), "Q5_K": (256, 176)}  # elements, bytes


def stored(elements: int, kind: str) -> float:
    block, size = BLOCKS[kind]
    return elements / block * size


def by_hand(spec: ModelSpec, types: Mapping[str, str], better_layers: Mapping[str, tuple[int, str]] | None = None) -> float:
    """Bytes of a llama-like model: matrices by role, norms in F32, `better_layers` role -> (how many layers, type)."""
    assert spec.n_layers and spec.hidden_size and spec.vocab_size and spec.n_heads and spec.n_kv_heads and spec.ffn_size
    hidden, head_dim = spec.hidden_size, spec.head_dim or spec.hidden_size // spec.n_heads
    kv = spec.n_kv_heads * head_dim
    sizes = {
        "attn_q": hidden * spec.n_heads * head_dim, "attn_k": hidden * kv, "attn_v": hidden * kv, "attn_output": hidden * spec.n_heads * head_dim,
        "ffn_gate": hidden * spec.ffn_size, "ffn_up": hidden * spec.ffn_size, "ffn_down": hidden * spec.ffn_size,
    }
    total = stored(hidden, "F32") + spec.n_layers * 2 * stored(hidden, "F32")
    for role, elements in sizes.items():
        count, kind = (better_layers or {}).get(role, (0, "F32"))
        total += count * stored(elements, kind) + (spec.n_layers - count) * stored(elements, types.get(role, types["default"]))
    tables = ("output",) if spec.tied_embeddings else ("embedding", "output")
    return total + sum(stored(hidden * spec.vocab_size, types.get(role, types["default"])) for role in tables)


@pytest.mark.parametrize("key", ["llama-3.2-1b", "llama-3.1-8b", "qwen2.5-7b"])
@pytest.mark.parametrize(("name", "types"), [
    ("F16", {"default": "F16"}), ("Q8_0", {"default": "Q8_0"}), ("Q4_0", {"default": "Q4_0", "output": "Q6_K"}),
    ("Q4_K_S", {"default": "Q4_K", "output": "Q6_K"}), ("Q6_K", {"default": "Q6_K"}),
])
def test_levels_of_one_type_are_within_one_per_cent(key: str, name: str, types: dict[str, str], catalog: Catalog) -> None:
    spec = catalog.models[key]
    found = weight_bytes(spec, for_format(catalog.schemes[name], "gguf"))
    assert found == pytest.approx(by_hand(spec, types), rel=0.015 if name == "Q4_K_S" else 0.01)


@pytest.mark.parametrize("key", ["llama-3.2-1b", "llama-3.1-8b", "llama-3.2-3b"])
def test_a_mixed_level_is_within_two_per_cent(key: str, catalog: Catalog) -> None:
    """Q4_K_M: half of attn_v and ffn_down, and the head, in Q6_K."""
    spec = catalog.models[key]
    assert spec.n_layers
    half = {role: (spec.n_layers // 2, "Q6_K") for role in ("attn_v", "ffn_down")}
    expected = by_hand(spec, {"default": "Q4_K", "output": "Q6_K"}, half)
    assert weight_bytes(spec, catalog.schemes["Q4_K_M"]) == pytest.approx(expected, rel=0.02)


@pytest.mark.parametrize("tied", [True, False])
def test_parts_add_up_to_the_models_own_count(tied: bool) -> None:
    spec = model(tied_embeddings=tied)
    found = parts(spec)
    assert found is not None and found.total == spec.n_params
    assert found.output == (0 if tied else 32000 * 2048)


@pytest.mark.parametrize("spec", [model(n_params=None), model(n_heads=None), model(n_params=1000), network()])
def test_without_fitting_dimensions_there_are_no_parts(spec: ModelSpec) -> None:
    assert parts(spec) is None


def test_without_parts_the_count_of_parameters_is_taken() -> None:
    assert weight_bytes(network(), scheme(bits=8.0)) == 4_000_000
    assert weight_bytes(network(n_params=None), scheme()) is None
    assert active_bytes(network(n_params=None), scheme()) is None
    assert active_params(network(n_params=None)) is None


def test_the_file_the_user_holds_says_its_own_size() -> None:
    mine = model(artifact=Artifact(format="gguf", path="x", size=1, scheme="W4", bits_per_weight=5.0))
    assert weight_bytes(mine, scheme("W4", 4.5)) == pytest.approx(1_100_048_384 * 5 / 8)
    assert weight_bytes(mine, scheme("W8", 8.5)) == pytest.approx(1_100_048_384 * 8.5 / 8)


def test_of_the_input_table_only_a_row_is_read_for_a_token() -> None:
    tied, apart = model(tied_embeddings=True), model(tied_embeddings=False)
    plain = scheme(bits=8.0)
    assert active_bytes(tied, plain) == pytest.approx(weight_bytes(tied, plain))
    assert active_bytes(apart, plain) == pytest.approx(1_100_048_384 - 32000 * 2048)
    assert active_params(apart) == 1_100_048_384 - 32000 * 2048
    assert active_params(tied) == 1_100_048_384


@pytest.mark.parametrize("key", ["mixtral-8x7b", "qwen3-30b-a3b", "gpt-oss-20b", "olmoe-1b-7b"])
def test_of_experts_only_those_used_are_read(key: str, catalog: Catalog) -> None:
    spec = catalog.models[key]
    plain = scheme(bits=8.0)
    assert spec.n_active_params and spec.n_params
    read, whole = active_bytes(spec, plain), weight_bytes(spec, plain)
    assert read is not None and whole is not None
    assert 0.8 * spec.n_active_params <= read <= spec.n_active_params * 1.05
    assert read < whole


def test_bits_of_one_format_win_over_those_of_all() -> None:
    found = for_format(scheme(tensors={"default": 4.5, "embedding": 8.0, "embedding@onnx": 16.0}), "onnx")
    assert found.tensors == {"default": 4.5, "embedding": 16.0}
    assert for_format(scheme(tensors={"default": 4.5, "embedding": 8.0, "embedding@onnx": 16.0}), "gguf").tensors["embedding"] == 8.0


def test_shared_heads_get_the_better_type() -> None:
    mixed = scheme(tensors={"default": 4.0, "attn_v": 4.0, "attn_v_gqa4": 8.0})
    few, many = model(n_kv_heads=4), model(n_kv_heads=16)
    plain = scheme(bits=4.0)
    assert weight_bytes(few, mixed) - weight_bytes(few, plain) == pytest.approx(22 * 2048 * 4 * 64 * 4 / 8)  # type: ignore[operator]
    assert weight_bytes(many, mixed) == pytest.approx(weight_bytes(many, plain))
