"""Our numbers against each framework's own, on the same artifact with the same settings, round by round in fresh processes.

    python -m benchmarks.own_tools --llm HF_FOLDER --graph model.onnx [--rounds 8] [--seconds 4]

llama.cpp: its own performance counters. onnxruntime-genai: a bare loop over its API. OpenVINO: the median that benchmark_app prints, of another process.
The first two alternate with our session within each round's process, request by request, so that what differs between processes does not hide what
our way of timing adds. Prints ours over theirs with a 95 % interval (Student's t on the logarithms of the ratios).
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
    parser.add_argument("--graph", type=Path, required=True, help="an ONNX graph; one of some milliseconds, for an interpreter's call costs tens of microseconds")
    parser.add_argument("--rounds", type=int, default=8)
    parser.add_argument("--only", default="", help="the comparisons that have this text in their name")
    parser.add_argument("--seconds", type=float, default=4.0, help="of one measurement")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        for what, ratio in _comparisons(asked, Path(name)):
            if asked.only not in what:
                continue
            print(row(what, [ratio(number) for number in range(1, asked.rounds + 1)]), flush=True)


def interval(found: list[float]) -> tuple[float, float, float]:
    """(ratio, low, high): geometric mean with its 95 % interval."""
    logs = [math.log(value) for value in found]
    half = t_quantile(len(logs) - 1) * stdev(logs) / math.sqrt(len(logs))
    return math.exp(fmean(logs)), math.exp(fmean(logs) - half), math.exp(fmean(logs) + half)


def row(what: str, found: list[float]) -> str:
    ratio, low, high = interval(found)
    is_met = 0.95 <= low <= high <= 1.05 or (low <= 1 <= high and (high - low) / 2 <= 0.05)
    return f"{what:<44} {ratio:.3f} ({low:.3f}-{high:.3f}, {len(found)} rounds) {'agrees' if is_met else 'DIFFERS'}"


def _comparisons(asked: argparse.Namespace, folder: Path) -> list[tuple[str, Callable[[int], float]]]:
    """(what, ours over theirs in one round)."""
    threads = recipe.usable_processors()
    lm = {"n_threads": threads, "context": 512, "execution_provider": "cpu"}
    gguf = _made(asked.llm, "llama-cpp", "gguf", "Q4_K_M", ("hf-to-gguf", "llama-quantize"))
    genai = _made(asked.llm, "onnxruntime-genai", "onnx", "int4-weights-g32", ("ort-genai-builder",))
    ir = _made(asked.graph, "openvino", "openvino-ir", "F32", ("nncf",))
    return [
        ("llama.cpp Q4_K_M, its counters: decode rate", _child("llama", "llama-cpp", gguf, lm, asked, folder)),
        ("onnxruntime-genai int4, bare loop: decode rate", _child("genai", "onnxruntime-genai", genai, lm, asked, folder)),
        ("OpenVINO F32, benchmark_app: latency", _against_benchmark_app(ir, threads, asked, folder)),
    ]


def _against_benchmark_app(ir: Made, threads: int, asked: argparse.Namespace, folder: Path) -> Callable[[int], float]:
    xml = ir.path if ir.path.is_file() else next(iter(sorted(ir.path.glob("*.xml"))))
    tool = Path(sys.executable).with_name("benchmark_app")
    command = f"{tool} -m {{artifact}} -d CPU -api sync -hint none -nstreams 1 -nthreads {threads} -t {max(1, round(asked.seconds / 2))}"
    app = Remote(candidate="benchmark_app", command=command, parse="benchmark_app", artifact=xml)
    ours = _ours("openvino", ir, {"n_threads": threads, "streams": 1, "execution_provider": "cpu"}, {"seconds": asked.seconds}, "latency", folder)
    draw = random.Random(7)

    def ratio(number: int) -> float:
        sides: list[tuple[str, Callable[[], float]]] = [("ours", lambda: ours(number)), ("theirs", lambda: median(take_remote(app, number).samples["latency"]))]
        draw.shuffle(sides)
        taken = {name: side() for name, side in sides}
        return taken["ours"] / taken["theirs"]

    return ratio


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


def _our_rate(session: Any, prompt: list[int]) -> float:
    """As `measure.metrics` has it: from the first token's time to the last one's."""
    times: list[float] = []
    session.generate(prompt, OUTPUT, lambda: times.append(time.perf_counter()))
    return (len(times) - 1) / (times[-1] - times[0])


def llama(artifact: str, options: dict[str, Any], seconds: float) -> float:
    """Our decode rate over that of llama.cpp's counters, of the same requests: median after the first one."""
    import llama_cpp

    from recommender.executors.llama_cpp.executor import RUNNER

    plain = llama_cpp.llama_context_default_params

    def counting() -> Any:
        parameters = plain()
        parameters.no_perf = False  # the counters are off as shipped
        return parameters

    llama_cpp.llama_context_default_params = counting
    session: Any = RUNNER.open(Path(artifact), options)
    prompts, found, began = _prompts(session.n_vocab), [], time.monotonic()
    while len(found) < 4 or time.monotonic() - began < seconds:
        llama_cpp.llama_perf_context_reset(session._context)
        ours = _our_rate(session, prompts[len(found) % _DISTINCT])
        told = llama_cpp.llama_perf_context(session._context)
        found.append(ours * told.t_eval_ms / 1000 / told.n_eval)
    return median(found[1:])


def genai(artifact: str, options: dict[str, Any], seconds: float) -> float:
    """Our decode rate over that of a loop over onnxruntime-genai's own API, in turns on one loaded model: ratio of the medians."""
    import onnxruntime_genai as og

    from recommender.executors.onnxruntime.genai import RUNNER

    session: Any = RUNNER.open(Path(artifact), options)
    model = session._model  # a second one would bring a second pool of threads, which spin against the first
    prompts, began = _prompts(1000), time.monotonic()
    ours: list[float] = []
    bare: list[float] = []
    while len(ours) < 6 or time.monotonic() - began < seconds:
        prompt = prompts[len(ours) % _DISTINCT]
        for side in ("ours", "bare") if len(ours) % 2 else ("bare", "ours"):
            ours.append(_our_rate(session, prompt)) if side == "ours" else bare.append(_bare_rate(og, model, prompt))
    return median(ours[1:]) / median(bare[1:])


def _bare_rate(og: Any, model: Any, prompt: list[int]) -> float:
    parameters = og.GeneratorParams(model)
    parameters.set_search_options(do_sample=False, max_length=PROMPT + OUTPUT, min_length=PROMPT + OUTPUT)
    generator = og.Generator(model, parameters)
    generator.append_tokens(prompt)
    generator.generate_next_token()
    start, n = time.perf_counter(), 0
    while n < OUTPUT - 1 and not generator.is_done():
        generator.generate_next_token()
        n += 1
    return n / (time.perf_counter() - start)


if __name__ == "__main__":
    main()
