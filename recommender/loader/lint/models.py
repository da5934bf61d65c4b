"""Models: names lead to one model, dimensions agree with each other and with the parameter count."""

from __future__ import annotations

from collections.abc import Iterator

from recommender.domain.model import ModelSpec
from recommender.loader.lint.finding import Finding, Knowledge, Reporter

TOLERANCE = 0.02
_POSITIVE = (
    "n_params",
    "n_active_params",
    "n_embedding_params",
    "n_layers",
    "hidden_size",
    "n_heads",
    "n_kv_heads",
    "head_dim",
    "ffn_size",
    "vocab_size",
    "context_length",
    "macs",
    "activations",
    "n_operators",
    "decoder_params",
)


def check(knowledge: Knowledge) -> Iterator[Finding]:
    report = Reporter("models", knowledge)
    taken: dict[str, str] = {}
    for model in knowledge.catalog.models.values():
        for name in dict.fromkeys(name.lower() for name in (model.key, *model.aliases)):
            other = taken.setdefault(name, model.key)
            if other != model.key:
                yield report.error("models", model.key, f"the name `{name}` already leads to `{other}`")
        for name in _POSITIVE:
            value = getattr(model, name)
            if value is not None and value <= 0:
                yield report.error("models", model.key, f"`{name}` is {value}")
        for message in _faults(model):
            yield report.error("models", model.key, message)
    for key in knowledge.catalog.vocabulary.get("representatives", {}).get("models", ()):
        if key not in knowledge.catalog.models:
            yield report.error("vocabulary", "representatives", f"model `{key}` does not exist")


def _faults(model: ModelSpec) -> Iterator[str]:
    if model.n_embedding_params and model.vocab_size and model.hidden_size:
        expected = model.vocab_size * model.hidden_size
        is_factorised = model.n_embedding_params < expected and not model.is_language_model  # as in MobileBERT and ALBERT
        if model.n_embedding_params != expected and not is_factorised:
            yield f"n_embedding_params is {model.n_embedding_params}, vocab_size x hidden_size is {expected}"
    if model.n_heads and model.n_kv_heads and model.n_heads % model.n_kv_heads:
        yield f"{model.n_heads} heads are not a multiple of {model.n_kv_heads} key/value heads"
    if model.n_active_params and model.n_params and model.n_active_params > model.n_params:
        yield "more active parameters than parameters"
    if model.n_experts and model.n_experts_used and model.n_experts_used > model.n_experts:
        yield "more experts used than there are"
    expected_counts = parameter_counts(model)
    if (
        expected_counts
        and model.n_params
        and all(abs(count - model.n_params) > TOLERANCE * model.n_params for count in expected_counts)
    ):
        yield f"n_params is {model.n_params}, the dimensions give {' or '.join(f'{count:.4g}' for count in expected_counts)}"


def parameter_counts(model: ModelSpec) -> tuple[float, ...]:
    """Parameters of a plain decoder by its dimensions, with a gated and with a plain feed-forward layer; empty where it is not plain.

    Not plain: experts, latent attention, layers without attention, layers that differ, several modalities.
    """
    is_plain = (
        model.task == "text-generation"
        and model.structure == "transformer"
        and not model.n_experts
        and model.attention.kind in ("full", "sliding")
        and model.attention.n_kv_layers is None
        and model.attention.global_head_dim is None
    )
    sizes = (model.n_layers, model.hidden_size, model.n_heads, model.ffn_size, model.vocab_size)
    if not is_plain or not all(sizes) or model.tied_embeddings is None:
        return ()
    assert model.n_layers and model.hidden_size and model.n_heads and model.ffn_size and model.vocab_size
    head_dim = model.head_dim or model.hidden_size // model.n_heads
    attention = 2 * model.hidden_size * head_dim * (model.n_heads + (model.n_kv_heads or model.n_heads))
    tables = model.vocab_size * model.hidden_size * (1 if model.tied_embeddings else 2)
    return tuple(
        float(tables + model.n_layers * (attention + matrices * model.hidden_size * model.ffn_size)) for matrices in (3, 2)
    )
