"""Our numbers against each framework's own, on the same artifact with the same settings, round by round in fresh processes.

    python -m benchmarks.own_tools --llm HF_FOLDER --graph model.onnx [--rounds 8] [--seconds 4]

llama.cpp: its own performance counters. OpenVINO: the median that benchmark_app prints. onnxruntime-genai: a bare loop over its API.
Prints ours over theirs with a 95 % interval (Student's t on the logarithms of the paired ratios).
"""

from __future__ import annotations

import argparse
import math
import random
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from statistics import fmean, median, stdev
from typing import Any

from recommender.apply import recipe
from recommender.apply.artifacts import Made
from recommender.compose import load_catalog
from recommender.executors import registry
from recommender.executors.remote.runner import Remote, take_remote
from recommender.measure import isolate
from recommender.measure.statistics import t_quantile
from recommender.measure.take import Run, take

PROMPT, OUTPUT = 64, 128  # tokens
_DISTINCT = 8


def main() -> None:
    """Make the artifacts, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--llm", type=Path, required=True, help="Hugging Face folder of a language model")
    parser.add_argument("--graph", type=Path, required=True, help="an ONNX graph")
    parser.add_argument("--rounds", type=int, default=8)
    parser.add_argument("--seconds", type=float, default=4.0, help="of one measurement")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        for what, ours, theirs in _pairs(asked, Path(name)):
            print(row(what, ratios(ours, theirs, asked.rounds)), flush=True)


def ratios(ours: Callable[[int], float], theirs: Callable[[int], float], rounds: int) -> list[float]:
    """Ours over theirs, one a round, the order of the two drawn each time."""
    found, draw = [], random.Random(7)
    for number in range(1, rounds + 1):
        sides = [("ours", ours), ("theirs", theirs)]
        draw.shuffle(sides)
        taken = {name: side(number) for name, side in sides}
        found.append(taken["ours"] / taken["theirs"])
    return found


def interval(found: list[float]) -> tuple[float, float, float]:
    """(ratio, low, high): geometric mean with its 95 % interval."""
    logs = [math.log(value) for value in found]
    half = t_quantile(len(logs) - 1) * stdev(logs) / math.sqrt(len(logs))
    return math.exp(fmean(logs)), math.exp(fmean(logs) - half), math.exp(fmean(logs) + half)


def row(what: str, found: list[float]) -> str:
    ratio, low, high = interval(found)
    is_met = 0.95 <= low <= high <= 1.05 or (low <= 1 <= high and (high - low) / 2 <= 0.05)
    return f"{what:<44} {ratio:.3f} ({low:.3f}-{high:.3f}, {len(found)} rounds) {'agrees' if is_met else 'DIFFERS'}"


def _pairs(asked: argparse.Namespace, folder: Path) -> list[tuple[str, Callable[[int], float], Callable[[int], float]]]:
    threads = recipe.usable_processors()
    tokens = {"prompt_tokens": PROMPT, "output_tokens": OUTPUT, "seconds": asked.seconds}
    lm = {"n_threads": threads, "context": 512, "execution_provider": "cpu"}
    gguf = _made(asked.llm, "llama-cpp", "gguf", "Q4_K_M", ("hf-to-gguf", "llama-quantize"))
    genai = _made(asked.llm, "onnxruntime-genai", "onnx", "int4-weights-g32", ("ort-genai-builder",))
    ir = _made(asked.graph, "openvino", "openvino-ir", "F32", ("nncf",))
    graph = {"n_threads": threads, "streams": 1, "execution_provider": "cpu"}
    xml = next(path for path in ([ir.path] if ir.path.is_file() else sorted(ir.path.glob("*.xml"))))
    tool = Path(sys.executable).with_name("benchmark_app")
    command = f"{tool} -m {{artifact}} -d CPU -api sync -hint none -nstreams 1 -nthreads {threads} -t {max(1, round(asked.seconds / 2))}"
    app = Remote(candidate="benchmark_app", command=command, parse="benchmark_app", artifact=xml)
    return [
        ("llama.cpp Q4_K_M, its counters: decode rate", _ours("llama-cpp", gguf, lm, tokens, "decode_rate", folder), _child("llama", "llama-cpp", gguf, lm, asked, folder)),
        ("onnxruntime-genai int4, bare loop: decode rate", _ours("onnxruntime-genai", genai, lm, tokens, "decode_rate", folder), _child("genai", "onnxruntime-genai", genai, lm, asked, folder)),
        ("OpenVINO F32, benchmark_app: latency", _ours("openvino", ir, graph, {"seconds": asked.seconds}, "latency", folder), lambda number: median(take_remote(app, number).samples["latency"])),
    ]


def _made(source: Path, framework: str, form: str, scheme: str, preparers: tuple[str, ...]) -> Made:
    steps = [{"action": "make", "preparer": name, "where": "here", "size": None, "parameters": {}} for name in preparers]
    choice = {"id": scheme, "framework": framework, "execution_provider": "cpu", "format": form, "scheme": scheme, "recipe": {"steps": steps}, "estimates": {}}
    return recipe.make(recipe.Order(choice=choice, source=source, may_download=True), load_catalog(), lambda line: print(line, file=sys.stderr))


def _ours(framework: str, made: Made, options: Mapping[str, Any], plan: Mapping[str, Any], metric: str, folder: Path) -> Callable[[int], float]:
    run = Run(candidate=framework, runner=framework, artifact=made.path, folder=folder / f"{framework}-{metric}", options=options, plan=plan, mode="quick")

    def measured(number: int) -> float:
        found = take(run, number)
        if not found.ok:
            raise SystemExit(f"{framework}: {found.message}")
        return median(found.samples[metric])

    return measured


def _child(what: str, framework: str, made: Made, options: Mapping[str, Any], asked: argparse.Namespace, folder: Path) -> Callable[[int], float]:
    environ = registry.runner(framework).environ({**options, "spin": "shipped"})

    def measured(number: int) -> float:
        outcome = isolate.run(isolate.Job(
            function=f"benchmarks.own_tools:{what}", arguments={"artifact": str(made.path), "options": dict(options), "seconds": asked.seconds / 2},
            folder=folder / f"own-{what}-{number}", packages={"benchmarks": str(Path(__file__).parent)}, environ=environ,
        ))
        if not outcome.ok:
            raise SystemExit(f"{what}: {outcome.message}")
        return float(outcome.value)

    return measured


# --- in the child ------------------------------------------------------------------------------------------------------


def _prompts(n_vocab: int) -> list[list[int]]:
    draw = random.Random(3)
    return [[draw.randrange(min(n_vocab, 1000)) for _ in range(PROMPT)] for _ in range(_DISTINCT)]


def llama(artifact: str, options: dict[str, Any], seconds: float) -> float:
    """Tokens per second of decoding by llama.cpp's counters: median over requests after one that warms up."""
    import llama_cpp

    from recommender.executors.llama_cpp.executor import RUNNER

    plain = llama_cpp.llama_context_default_params

    def counting() -> Any:
        parameters = plain()
        parameters.no_perf = False  # the counters are off as shipped
        return parameters

    llama_cpp.llama_context_default_params = counting
    session: Any = RUNNER.open(Path(artifact), options)
    rates, began = [], time.monotonic()
    while len(rates) < 4 or time.monotonic() - began < seconds:
        llama_cpp.llama_perf_context_reset(session._context)
        session.generate(_prompts(session.n_vocab)[len(rates) % _DISTINCT], OUTPUT, lambda: None)
        told = llama_cpp.llama_perf_context(session._context)
        rates.append(1000 * told.n_eval / told.t_eval_ms)
    return median(rates[1:])


def genai(artifact: str, options: dict[str, Any], seconds: float) -> float:
    """Tokens per second of a loop over onnxruntime-genai's own API."""
    import onnxruntime_genai as og

    config = og.Config(artifact)
    model = og.Model(config)
    rates, began = [], time.monotonic()
    while len(rates) < 4 or time.monotonic() - began < seconds:
        parameters = og.GeneratorParams(model)
        parameters.set_search_options(do_sample=False, max_length=PROMPT + OUTPUT, min_length=PROMPT + OUTPUT)
        generator = og.Generator(model, parameters)
        generator.append_tokens(_prompts(1000)[len(rates) % _DISTINCT])
        generator.generate_next_token()
        start, n = time.perf_counter(), 0
        while n < OUTPUT - 1 and not generator.is_done():
            generator.generate_next_token()
            n += 1
        rates.append(n / (time.perf_counter() - start))
    return median(rates[1:])


if __name__ == "__main__":
    main()
