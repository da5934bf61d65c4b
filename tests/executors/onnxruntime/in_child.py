"""What the tests run in a child process, where the framework may be imported, and how they do."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from recommender.measure.isolate import Outcome

TESTS = Path(__file__).parents[2]
EXECUTORS = "recommender.executors.onnxruntime."


def ask(function: str, folder: Path, interpreter: Path | None = None, **arguments: Any) -> Outcome:
    """Run a function of this module in a child."""
    from recommender.measure.isolate import Job, run

    return run(
        Job(
            function=f"{__name__}:{function}", arguments=arguments, folder=folder, interpreter=interpreter or Path(sys.executable),
            packages={"tests": str(TESTS)}, wall=240,
        )
    )


def answer(function: str, folder: Path, interpreter: Path | None = None, **arguments: Any) -> Any:
    """Its value; what it logged where it fails."""
    outcome = ask(function, folder, interpreter, **arguments)
    assert outcome.ok, (outcome.kind, outcome.message, outcome.log and outcome.log.read_text("utf-8", "replace")[-3000:])
    return outcome.value


def prepare(
    preparer: str, source: str, out: str, scheme: dict[str, Any], parameters: dict[str, Any], calibration: str | None = None, execution_provider: str = "cpu"
) -> dict[str, Any]:
    from recommender.ports import PrepareJob

    Path(out).mkdir(parents=True)
    job = PrepareJob(
        source=Path(source), out=Path(out), scheme=scheme, parameters=parameters, calibration=Path(calibration) if calibration else None,
        execution_provider=execution_provider, threads=2,
    )
    made = _executor(preparer).prepare(job, print)
    return {"artifact": str(Path(out) / made.artifact), "facts": dict(made.facts)}


def prepare_all(orders: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Each order as `prepare` takes it; failures by class, so that one process serves many."""
    from recommender.domain.errors import StepFailed

    told = []
    for order in orders:
        try:
            told.append(prepare(**order))
        except StepFailed as error:
            told.append({"kind": error.kind, "message": error.message, "hints": error.hints})
    return told


def predictions(artifacts: list[str], test: str, limit: int) -> list[list[list[float]]]:
    """Of each graph: the first output of two axes, by sample."""
    import numpy as np

    samples = np.load(test)
    told = []
    for artifact in artifacts:
        session = _executor("executor:RUNNER").open(Path(artifact), {"n_threads": 2, "spin": "passive"})
        names = [spec.name for spec in session.inputs]
        rows = []
        for i in range(min(limit, len(samples[names[0]]))):
            outputs = session.run({name: samples[name][i : i + 1] for name in names})
            rows.append(next(value for value in outputs.values() if value.ndim == 2)[0])
        told.append(np.asarray(rows, dtype=np.float32).tolist())
        session.close()
    return told


def language(artifact: str, text: str, prompt: str, n_tokens: int, options: dict[str, Any]) -> dict[str, Any]:
    """Two greedy runs of a prompt with another between them, the log-probabilities of a text as an .npy file beside the artifact, facts."""
    import numpy as np

    session = _executor("genai:RUNNER").open(Path(artifact), options)
    ids, calls = session.tokenize(prompt), []
    first = session.generate(ids, n_tokens, lambda: calls.append(None))
    session.generate(session.tokenize("Something else entirely. "), 7, lambda: None)
    tokens = session.tokenize(text)
    logits = session.logits(tokens)
    steps = [int(session.logits(ids + first[:i])[-1].argmax()) for i in range(len(first))]
    file = Path(artifact) / "logits.npy"
    np.save(file, logits)
    told = {
        "ids": ids, "first": first, "again": session.generate(ids, n_tokens, lambda: None), "calls": len(calls), "steps": steps, "tokens": tokens,
        "logits": str(file), "shape": list(logits.shape), "dtype": str(logits.dtype), "n_vocab": session.n_vocab, "facts": dict(session.facts),
        "text": session.complete(prompt, n_tokens),
    }
    session.close()
    return told


def spoil(source: str, out: str) -> str:
    """A copy of a model with a weight that is not a number."""
    import numpy as np
    import onnx
    from onnx import numpy_helper

    model = onnx.load(source)
    weight = next(tensor for tensor in model.graph.initializer if len(tensor.dims) > 1)
    values = numpy_helper.to_array(weight).copy()
    values.flat[0] = np.nan
    weight.CopyFrom(numpy_helper.from_array(values, weight.name))
    onnx.save(model, out)
    return out


def split(source: str, out: str) -> str:
    """A copy of a model that keeps its weights in a file beside it."""
    import onnx

    Path(out).mkdir()
    onnx.save_model(onnx.load(source), Path(out) / "net.onnx", save_as_external_data=True, location="net.bin")
    return out


def masked_product(out: str, fill: float) -> str:
    """A small graph as attention has it: scores [1, 4] + where(mask, 0, fill), softmax, product with constant values [4, 8]."""
    import numpy as np
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    rng = np.random.default_rng(0)
    constants = {
        "zero": np.zeros((), np.float32), "fill": np.array(fill, np.float32), "keys": rng.standard_normal((16, 4)).astype(np.float32),
        "values": rng.standard_normal((4, 8)).astype(np.float32),
    }
    nodes = [
        helper.make_node("MatMul", ["query", "keys"], ["scores"], "scores"), helper.make_node("Where", ["mask", "zero", "fill"], ["bias"], "bias"),
        helper.make_node("Add", ["scores", "bias"], ["masked"], "masked"), helper.make_node("Softmax", ["masked"], ["shares"], "shares"),
        helper.make_node("MatMul", ["shares", "values"], ["out"], "out"),
    ]
    graph = helper.make_graph(
        nodes, "masked", [helper.make_tensor_value_info("query", TensorProto.FLOAT, [1, 16]), helper.make_tensor_value_info("mask", TensorProto.BOOL, [1, 4])],
        [helper.make_tensor_value_info("out", TensorProto.FLOAT, [1, 8])], [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), out)
    mask = np.ones((64, 4), bool)
    mask[:, 2:] = rng.integers(0, 2, (64, 2)).astype(bool)
    np.savez(Path(out).with_suffix(".npz"), query=rng.standard_normal((64, 16)).astype(np.float32), mask=mask)
    return out


def run_facts(artifact: str, test: str, options: list[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Facts of sessions with each of the options, number of threads that came with them, the entry for spinning, two answers to one sample."""
    import numpy as np
    import psutil

    samples = np.load(test)
    told = []
    for each in options:
        before = psutil.Process().num_threads()
        session = _executor("executor:RUNNER").open(Path(artifact), each)
        feeds = {spec.name: samples[spec.name][:1] for spec in session.inputs}
        outputs = [{name: value.tolist() for name, value in session.run(feeds).items()} for _ in range(2)]
        settings = session._session.get_session_options()
        told.append({
            "facts": dict(session.facts), "threads": psutil.Process().num_threads() - before, "outputs": outputs, "level": str(settings.graph_optimization_level),
            "spinning": settings.get_session_config_entry("session.intra_op.allow_spinning") if each.get("spin") == "passive" else None,
        })
        session.close()
    return told


def described(artifact: str) -> list[Any]:
    """Name, element type and shape of each input."""
    session = _executor("executor:RUNNER").open(Path(artifact), {})
    return [[spec.name, spec.dtype, list(spec.shape)] for spec in session.inputs]


def at_once(artifact: str, test: str, streams: int, n: int) -> int:
    """Number of inferences that `run_all` made in groups of `streams` at one time: each waits for its fellows, so fewer would never end."""
    import threading

    import numpy as np

    session = _executor("executor:RUNNER").open(Path(artifact), {"streams": streams})
    samples, together, real, done = np.load(test), threading.Barrier(streams), session.run, []

    def waiting(feeds: Mapping[str, Any]) -> Any:
        together.wait(timeout=60)
        done.append(real(feeds))
        return done[-1]

    session.run = waiting
    session.run_all([{spec.name: samples[spec.name][i : i + 1] for spec in session.inputs} for i in range(n)])
    session.close()
    return len(done)


def open_all(runner: str, orders: list[tuple[str, Mapping[str, Any]]]) -> list[dict[str, Any]]:
    """The failure of each opening by class; the facts where there is none."""
    from recommender.domain.errors import StepFailed

    told = []
    for artifact, options in orders:
        try:
            told.append({"facts": dict(_executor(runner).open(Path(artifact), options).facts)})
        except StepFailed as error:
            told.append({"kind": error.kind, "message": error.message})
    return told


def open_generator_verbosely(artifact: str, options: Mapping[str, Any]) -> None:
    """Load with our overlay and have ONNX Runtime log what it made of it."""
    import json

    import onnxruntime_genai as og

    from recommender.executors.onnxruntime.genai import overlay

    config = og.Config(artifact)
    config.overlay(json.dumps(overlay(options)))
    config.overlay(json.dumps({"model": {"decoder": {"session_options": {"log_severity_level": 0}}}}))
    og.Model(config)


def end_with(source: str, out: str, token: int, prompt: list[int], n: int) -> dict[str, Any]:
    """Make a token the end token: how many the framework generates before it stops, and what our session generates."""
    import json
    import shutil

    import numpy as np
    import onnxruntime_genai as og

    shutil.copytree(source, out)
    file = Path(out) / "genai_config.json"
    told = json.loads(file.read_text("utf-8"))
    told["model"]["eos_token_id"] = token
    file.write_text(json.dumps(told), "utf-8")
    model = og.Model(out)
    parameters = og.GeneratorParams(model)
    parameters.set_search_options(do_sample=False, max_length=len(prompt) + n)
    generator = og.Generator(model, parameters)
    generator.append_tokens(np.asarray(prompt, np.int32))
    free = 0
    while not generator.is_done():
        generator.generate_next_token()
        free += 1
    return {"free": free, "ours": _executor("genai:RUNNER").open(Path(out), {}).generate(prompt, n, lambda: None)}


def too_long(artifact: str, context: int) -> list[str]:
    """Messages for more tokens than the context that was asked for, than the model takes, and for none."""
    from recommender.domain.errors import Unsupported

    messages = []
    for options, prompt, n in (({"context": context}, [5] * 16, context), ({}, [5] * 16, 100_000), ({}, [], 4)):
        try:
            _executor("genai:RUNNER").open(Path(artifact), options).generate(prompt, n, lambda: None)
        except Unsupported as error:
            messages.append(error.message)
    return messages


def add_start_token(source: str, out: str) -> dict[str, list[int]]:
    """Token ids of a text by a tokenizer that is told to put a special token before it, by our session and by the framework when asked for them."""
    import json
    import shutil

    shutil.copytree(source, out)
    file = Path(out) / "tokenizer.json"
    told = json.loads(file.read_text("utf-8"))
    token = told["added_tokens"][0]
    word, number = token["content"], token["id"]
    told["post_processor"] = {
        "type": "TemplateProcessing", "single": [{"SpecialToken": {"id": word, "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}],
        "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 1}}],
        "special_tokens": {word: {"id": word, "ids": [number], "tokens": [word]}},
    }
    file.write_text(json.dumps(told), "utf-8")
    session = _executor("genai:RUNNER").open(Path(out), {})
    ours = session.tokenize("a word")
    session._tokenizer.update_options(add_special_tokens="true")
    return {"ours": ours, "special": session.tokenize("a word"), "token": [number]}


def _executor(name: str) -> Any:
    module, _, attribute = name.partition(":")
    return getattr(importlib.import_module(EXECUTORS + module), attribute)
