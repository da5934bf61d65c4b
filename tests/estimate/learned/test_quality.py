from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import knowledge
from recommender.estimate.learned.case import STEPS, Predicted
from recommender.estimate.learned.quality import QualityCase, base_name, bits_of, generation_of, is_safe, kind_of, predict

K_CHAIN = ("Q8_0", "Q6_K", "Q5_K_M", "Q4_K_M", "Q3_K_M", "Q2_K")
I_CHAIN = ("IQ4_XS", "IQ3_S", "IQ3_XXS", "IQ2_S", "IQ2_XXS", "IQ1_S")


@pytest.fixture(scope="module")
def learned() -> dict[str, Any]:
    text = (Path(next(iter(knowledge.__path__))) / "calibration" / "quality.json").read_text("utf-8")
    assert len(text) < 300_000
    found: dict[str, Any] = json.loads(text)
    return found


def language(scheme: str, **values: Any) -> QualityCase:
    return QualityCase(**{"scheme": scheme, "n_params": 3e9, "family": "acme", "task": "text-generation", "model": "acme-3b", **values})


def network(precision: str, **values: Any) -> QualityCase:
    return QualityCase(**{
        "precision": precision, "framework": "qnn", "task": "image-classification", "structure": "cnn", "model": "acmenet", "n_params": 5e6, **values,
    })


def told(case: QualityCase, learned: dict[str, Any]) -> Predicted:
    found = predict(case, learned)
    assert isinstance(found, Predicted), found
    return found


@pytest.mark.parametrize("chain", [K_CHAIN, I_CHAIN])
@pytest.mark.parametrize("n_params", [5e8, 3e9, 8e9, 7e10])
@pytest.mark.parametrize("family", ["llama", "qwen", "phi", "acme"])
def test_fewer_bits_lose_more(chain: tuple[str, ...], n_params: float, family: str, learned: dict[str, Any]) -> None:
    losses = [told(language(scheme, n_params=n_params, family=family), learned).central for scheme in chain]
    assert losses == sorted(losses) and losses[0] < losses[-1]


@pytest.mark.parametrize("model", ["llama-1-7b", "llama-2-70b", "llama-3-8b", "llama-3.1-8b-instruct", "qwen-14b"])
def test_measured_models_keep_the_order(model: str, learned: dict[str, Any]) -> None:
    losses = [told(language(scheme, model=model, family="", n_params=8e9), learned).central for scheme in K_CHAIN]
    assert losses == sorted(losses)


@pytest.mark.parametrize("scheme", ["Q4_K_M", "Q4_0", "IQ3_XXS", "int4-weights-g128"])
def test_smaller_models_lose_more(scheme: str, learned: dict[str, Any]) -> None:
    losses = [told(language(scheme, n_params=n_params), learned).central for n_params in (7e10, 8e9, 3e9, 1e9)]
    assert losses == sorted(losses) and losses[0] < 0.8 * losses[-1]


def test_interval_holds_the_centre_and_the_metric_is_named(learned: dict[str, Any]) -> None:
    for case in (language("Q4_K_M"), language("int4-weights-g128"), network("w8a8"), network("w8a16"), network("w8a8", model="mobilenet-v2")):
        found = told(case, learned)
        assert 0 <= found.low <= found.central <= found.high and found.low < found.high
        assert found.step in STEPS and found.parts["metric"] and found.parts["dataset"] and found.sources


def test_small_models_are_covered_by_a_class(learned: dict[str, Any]) -> None:
    for scheme in (*K_CHAIN, "Q4_0", "Q5_1", "IQ4_XS", "int4-weights-g128", "int8-weights"):
        assert told(language(scheme, n_params=1e9), learned).step == "class"


def test_what_was_published_for_too_few_models_is_analytic_and_wider(learned: dict[str, Any]) -> None:
    few, enough = told(language("int4-mlx-g64"), learned), told(language("int4-weights-g128"), learned)
    assert (few.step, enough.step) == ("analytic", "class")
    assert few.high / few.low > enough.high / enough.low


def test_the_very_model_speaks_for_itself(learned: dict[str, Any]) -> None:
    found = told(language("Q4_K_M", model="llama-3-8b"), learned)
    assert found.step == "exact" and found.central == pytest.approx(0.0281, rel=0.1)
    assert told(network("w8a8", model="vit-b-16"), learned).step == "exact"


def test_metric_that_is_asked(learned: dict[str, Any]) -> None:
    """A loss of accuracy is smaller than the rise of perplexity it comes with, and says so."""
    rise, loss = (told(language("Q3_K_M", metric=metric), learned) for metric in ("", "accuracy"))
    assert (rise.parts["metric"], loss.parts["metric"]) == ("perplexity", "accuracy") and loss.central < rise.central


def test_released_precision_loses_nothing(learned: dict[str, Any]) -> None:
    found = told(network("fp32", scheme="F32"), learned)
    assert (found.low, found.central, found.high) == (0.0, 0.0, 0.0) and is_safe(network("F32"), learned) == 1.0


def test_no_bits_no_figure(learned: dict[str, Any]) -> None:
    assert predict(language("zork"), learned) == "no bits per weight are known of zork"
    assert predict(network(""), learned) == "no precision is named" and is_safe(network(""), learned) is None


def test_safe_follows_the_loss_and_the_limit(learned: dict[str, Any]) -> None:
    ruined, kept = network("w8a8", model="vit-b-16"), network("fp16", model="vit-b-16")
    bad, good = is_safe(ruined, learned), is_safe(kept, learned)
    assert bad is not None and good is not None and bad < 0.2 < 0.9 < good
    chances = [is_safe(network("w8a8"), learned, limit) or 0.0 for limit in (0.001, 0.01, 0.05, 0.5)]
    assert chances == sorted(chances) and chances[0] < chances[-1]


def test_depthwise_networks_and_text_models_are_the_risky_ones(learned: dict[str, Any]) -> None:
    sturdy = told(network("w8a8", model="resnet-900"), learned).central
    assert told(network("w8a8", model="mobilenet-v9"), learned).central > sturdy
    texts = replace(network("w8a16"), model="zbert", structure="transformer", task="text-classification")
    assert told(texts, learned).central > told(network("w8a16", model="resnet-900"), learned).central


@pytest.mark.parametrize(
    ("scheme", "kind", "bits"),
    [("Q4_K_M", "gguf-k", 4.5), ("Q4_0", "gguf-legacy", 4.5), ("IQ3_XXS", "gguf-i", 3.5), ("int4-weights-g128", "weights-group", 4.15625), ("int4-mlx-g64", "weights-group", 4.5),
     ("int4-weights-channel", "weights-channel", 4.0), ("w4a16", "activations", 4.0), ("NF4", "float", None), ("palette-4", "codebook", 4.0)],
)  # fmt: skip
def test_spellings(scheme: str, kind: str, bits: float | None) -> None:
    assert (kind_of(scheme), bits_of(scheme)) == (kind, bits)


def test_variants_share_a_base() -> None:
    assert base_name("Llama-3.1-8B-Instruct") == base_name("llama-3-8b") == "llama-3-8b"
    assert generation_of("Qwen2.5-7B-Instruct") == "qwen-2" and generation_of("llama-3.2-1b") == "llama-3"


def test_order_of_schemes_for_a_model_left_out() -> None:
    """Rank correlation of the predicted with the measured loss over GGUF schemes at least 0.85."""
    pytest.importorskip("pandas")
    from benchmarks.fit import quality as fitted

    rows = [row for row in fitted.rows() if row.case.is_language]
    learned = fitted.fit([row for row in rows if row.group != "llama-3-8b"])
    asked = [row for row in rows if row.group == "llama-3-8b" and row.class_ == "gguf perplexity"]
    pairs = [(told(row.case, learned).central, row.truth["quality_drop"]) for row in asked]
    assert len(pairs) >= 30 and spearman(pairs) >= 0.85


def spearman(pairs: list[tuple[float, float]]) -> float:
    """Of pairs; equal values share their mean rank."""
    first, second = (ranks([pair[side] for pair in pairs]) for side in (0, 1))
    middle = (len(pairs) + 1) / 2
    top = sum((a - middle) * (b - middle) for a, b in zip(first, second, strict=True))
    return float(top / (sum((a - middle) ** 2 for a in first) * sum((b - middle) ** 2 for b in second)) ** 0.5)


def ranks(values: list[float]) -> list[float]:
    return [sum(other < value for other in values) + (sum(other == value for other in values) + 1) / 2 for value in values]
