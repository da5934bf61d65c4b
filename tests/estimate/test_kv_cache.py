from __future__ import annotations

import pytest

from recommender.domain.catalog import Catalog
from recommender.domain.model import Attention
from recommender.estimate.kv_cache import kv_cache_bytes, kv_read_bytes
from tests.invented import model

MIB = 2**20


@pytest.mark.parametrize(("key", "context", "mib"), [
    # as llama.cpp prints them (KV buffer size, f16)
    ("llama-3.2-1b", 4096, 128), ("llama-3.2-1b", 32768, 1024), ("qwen2.5-0.5b", 4096, 48), ("gemma-3-1b", 4096, 38), ("gemma-3-1b", 32768, 150),
    # 2 x layers x heads x head dimension x tokens x 2 bytes, by hand
    ("llama-3.1-8b", 8192, 1024), ("llama-2-7b", 4096, 2048),
])
def test_published_shapes(key: str, context: int, mib: float, catalog: Catalog) -> None:
    assert kv_cache_bytes(catalog.models[key], context) == mib * MIB


def test_shared_heads_shrink_the_cache() -> None:
    assert kv_cache_bytes(model(n_kv_heads=4), 2048) == kv_cache_bytes(model(n_kv_heads=32), 2048) / 8  # type: ignore[operator]


def test_a_head_dimension_of_its_own_counts() -> None:
    assert kv_cache_bytes(model(head_dim=128), 2048) == 2 * kv_cache_bytes(model(), 2048)  # type: ignore[operator]


@pytest.mark.parametrize("context", [512, 4096, 65536])
def test_a_sliding_window_bounds_the_cache_of_its_layers(context: int) -> None:
    sliding = kv_cache_bytes(model(attention=Attention(kind="sliding", window=512, n_global_layers=0)), context)
    full = kv_cache_bytes(model(), context)
    bound = 2 * 22 * 4 * 64 * (512 + 512) * 2
    assert sliding == min(full, bound)  # type: ignore[type-var]


def test_global_layers_may_have_other_heads() -> None:
    found = kv_cache_bytes(model(attention=Attention(kind="sliding", window=512, n_global_layers=2, n_global_kv_heads=1, global_head_dim=512)), 8192)
    assert found == 2 * 2 * (2 * 512 * 8192 + 20 * 4 * 64 * 1024)


def test_latent_attention_keeps_one_vector_a_layer() -> None:
    found = kv_cache_bytes(model(attention=Attention(kind="latent", kv_lora_rank=512, rope_head_dim=64)), 4096)
    assert found == 22 * (512 + 64) * 4096 * 2
    assert kv_cache_bytes(model(attention=Attention(kind="latent")), 4096) is None


@pytest.mark.parametrize(("attention", "share"), [
    (Attention(kind="none"), 0), (Attention(n_kv_layers=0), 0), (Attention(n_kv_layers=11), 0.5), (Attention(), 1),
])
def test_hybrids_hold_a_cache_in_some_layers_only(attention: Attention, share: float) -> None:
    assert kv_cache_bytes(model(attention=attention), 4096) == share * kv_cache_bytes(model(), 4096)  # type: ignore[operator]


def test_streams_and_element_size_multiply() -> None:
    one = kv_cache_bytes(model(), 4096)
    assert one and kv_cache_bytes(model(), 4096, streams=3) == 3 * one
    assert kv_cache_bytes(model(), 4096, bytes_per_element=1.0625) == pytest.approx(one * 1.0625 / 2)


@pytest.mark.parametrize("lacking", [{"n_layers": None}, {"n_heads": None}, {"head_dim": None, "hidden_size": None}])
def test_without_dimensions_it_is_not_known(lacking: dict[str, None]) -> None:
    assert kv_cache_bytes(model(**lacking), 4096) is None
    assert kv_read_bytes(model(**lacking), 1000) == 0.0


def test_reading_grows_with_depth_and_never_reads_more_than_there_is() -> None:
    depths = [1, 255, 256, 300, 4000]
    found = [kv_read_bytes(model(), depth) for depth in depths]
    assert found == [pytest.approx(2 * 22 * 4 * 64 * depth * 2) for depth in depths]
    assert kv_read_bytes(model(), 0) == 0.0
