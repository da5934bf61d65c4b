"""Dimensions of plain decoders, the random numbers and the tokenizer that shape proxies are made of."""

from __future__ import annotations

from dataclasses import asdict
from math import prod
from typing import Any

import numpy as np
import pytest

from recommender.domain.catalog import Catalog
from recommender.executors.byte_tokenizer import vocabulary
from recommender.executors.decoder import decoder, indivisible, refusal
from recommender.executors.random_weights import SPREAD, RandomWeights
from tests.executors.proxies import model


def test_the_parameters_of_catalogue_models_follow_from_their_dimensions(catalog: Catalog) -> None:
    counted = 0
    for spec in catalog.models.values():
        if not refusal(asdict(spec)) and spec.n_params:
            counted += 1
            found = decoder(asdict(spec), n_layers=spec.n_layers or 0, context=0)
            assert found.n_params == pytest.approx(spec.n_params, rel=1e-3), spec.key
    assert counted >= 20
    exact = decoder(asdict(catalog.models["qwen2.5-0.5b"]), n_layers=24, context=0)
    assert exact.n_params == catalog.models["qwen2.5-0.5b"].n_params


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"architecture": "gemma3"}, "`gemma3`"), ({"n_experts": 8}, "mixtures"), ({"attention": {"kind": "sliding", "window": 512}}, "`sliding`"),
        ({"task": "image-text-to-text"}, "image-text-to-text"), ({"ffn_size": None}, "ffn_size"), ({"tied_embeddings": None}, "tied_embeddings"),
    ],
)
def test_what_is_no_plain_decoder_is_refused(changes: dict[str, Any], words: str) -> None:
    assert refusal(model()) == "" and words in refusal(model(**changes))


def test_the_context_is_at_least_the_one_asked_for() -> None:
    assert [decoder(model(), n_layers=1, context=asked).context for asked in (10, 9000)] == [2048, 9000]


def test_rows_that_groups_do_not_divide_are_named() -> None:
    sizes = decoder(model(ffn_size=528), n_layers=1, context=0).matrices
    assert indivisible(sizes, 16) == "" and "528 (down_proj)" in indivisible(sizes, 64)


@pytest.mark.parametrize(("scales", "biases", "bits"), [("scales4", "biases4", 4), ("scales8", "biases8", 8)])
def test_integers_times_scales_have_the_spread_of_weights(scales: str, biases: str, bits: int) -> None:
    numbers, n = RandomWeights(0), 100_000
    codes = numbers.take("codes", n) >> (8 - bits)
    weights = codes * numbers.take(scales, n) + numbers.take(biases, n)
    assert weights.std() == pytest.approx(SPREAD, rel=0.1) and abs(weights.mean()) < SPREAD / 20


@pytest.mark.parametrize(("stored", "size"), [("f32", 4), ("f16", 2), ("bf16", 2)])
def test_weights_are_stored_in_the_type_asked_for(stored: str, size: int) -> None:
    found = RandomWeights(0).take("weights", 1000, stored)
    values = (found.astype(np.uint32) << 16).view(np.float32) if stored == "bf16" else found
    assert found.itemsize == size and float(values.std()) == pytest.approx(SPREAD, rel=0.1)


def test_long_tensors_come_whole_and_no_two_alike_and_earlier_ones_stay() -> None:
    numbers = RandomWeights(0)
    first = numbers.take("codes", 1000)
    before = first.copy()
    long = numbers.take("codes", 3_000_000)
    assert long.shape == (3_000_000,) and np.array_equal(first, before) and not np.array_equal(long[:1000], first)
    assert np.array_equal(np.concatenate(list(RandomWeights(0).parts("codes", 3_000_000))), RandomWeights(0).take("codes", 3_000_000))
    assert not np.array_equal(RandomWeights(1).take("codes", 1000), before)


def test_every_byte_is_a_word_and_every_id_has_one() -> None:
    words = vocabulary(5000)
    assert len(words) == len(set(words)) == 5000 and prod(len(word) for word in words[1:257]) == 1
