"""Rules of the house that no single module can see."""

from __future__ import annotations

import ast
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from recommender.domain.catalog import Catalog

ROOT = Path(__file__).resolve().parents[1]
MAX_LINES = 400
LONG_FILES: dict[str, str] = {}  # file -> why it may be longer
HEAVY = (  # what answering must not load
    "pandas", "sklearn", "scipy", "optuna", "pydantic", "numpy", "onnx", "onnxruntime", "onnxruntime_genai", "openvino", "openvino_genai", "nncf",
    "mlx", "llama_cpp", "torch", "transformers", "tensorflow", "qai_hub", "gguf", "psutil", "cpuinfo", "archspec", "huggingface_hub", "psycopg", "sqlalchemy", "pyarrow",
)
DECISION_PATH = ("domain", "decide", "estimate", "recommend", "compose", "intake.identify", "intake.model_files", "loader.compiled", "store.measured", "store.recent")
OUTWARD = ("subprocess.", "socket.", "os.system", "os.exec", "os.fork", "os.forkpty", "os.posix_spawn", "os.spawn", "os.startfile")
_WATCHED = f"""
import sys
seen = []
sys.addaudithook(lambda event, arguments: seen.append(event) if event.startswith({OUTWARD!r}) else None)
def told():
    import json
    loaded = sorted(set(sys.modules) & set({HEAVY!r}))
    print(json.dumps({{"outward": sorted(set(seen)), "heavy": loaded, "modules": len(sys.modules)}}), file=sys.stderr)
"""
_IMPORT_ALL = _WATCHED + f"""
import importlib, pkgutil
import recommender
for name in {DECISION_PATH!r}:
    module = importlib.import_module("recommender." + name)
    for found in pkgutil.walk_packages(getattr(module, "__path__", ()), module.__name__ + "."):
        importlib.import_module(found.name)
told()
"""
_ANSWER = _WATCHED + """
from recommender.cli import main
try:
    main(["--target", "raspberry-pi-5", "--model", "llama-3.2-1b", "--json"])
finally:
    told()
"""


def child(code: str, cache: Path) -> tuple[str, dict[str, list[str]]]:
    """Standard output, and what the watched child says of itself."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "RECOMMEND_CACHE_DIR": str(cache), "RECOMMEND_DATA_DIR": str(cache / "data")}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, env=environment, cwd=cache, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout, json.loads(done.stderr.splitlines()[-1])


def test_importing_the_decision_path_opens_and_starts_nothing(tmp_path: Path) -> None:
    _, told = child(_IMPORT_ALL, tmp_path)
    assert told["outward"] == [] and told["heavy"] == []


def test_a_warm_answer_loads_nothing_heavy_and_asks_nobody(tmp_path: Path) -> None:
    first, _ = child(_ANSWER, tmp_path)
    again, told = child(_ANSWER, tmp_path)
    assert json.loads(again) == json.loads(first)
    assert json.loads(again)["verdict"] == "RECOMMENDED"
    assert told["outward"] == [] and told["heavy"] == []


def test_the_watch_sees_what_it_is_for(tmp_path: Path) -> None:
    _, told = child(_WATCHED + "import socket, subprocess, pydantic\nsocket.socket().close()\nsubprocess.run(['true'])\ntold()\n", tmp_path)
    assert "pydantic" in told["heavy"] and {"subprocess.Popen", "socket.__new__"} <= set(told["outward"])


# --- names of devices live in knowledge/ and probes/ -------------------------------------------------------------------

ORDINARY_WORDS = {"tensor": "what models are made of", "thead": "the head of a table in HTML", "ascend": "to grow", "generic": "our own fallback"}
NAMED_FOR_A_REASON = {
    "cli/render/page_style.py": "the name of a font",
    "intake/assemble.py": "names of probes, in their order of precedence",
    "intake/models/hf_quantization.py": "a quantization method as model files spell it",
    "intake/models/opaque.py": "file formats that are called after their makers' tools",
    "intake/models/tflite.py": "an operator as model files spell it",
    "measure/gpu_counters.py": "a program and a binding that are asked",
    "intake/questions.py": "packages as the registries spell them, and programs asked in a child",
}


def engine_files() -> Iterator[tuple[str, Path]]:
    for path in sorted((ROOT / "recommender").rglob("*.py")):
        name = path.relative_to(ROOT / "recommender").as_posix()
        if not name.startswith(("testing/", "executors/")):  # executors speak their frameworks' own words
            yield name, path


def literals(path: Path) -> Iterator[str]:
    """The text literals of a file's code, without documentation."""
    tree = ast.parse(path.read_text("utf-8"))
    documentation = {
        id(node.body[0].value) for node in ast.walk(tree)
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef)) and node.body and isinstance(node.body[0], ast.Expr)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in documentation:
            yield node.value


def hardware_names(catalog: Catalog) -> re.Pattern[str]:
    names = {name.lower() for row in catalog.devices.values() for name in (row.vendor, row.family, row.soc) if name}
    names |= set(catalog.vocabulary["lists"]["execution_providers"])
    names -= {*ORDINARY_WORDS, "cpu", "gpu", "npu", "accelerator"}
    longest_first = sorted(names, key=lambda name: (-len(name), name))
    return re.compile(r"(?<![a-z0-9_])(" + "|".join(map(re.escape, longest_first)) + r")(?![a-z0-9_])")


def test_the_engine_names_no_hardware(catalog: Catalog) -> None:
    pattern = hardware_names(catalog)
    found = {name: sorted({match for text in literals(path) for match in pattern.findall(text.lower())}) for name, path in engine_files()}
    naming = {name: words for name, words in found.items() if words}
    assert {name: words for name, words in naming.items() if name not in NAMED_FOR_A_REASON} == {}
    assert set(NAMED_FOR_A_REASON) == set(naming), "an exception that is no longer needed"


@pytest.mark.parametrize(("text", "named"), [("an Intel card", True), ("vulkan", True), ("BCM2712", True), ("intelligent", False), ("a cpu", False)])
def test_names_are_recognised(text: str, named: bool, catalog: Catalog) -> None:
    assert bool(hardware_names(catalog).search(text.lower())) is named


# --- files -------------------------------------------------------------------------------------------------------------


def python_files() -> list[Path]:
    return sorted(path for folder in ("recommender", "probes", "tests", "benchmarks") for path in (ROOT / folder).rglob("*.py"))


def test_files_stay_short() -> None:
    lengths = {path.relative_to(ROOT).as_posix(): len(path.read_text("utf-8").splitlines()) for path in python_files()}
    assert {name: length for name, length in lengths.items() if length > MAX_LINES and name not in LONG_FILES} == {}
    assert all(lengths.get(name, 0) > MAX_LINES for name in LONG_FILES)


def test_exported_names_are_sorted() -> None:
    exported = []
    for path in python_files():
        for node in ast.parse(path.read_text("utf-8")).body:
            if isinstance(node, ast.Assign) and any(isinstance(target, ast.Name) and target.id == "__all__" for target in node.targets):
                names = ast.literal_eval(node.value)
                exported.append(path)
                assert list(names) == sorted(names), path
    assert exported


def test_every_python_file_says_what_it_is_for() -> None:
    silent = [name for name, path in engine_files() if ast.get_docstring(ast.parse(path.read_text("utf-8"))) is None and name != "__main__.py"]
    assert silent == []


@pytest.mark.parametrize("name", ["utils", "helpers", "common", "base", "core", "manager", "misc"])
def test_no_module_is_called_after_nothing(name: str) -> None:
    assert [path for path in python_files() if path.stem == name or path.parent.name == name] == []


def test_layers_import_only_downwards() -> None:
    program = shutil.which("lint-imports", path=os.pathsep.join((str(Path(sys.executable).parent), os.environ.get("PATH", ""))))
    if program is None:
        pytest.skip("import-linter is not installed")
    done = subprocess.run([program], capture_output=True, text=True, timeout=300, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}, check=False)
    assert done.returncode == 0, done.stdout[-3000:]


def test_every_extra_that_a_hint_names_exists(catalog: Catalog) -> None:
    import tomllib

    extras = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["optional-dependencies"]
    told = [text for path in (ROOT / "recommender").rglob("*.py") for text in literals(path)] + [framework.install for framework in catalog.frameworks.values()]
    named = {name for text in told for name in re.findall(r"edge-recommender\[([^\]{]+)\]", text)}
    assert named and named <= set(extras)
    assert {framework.extra for framework in catalog.frameworks.values() if framework.has_executor} <= set(extras)
