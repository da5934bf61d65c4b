"""A session keeps its promises, options do what they say, and what cannot be loaded is refused by class."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from recommender.executors.llama_cpp.executor import RUNNER
from recommender.ports import Runner
from tests.executors.llama_cpp.conftest import Step, outcome


@pytest.fixture(scope="session")
def files(tiny_llama: Any, inside: Step, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The trained model by level."""
    found: dict[str, str] = inside("files", model=str(tiny_llama.model), out=str(tmp_path_factory.mktemp("files")))
    return found


@pytest.fixture(scope="session")
def text(tiny_llama: Any) -> str:
    return str(tiny_llama.test.read_text("utf-8")[:3000])


@pytest.fixture(scope="session")
def session(files: dict[str, str], text: str, inside: Step) -> dict[str, Any]:
    found: dict[str, Any] = inside("session", artifact=files["F32"], text=text)
    return found


@pytest.fixture(scope="session")
def options(files: dict[str, str], text: str, inside: Step) -> dict[str, Any]:
    found: dict[str, Any] = inside("options", artifact=files["Q4_0"], text=text)
    return found


@pytest.fixture(scope="session")
def broken(files: dict[str, str], inside: Step, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    found: dict[str, Any] = inside("broken_files", artifact=files["Q8_0"], out=str(tmp_path_factory.mktemp("broken")))
    return found


def test_importing_the_executor_imports_no_framework() -> None:
    code = (
        "import sys; from recommender.executors.llama_cpp import convert, executor, quantize, server; "
        "assert executor.RUNNER.availability().ok and convert.PREPARER.availability().version and quantize.PREPARER.availability().ok; "
        "print(sorted({'llama_cpp', 'gguf', 'numpy'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True, cwd=Path(__file__).parents[3])
    assert done.stdout.strip() == "[]"


def test_the_environment_of_the_child() -> None:
    runner: Runner = RUNNER
    assert runner.environ({}) == {} == runner.environ({"spin": "shipped"})
    assert runner.environ({"n_threads": 3, "spin": "passive"}) == {"OMP_NUM_THREADS": "3", "OMP_WAIT_POLICY": "PASSIVE", "GOMP_SPINCOUNT": "0"}


def test_generation_is_of_the_asked_length_and_repeats(session: dict[str, Any]) -> None:
    assert len(session["first"]) == session["ticks"] == 24 and session["one"] == 1
    assert session["second"] == session["first"]
    assert len(set(session["first"])) > 3  # not one token for ever
    assert session["completed"] == session["again"] != ""


def test_logits_say_what_generation_does(session: dict[str, Any]) -> None:
    assert session["forced"] == session["first"]
    assert session["dtype"] == "float32"
    assert session["shape"] == [len(session["prompt"]) + 23, session["n_vocab"]]


def test_nothing_is_kept_of_earlier_calls(session: dict[str, Any]) -> None:
    assert session["repeats"]
    assert session["long"] == [300, session["n_vocab"]]
    assert session["prefix"] < 1e-3  # the same tokens in a longer text: the same logits, but for the order of sums


def test_what_a_session_cannot_do_is_unsupported(session: dict[str, Any]) -> None:
    for case, words in (("empty", "empty prompt"), ("too long", "context of 512"), ("outside", "vocabulary")):
        assert session[case]["error"] == "Unsupported" and words in session[case]["message"]


def test_facts_tell_what_is_used(session: dict[str, Any]) -> None:
    facts = session["facts"]
    assert facts["framework_version"] and facts["build"]
    assert facts["precision"] == {"F32": 38}
    assert facts["placement"] == {"CPU": 5}  # four layers and the output
    assert (facts["n_threads"], facts["n_threads_batch"], facts["context"], facts["kv_cache_type"]) == (2, 2, 512, "f32")


def test_options_take_effect(options: dict[str, Any]) -> None:
    facts = options["facts"]
    cache = {name: each["buffers"]["CPU KV"] for name, each in facts.items()}
    assert cache["shipped"] > 1.5 * cache["q8_0"] > 2 * cache["q4_0"]
    assert cache["larger"] == 2 * cache["shipped"]
    assert [facts[name]["kv_cache_type"] for name in ("shipped", "q8_0", "q4_0")] == ["f16", "q8_0", "q4_0"]
    assert facts["flash"]["flash_attention"] and not facts["no flash"]["flash_attention"]
    assert facts["micro batch"]["micro_batch"] == 32 and facts["micro batch"]["buffers"]["CPU compute"] < facts["shipped"]["buffers"]["CPU compute"]
    assert facts["one thread"]["n_threads"] == 1
    assert "CPU_Mapped model" in facts["shipped"]["buffers"] and "CPU_Mapped model" not in facts["read"]["buffers"]
    assert not facts["not repacked"]["repacked"]
    assert facts["shipped"]["precision"]["Q4_0"] == 28


def test_options_change_the_speed_and_not_the_answer(options: dict[str, Any]) -> None:
    for name, facts in options["facts"].items():
        assert facts["kl"] < (0.05 if name == "q4_0" else 1e-3), name
    assert options["facts"]["q8_0"]["kl"] > 0  # the cache really is in eight bits


def test_options_that_cannot_be_are_refused(options: dict[str, Any]) -> None:
    refused = options["refused"]
    assert refused["finite"]
    assert refused["cache type"]["error"] == "Unsupported" and "q2_k" in refused["cache type"]["message"]
    assert refused["cache without flash"]["error"] == "Unsupported" and "flash_attn" in refused["cache without flash"]["message"]
    if not options["cards"]:
        assert refused["card"]["error"] == "Unsupported" and "no back end for cards" in refused["card"]["message"]


@pytest.mark.parametrize(
    ("case", "error", "words"),
    [
        ("garbage", "WrongOutput", "invalid magic"),
        ("cut", "WrongOutput", "corrupted or incomplete"),
        ("unknown", "Unsupported", "nosuch"),
        ("absent", "WrongOutput", "absent.gguf"),
        pytest.param("memory", "OutOfMemory", "memory", marks=pytest.mark.skipif(sys.platform != "linux", reason="addresses are limited as Linux does")),
    ],
)
def test_what_cannot_be_loaded_is_refused_by_class(case: str, error: str, words: str, broken: dict[str, Any]) -> None:
    assert broken[case]["error"] == error
    assert words in broken[case]["message"]


def test_the_server_answers_and_is_gone_after(files: dict[str, str], tmp_path: Path) -> None:
    options = {"n_threads": 2, "context": 256, "kv_cache_type": "q8_0", "flash_attention": True, "mmap": False, "output_tokens": 12}
    found = outcome("recommender.executors.llama_cpp.server:smoke", tmp_path, {"artifact": files["Q8_0"], "options": options})
    assert found.ok, found.message
    assert found.value["usage"]["completion_tokens"] == 12 and found.value["finish_reason"] == "length"
    assert found.value["text"].strip()
    assert found.value["start"] > 0 and found.value["answer"] > 0


def test_a_server_that_cannot_load_its_model_says_why(tmp_path: Path) -> None:
    garbage = tmp_path / "garbage.gguf"
    garbage.write_bytes(b"no GGUF at all")
    found = outcome("recommender.executors.llama_cpp.server:smoke", tmp_path / "job", {"artifact": str(garbage), "options": {}})
    assert found.kind == "unsupported" and "garbage.gguf" in found.message
