from __future__ import annotations

from pathlib import Path

import pytest

from tests.loader.lint.world import MODEL, VOCABULARY, findings, said

# 3623 x 128 + 2 x (2 x 128 x 32 x (4 + 4) + 3 x 128 x 512) = 988 032, 1.2 % below the million that is stated


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("n_embedding_params = 463744", "n_embedding_params = 463745", "vocab_size x hidden_size is 463744"),
        ("1_000_000", "1_100_000", "the dimensions give 9.88e+05"),
        ("n_layers = 2", "n_layers = 3", "the dimensions give"),
        ("n_heads = 4", "n_heads = 4\nn_kv_heads = 3", "not a multiple"),
        ("n_layers = 2", "n_layers = 2\nn_active_params = 2_000_000", "more active parameters"),
        ("n_layers = 2", "n_layers = 2\nn_experts = 2\nn_experts_used = 3", "more experts used"),
        ("n_layers = 2", "n_layers = 2\nmacs = 0.0", "`macs` is 0.0"),
    ],
)
def test_fault_is_found(tmp_path: Path, old: str, new: str, words: str) -> None:
    messages = said(findings(tmp_path, world={"models/a.toml": MODEL.replace(old, new)}), "models")
    assert [message for message in messages if words in message], messages


@pytest.mark.parametrize(
    "extra",
    ["n_experts = 8\nexpert_ffn_size = 512", 'attention = { kind = "latent" }', "attention = { n_kv_layers = 1 }"],
    ids=["experts", "latent attention", "hybrid"],
)
def test_dimensions_are_not_held_against_layers_that_are_not_plain(tmp_path: Path, extra: str) -> None:
    assert (
        said(findings(tmp_path, world={"models/a.toml": MODEL.replace("1_000_000", "9_000_000") + extra + "\n"}), "models") == []
    )


def test_factorised_embedding_of_an_encoder_is_no_fault(tmp_path: Path) -> None:
    text = MODEL.replace("463744", "100000").replace("text-generation", "embedding").replace('"tiny"', '"encoder"')
    assert said(findings(tmp_path, {"models/b.toml": text}), "models") == []


def test_names_lead_to_one_model(tmp_path: Path) -> None:
    other = MODEL.replace('key = "tiny"', 'key = "other"\naliases = ["TINY"]')
    assert said(findings(tmp_path, {"models/b.toml": other}), "models") == ["other: the name `tiny` already leads to `tiny`"]


def test_representatives_exist(tmp_path: Path) -> None:
    text = VOCABULARY.replace('models = ["tiny"]', 'models = ["huge"]')
    assert said(findings(tmp_path, world={"vocabulary.toml": text}), "models") == ["representatives: model `huge` does not exist"]
