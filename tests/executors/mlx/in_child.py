"""What the tests run in a child process, where MLX may be imported."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any


def prepare_all(source: str, out: str, orders: Mapping[str, tuple[str, Mapping[str, Any]]]) -> dict[str, dict[str, Any]]:
    """By name: the artifact and facts of each (scheme, parameters), or the class and message of its failure."""
    from recommender.domain.errors import StepFailed
    from recommender.executors.mlx.convert import PREPARER
    from recommender.ports import PrepareJob

    told: dict[str, dict[str, Any]] = {}
    for name, (key, parameters) in orders.items():
        folder = Path(out) / name
        folder.mkdir(parents=True)
        try:
            made = PREPARER.prepare(PrepareJob(source=Path(source), out=folder, scheme={"key": key}, parameters=parameters), print)
            told[name] = {"artifact": str(folder / made.artifact), "facts": dict(made.facts)}
        except StepFailed as error:
            told[name] = {"kind": error.kind, "message": error.message}
    return told


def run(artifact: str, text: str, prompt: str, n_tokens: int, options: Mapping[str, Any]) -> dict[str, Any]:
    """Logits of the text as .npy beside the artifact; two generations with another prompt between, and the greedy choice of each step by logits."""
    import numpy as np

    from recommender.executors.mlx.executor import RUNNER

    session = RUNNER.open(Path(artifact), options)
    tokens, ids, calls = session.tokenize(text), session.tokenize(prompt), []
    first = session.generate(ids, n_tokens, lambda: calls.append(None))
    session.generate(tokens[:9], 3, lambda: None)
    rows = session.logits(ids + first[:-1])[len(ids) - 1 :]
    np.save(Path(artifact) / "logits.npy", session.logits(tokens))
    told = {
        "tokens": tokens, "ids": ids, "first": first, "again": session.generate(ids, n_tokens, lambda: None), "calls": len(calls), "steps": rows.argmax(-1).tolist(),
        "gaps": (np.sort(rows)[:, -1] - np.sort(rows)[:, -2]).tolist(), "text": session.complete(prompt, n_tokens), "facts": dict(session.facts), "n_vocab": session.n_vocab,
    }
    session.close()
    return told


def open_all(orders: Mapping[str, tuple[str, Mapping[str, Any]]]) -> dict[str, str]:
    """By name: class and message of what opening raises, else nothing."""
    from recommender.domain.errors import StepFailed
    from recommender.executors.mlx.executor import RUNNER

    told = {}
    for name, (artifact, options) in orders.items():
        try:
            RUNNER.open(Path(artifact), options).close()
            told[name] = ""
        except StepFailed as error:
            told[name] = f"{error.kind}: {error.message}"
    return told


def reference(model: str, tokens: list[int], out: str) -> None:
    """Logits by PyTorch, in the environment that has it, as .npy."""
    import numpy as np
    import torch
    from transformers import AutoModelForCausalLM

    with torch.no_grad():
        np.save(out, AutoModelForCausalLM.from_pretrained(model, dtype=torch.float32)(torch.tensor([tokens])).logits[0].numpy())


def narrow_model(source: str, out: str) -> None:
    """A Llama of one layer with random weights whose rows are 96 long, but 192 in one of its matrices; the tokenizer is the source's."""
    import json
    import shutil

    import numpy as np
    from safetensors.numpy import save_file

    folder = Path(out)
    shutil.copytree(source, folder)
    config = json.loads((folder / "config.json").read_text("utf-8"))
    config |= {"hidden_size": 96, "intermediate_size": 192, "num_hidden_layers": 1, "num_attention_heads": 3, "num_key_value_heads": 3, "head_dim": 32}
    (folder / "config.json").write_text(json.dumps(config), "utf-8")
    rng, layer = np.random.default_rng(0), "model.layers.0."
    shapes = {"model.embed_tokens": (config["vocab_size"], 96), **{f"{layer}self_attn.{name}_proj": (96, 96) for name in "qkvo"}}
    shapes |= {f"{layer}mlp.gate_proj": (192, 96), f"{layer}mlp.up_proj": (192, 96), f"{layer}mlp.down_proj": (96, 192)}
    weights = {f"{name}.weight": rng.standard_normal(shape).astype(np.float32) / 10 for name, shape in shapes.items()}
    weights |= {f"{name}.weight": np.ones(96, np.float32) for name in ("model.norm", f"{layer}input_layernorm", f"{layer}post_attention_layernorm")}
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
