"""The predicted memory against the buffers that llama.cpp itself allocates, for files of exact shape."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from recommender.apply.proxies import shape_of
from recommender.compose import observe_this_machine
from recommender.decide.advise import advise
from recommender.domain.catalog import Catalog
from recommender.domain.fingerprint import HostMemory
from recommender.domain.model import ModelSpec
from recommender.domain.recommendation import Choice, Request, Wishes
from recommender.domain.target import Target
from recommender.executors.llama_cpp.layers import tensors
from recommender.executors.llama_cpp.shape_proxy import write_file
from recommender.intake.identify import identify
from recommender.intake.model_files import read_model

TOLERANCE = 0.05
CASES = [
    (name, level, context)
    for name, level in (("qwen2.5-0.5b", "Q8_0"), ("gemma-3-1b", "Q8_0"), ("llama-3.2-1b", "Q4_0"))
    for context in (4096, 32768)
]
TABLE_TYPES = {"Q4_0": "Q6_K"}  # the type that llama-quantize gives to a tied token table under a level
_BUFFER = re.compile(r"buffer size =\s*([\d.]+) MiB")
_CHILD = """
import json, sys
import llama_cpp
llama_cpp.Llama(sys.argv[1], verbose=True, **json.loads(sys.argv[2])).close()
"""


@pytest.fixture
def this_machine(catalog: Catalog) -> Target:
    """The processor that llama.cpp will run on, with memory enough for every case."""
    seen = observe_this_machine(lambda line: None, with_microbenchmark=False)
    processors = tuple(device for device in seen.devices if device.kind == "cpu")
    roomy = replace(seen, devices=processors, memory=HostMemory(total=256 * 2**30), frameworks=())
    return identify(roomy, catalog, kind="this-machine", name="this-machine")


@pytest.mark.parametrize(("name", "level", "context"), CASES)
def test_predicted_memory_is_what_llama_cpp_allocates(
    name: str, level: str, context: int, catalog: Catalog, this_machine: Target, tmp_path: Path
) -> None:
    _need("llama_cpp", "gguf")
    file = tmp_path / f"{name}-{level}.gguf"
    _write_hollow(file, catalog.models[name], level)
    choice = _as_is(read_model(str(file)), context, catalog, this_machine)
    allocated = _allocated(file, context, choice)
    peak = choice.estimates["peak_memory"]
    assert peak.central is not None
    predicted = peak.central - _runtime(choice, catalog)
    parts = ", ".join(f"{part} {value / 2**20:.1f}" for part, value in choice.memory_by_component.items())
    print(f"{name} {level} {context}: predicted {predicted / 2**20:.1f} MiB ({parts}), allocated {allocated / 2**20:.1f} MiB")
    assert predicted == pytest.approx(allocated, rel=TOLERANCE)


def _write_hollow(path: Path, model: ModelSpec, level: str) -> None:
    """A file of a level with the model's exact tensors and a hole where their data would be."""
    types = {"token_embd.weight": TABLE_TYPES.get(level, level)}
    layers = model.n_layers or 0
    planned = [(tensor, "F32" if tensor.is_plain else types.get(tensor.name, level)) for tensor in tensors(shape_of(model), layers)]
    write_file(path, shape_of(model), layers, planned, is_hollow=True)


def _need(*modules: str) -> None:
    missing = [name for name in modules if importlib.util.find_spec(name) is None]
    if missing and os.environ.get("RECOMMEND_CI") != "1":
        pytest.skip(f"not installed: {', '.join(missing)}")
    assert not missing


def _as_is(model: ModelSpec, context: int, catalog: Catalog, target: Target) -> Choice:
    """The file itself under llama.cpp on the processor."""
    workload = replace(catalog.workloads["chat"], context=context)
    found = advise(Request(model=model, workload=workload, wishes=Wishes(allow_below_floor=True)), target, catalog)
    (choice,) = (row for row in found.choices if row.candidate.is_as_is and row.candidate.execution_provider == "cpu")
    return choice


def _runtime(choice: Choice, catalog: Catalog) -> float:
    """Bytes of the interpreter and the libraries (central), which no buffer of llama.cpp shows."""
    high = choice.memory_by_component.get("runtime", 0.0)
    return next((row.central for row in catalog.overheads if row.kind == "memory" and row.high == high), 0.0)


def _allocated(file: Path, context: int, choice: Choice) -> float:
    """Sum of the buffers [bytes] that llama.cpp reports under the options of the choice."""
    options = choice.candidate.options
    arguments = {
        "n_ctx": context, "n_batch": options["micro_batch"], "n_threads": 2, "use_mmap": options["mmap"],
        "flash_attn": options["flash_attention"], "swa_full": False,
    }
    done = subprocess.run(
        [sys.executable, "-c", _CHILD, str(file), json.dumps(arguments)], capture_output=True, text=True, timeout=120, check=True,
    )
    sizes = [float(size) for size in _BUFFER.findall(done.stderr)]
    assert len(sizes) >= 3, done.stderr[-2000:]
    return sum(sizes) * 2**20
