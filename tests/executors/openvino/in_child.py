"""What the tests run in a child process, where frameworks may be imported, and how they ask for it."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

TESTS = Path(__file__).parents[2]


def ask(function: str, folder: Path, *, interpreter: Path | None = None, environ: Mapping[str, str] | None = None, **arguments: Any) -> Any:
    """The value of a function of this module, run in a child; what it logged where it fails."""
    from recommender.measure.isolate import Job, run

    outcome = run(
        Job(
            function=f"{__name__}:{function}", arguments=arguments, folder=folder, interpreter=interpreter or Path(sys.executable),
            packages={"tests": str(TESTS)}, environ=environ or {}, wall=300,
        )
    )
    assert outcome.ok, (outcome.kind, outcome.message, outcome.log and outcome.log.read_text("utf-8", "replace")[-3000:])
    return outcome.value


def prepare_all(preparer: str, orders: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Each order = {source, out, key, parameters, calibration}; facts and sizes of files by name, or the failure by class."""
    import importlib

    from recommender.domain.errors import RecommenderError
    from recommender.ports import PrepareJob

    found, told = importlib.import_module(f"recommender.executors.openvino.{preparer}").PREPARER, []
    for order in orders:
        out = Path(order["out"])
        out.mkdir(parents=True)
        calibration = order.get("calibration")
        job = PrepareJob(
            source=Path(order["source"]), out=out, scheme={"key": order["key"]}, parameters=order.get("parameters") or {},
            calibration=Path(calibration) if calibration else None, threads=2,
        )
        try:
            made = found.prepare(job, print)
            files = {path.name: path.stat().st_size for path in (out / made.artifact).iterdir()}
            told.append({"artifact": str(out / made.artifact), "facts": dict(made.facts), "files": files})
        except RecommenderError as error:
            told.append({"kind": getattr(error, "kind", "usage"), "message": error.message})
    return told


def _opened(runner: str, artifact: str, options: Mapping[str, Any]) -> Any:
    import importlib

    return importlib.import_module(f"recommender.executors.openvino.{runner}").RUNNER.open(Path(artifact), options)


def _feeds(npz: str, names: Sequence[str]) -> list[dict[str, Any]]:
    import numpy as np

    with np.load(npz) as loaded:
        arrays = {name: loaded[name] for name in names}
    return [{name: array[i : i + 1] for name, array in arrays.items()} for i in range(len(arrays[names[0]]))]


def graphs(npz: str, asked: Sequence[tuple[str, Mapping[str, Any]]]) -> list[dict[str, Any]]:
    """Of each artifact with its options: the first output of all samples, inputs and facts, or the failure by class."""
    from recommender.domain.errors import RecommenderError

    told = []
    for artifact, options in asked:
        try:
            session = _opened("executor", artifact, options)
        except RecommenderError as error:
            told.append({"kind": getattr(error, "kind", "usage"), "message": error.message})
            continue
        outputs = [session.run(feeds) for feeds in _feeds(npz, [each.name for each in session.inputs])]
        told.append({
            "values": [next(iter(each.values()))[0].tolist() for each in outputs], "outputs": list(outputs[0]), "facts": dict(session.facts),
            "inputs": [[each.name, each.dtype, list(each.shape)] for each in session.inputs],
        })
        session.close()
    return told


def many_at_once(artifact: str, npz: str, options: Mapping[str, Any]) -> dict[str, Any]:
    """What a queue of requests answers, by the sample's number, beside single calls; and whether a call's arrays outlive the next."""
    session = _opened("executor", artifact, options)
    feeds = _feeds(npz, [each.name for each in session.inputs])[:50]
    first = session.run(feeds[0])
    before = {name: array.copy() for name, array in first.items()}
    single = [next(iter(session.run(each).values())).tolist() for each in feeds]
    kept = all((first[name] == array).all() for name, array in before.items())
    session.run_all(feeds[:1])  # makes the queue
    answers: list[Any] = []
    session._queue.set_callback(lambda request, _: answers.append(request.get_output_tensor(0).data.copy().tolist()))
    session.run_all(feeds)
    return {"single": single, "answers": answers, "kept": kept, "facts": dict(session.facts)}


def confined(n: int) -> int:
    """How many processors there are after a step was given `n`."""
    import os

    from recommender.executors.openvino import process

    process.use_processors(n)
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else n


def devices() -> list[str]:
    import openvino

    return list(openvino.Core().available_devices)


def rewritten(source: str, out: str) -> None:
    """A classifier as converters write it by default: its probabilities as a list of dictionaries."""
    import onnx
    from onnx import helper

    model = onnx.load(source)
    model.graph.node.append(helper.make_node("ZipMap", ["probabilities"], ["output_probability"], domain="ai.onnx.ml", classlabels_int64s=list(range(10))))
    scores = next(each for each in model.graph.output if each.name == "probabilities")
    model.graph.output.remove(scores)
    maps = helper.make_sequence_type_proto(helper.make_map_type_proto(onnx.TensorProto.INT64, helper.make_tensor_type_proto(onnx.TensorProto.FLOAT, [])))
    model.graph.output.append(helper.make_value_info("output_probability", maps))
    onnx.save(model, out)


def without_weights(out: str) -> None:
    """A graph in which nothing can be compressed."""
    import onnx
    from onnx import TensorProto, helper

    ports = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 8]) for name in ("x", "y")]
    graph = helper.make_graph([helper.make_node("Neg", ["x"], ["y"])], "negation", ports[:1], ports[1:])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), out)


def compressed_in_silence(source: str, out: str, *, silently: bool) -> dict[str, Any]:
    """What importing and using NNCF reaches for: addresses, and files below the home folder. Not `silently`: importing it alone, as it comes."""
    seen: list[str] = []
    sys.addaudithook(lambda event, arguments: seen.append(event) if event in ("socket.connect", "socket.getaddrinfo", "urllib.Request") else None)
    if silently:
        (told,) = prepare_all("compress", [{"source": source, "out": out, "key": "int8-weights"}])
        assert "facts" in told, told
    else:
        import nncf  # noqa: F401
    return {"network": seen, "files": sorted(str(path.relative_to(Path.home())) for path in Path.home().rglob("*") if path.is_file())}


def exported(orders: Sequence[Mapping[str, Any]], source: str, text: str, logits: str) -> dict[str, Any]:
    """Exports, and beside them what transformers itself makes of the text: its token ids, and logits in f32 as an .npy file."""
    import numpy as np

    told = prepare_all("export", orders)  # first: it keeps the libraries off the network
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    ids = AutoTokenizer.from_pretrained(source)(text, add_special_tokens=False)["input_ids"]
    with torch.no_grad():
        np.save(logits, AutoModelForCausalLM.from_pretrained(source, dtype=torch.float32)(torch.tensor([ids])).logits[0].numpy())
    return {"made": told, "ids": ids}


def languages(asked: Sequence[tuple[str, Mapping[str, Any]]], text: str, logits: str) -> list[dict[str, Any]]:
    """Of each folder with its options: generation twice with another prompt between, and agreement with the reference logits."""
    import numpy as np

    from recommender.domain.errors import RecommenderError

    reference, told = _log_softmax(np.load(logits)), []
    for artifact, options in asked:
        try:
            session = _opened("genai", artifact, options)
        except RecommenderError as error:
            told.append({"kind": getattr(error, "kind", "usage"), "message": error.message})
            continue
        ids, calls = session.tokenize(text), []
        prompt = ids[:40]
        first = session.generate(prompt, 24, lambda calls=calls: calls.append(1))
        session.generate(ids[50:90], 5, lambda: None)
        again = session.generate(prompt, 24, lambda: None)
        found = session.logits(ids)
        ours = _log_softmax(found)
        steps = session.logits(prompt + first)[len(prompt) - 1 : -1].argmax(-1)
        told.append({
            "ids": ids, "first": first, "again": again, "n_calls": len(calls), "shape": list(found.shape), "dtype": str(found.dtype), "n_vocab": session.n_vocab,
            "kl": float((np.exp(reference) * (reference - ours)).sum(-1).mean()), "top1": float((ours.argmax(-1) == reference.argmax(-1)).mean()),
            "nll": float(-ours[np.arange(len(ids) - 1), ids[1:]].mean()), "as_logits_say": float((steps == np.array(first)).mean()),
            "repeats": bool((session.logits(ids) == found).all()), "text": session.complete("The first line.", 6), "facts": dict(session.facts),
        })
        session.close()
    return told


def _log_softmax(logits: Any) -> Any:
    import numpy as np

    shifted = np.asarray(logits, np.float64) - np.max(logits, axis=-1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(-1, keepdims=True))


def prefill_work(artifact: str, text: str) -> dict[str, float]:
    """Processor time [s] of prompts that come again, as a share of that of new ones: of our session, and of the pipeline as it comes."""
    import numpy as np
    import openvino
    import openvino_genai

    session = _opened("genai", artifact, {})
    shipped = openvino_genai.LLMPipeline(artifact, "CPU")
    ids = session.tokenize(text)
    pieces = [ids[i * 1200 : (i + 1) * 1200] for i in range(5)]

    def as_it_comes(prompt: list[int]) -> None:
        tokens = np.asarray([prompt], np.int64)
        inputs = openvino_genai.TokenizedInputs(openvino.Tensor(tokens), openvino.Tensor(np.ones_like(tokens)))
        shipped.generate(inputs, max_new_tokens=1, ignore_eos=True)

    return {"ours": _share(lambda prompt: session.generate(prompt, 1, lambda: None), pieces), "shipped": _share(as_it_comes, pieces)}


def _share(generate: Any, pieces: Sequence[list[int]]) -> float:
    import time
    from statistics import median

    def cost(prompt: list[int]) -> float:
        began = time.process_time()  # of all threads: a neighbour's load adds none
        generate(prompt)
        return time.process_time() - began

    generate(pieces[0][::-1])  # warm
    new = [cost(piece) for piece in pieces]
    generate(pieces[-1])
    return median(cost(pieces[-1]) for _ in range(5)) / median(new)
