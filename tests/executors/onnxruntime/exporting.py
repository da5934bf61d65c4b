"""What the tests of the exporter run in a child process, where PyTorch or ONNX Runtime may be imported."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def answer(function: str, folder: Path, interpreter: Path = Path(sys.executable), **arguments: Any) -> Any:
    """What a function of this module returns, run in a child."""
    from recommender.measure.isolate import Job, run

    outcome = run(Job(
        function=f"{__name__}:{function}", arguments=arguments, folder=folder, interpreter=interpreter, packages={"tests": str(Path(__file__).parents[2])}, wall=400,
    ))
    assert outcome.ok, (outcome.kind, outcome.message, outcome.log and outcome.log.read_text("utf-8", "replace")[-3000:])
    return outcome.value


def prepare_all(orders: Mapping[str, tuple[str, str, str, Mapping[str, Any]]]) -> dict[str, dict[str, Any]]:
    """By name: artifact and facts of each (source, out, scheme, parameters), or class and message of its failure."""
    from recommender.domain.errors import StepFailed
    from recommender.executors.onnxruntime.export import PREPARER
    from recommender.ports import PrepareJob

    told: dict[str, dict[str, Any]] = {}
    for name, (source, out, key, parameters) in orders.items():
        Path(out).mkdir(parents=True)
        try:
            made = PREPARER.prepare(PrepareJob(source=Path(source), out=Path(out), scheme={"key": key}, parameters=parameters, threads=2), print)
            told[name] = {"artifact": str(Path(out) / made.artifact), "facts": dict(made.facts)}
        except StepFailed as error:
            told[name] = {"kind": error.kind, "message": error.message, "hints": list(error.hints)}
    return told


def small_encoders(out: str) -> None:
    """With random weights: `pairs`, a classifier of two sentences, and `pictures`, one of pictures of 32 x 32."""
    import torch
    from transformers import BertConfig, BertForSequenceClassification, ViTConfig, ViTForImageClassification

    torch.manual_seed(1)
    size = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64}
    BertForSequenceClassification(BertConfig(vocab_size=200, max_position_embeddings=64, num_labels=3, **size)).save_pretrained(Path(out) / "pairs")
    ViTForImageClassification(ViTConfig(image_size=32, patch_size=8, num_labels=5, **size)).save_pretrained(Path(out) / "pictures")


def signatures(artifacts: Mapping[str, str]) -> dict[str, Any]:
    """By name: inputs and outputs of each graph as name -> (type, axes), a free axis by its name."""
    import onnxruntime

    told = {}
    for name, artifact in artifacts.items():
        session = onnxruntime.InferenceSession(artifact, providers=["CPUExecutionProvider"])
        told[name] = {side: {each.name: (each.type, each.shape) for each in values} for side, values in (("inputs", session.get_inputs()), ("outputs", session.get_outputs()))}
    return told


def embeddings(artifact: str, test: str, batch: int) -> list[list[float]]:
    """The first output for all samples, so many at a time."""
    import numpy as np
    import onnxruntime

    session, samples = onnxruntime.InferenceSession(artifact, providers=["CPUExecutionProvider"]), np.load(test)
    names = [each.name for each in session.get_inputs()]
    rows = [session.run(None, {name: samples[name][at : at + batch] for name in names})[0] for at in range(0, len(samples[names[0]]), batch)]
    found: list[list[float]] = np.concatenate(rows).tolist()
    return found


def spoiled(source: str, artifact: str, out: str) -> tuple[str, str]:
    """Class and message of what the comparison with PyTorch says of a file in which one matrix is a hundredth larger than in the source."""
    import onnx
    from onnx import numpy_helper

    from recommender.domain.errors import StepFailed
    from recommender.executors.onnxruntime.encoder import load
    from recommender.executors.onnxruntime.export import _checked_against_torch

    model = onnx.load(artifact)
    weight = next(tensor for tensor in model.graph.initializer if tensor.name.endswith("classifier.weight"))
    weight.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(weight) * numpy_helper.to_array(weight).dtype.type(1.01), weight.name))
    onnx.save(model, out)
    try:
        _checked_against_torch(load(Path(source), shape=None, pooling=True, threads=1), Path(out), threads=1)
    except StepFailed as error:
        return error.kind, error.message
    return "", ""
