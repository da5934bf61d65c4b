"""The model behind an HTTP interface, as it is most often deployed: start the binding's own server, ask it, stop it."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import IO, Any

from recommender.domain.errors import ExecutorUnavailable, OutOfMemory, StepFailed, Unsupported, WrongOutput

_START = 120.0  # seconds from start to the first answer
_ANSWER = 120.0  # seconds for one completion
_STOP = 5.0  # seconds to end by itself
_EXTRAS = ("uvicorn", "fastapi", "pydantic_settings", "sse_starlette", "starlette_context")
_HINT = "pip install 'llama-cpp-python[server]'"
_FLAGS = {"n_threads": "--n_threads", "context": "--n_ctx", "micro_batch": "--n_ubatch", "flash_attention": "--flash_attn", "mmap": "--use_mmap"}


@contextmanager
def serving(artifact: str, options: Mapping[str, Any]) -> Iterator[str]:
    """Address of a server of this model (`http://127.0.0.1:PORT`), ready; it is stopped at the end.

    The server stays in the caller's process group, so that it ends with a caller that is killed.

    Raises:
        ExecutorUnavailable: the server's packages are not installed.
        StepFailed: it ended, or was not ready in time.
    """
    from importlib.util import find_spec

    missing = [name for name in _EXTRAS if find_spec(name) is None]
    if missing:
        raise ExecutorUnavailable(f"llama.cpp's server needs {', '.join(missing)}", hints=(_HINT,))
    port = _free_port()
    command = [sys.executable, "-P", "-m", "llama_cpp.server", "--model", artifact, "--host", "127.0.0.1", "--port", str(port), *_arguments(options)]
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        try:
            address = f"http://127.0.0.1:{port}"
            _wait(address, process, log)
            yield address
        finally:
            _stop(process)


def complete(address: str, prompt: str, n_tokens: int) -> dict[str, Any]:
    """Greedy completion by REST: text, finish_reason and usage (prompt_tokens, completion_tokens, total_tokens).

    Raises:
        StepFailed: an error of the server, no answer in time, or an answer of another form.
    """
    question = {"prompt": prompt, "max_tokens": n_tokens, "temperature": 0.0}
    request = urllib.request.Request(f"{address}/v1/completions", json.dumps(question).encode(), {"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=_ANSWER) as answer:
            told = json.load(answer)
        choice = told["choices"][0]
        return {"text": str(choice["text"]), "finish_reason": choice["finish_reason"], "usage": dict(told["usage"])}
    except urllib.error.HTTPError as error:
        raise Unsupported(f"the server refused ({error.code}): {_message(error)}") from None
    except TimeoutError:
        raise StepFailed(f"no answer within {_ANSWER:g} s", kind="timeout") from None
    except OSError as error:
        raise StepFailed(f"the server is gone: {error}", kind="crash") from None
    except (ValueError, KeyError, IndexError, TypeError) as error:
        raise WrongOutput(f"the server's answer has another form: {type(error).__name__} {error}") from None


def smoke(artifact: str, options: dict[str, Any]) -> dict[str, Any]:
    """Serve the model, ask once, stop: text, finish_reason, usage, start and answer in seconds. Runs as a step in a child process.

    Options are a Runner's, and `prompt` and `output_tokens` (16).

    Raises:
        As `serving` and `complete` do; WrongOutput when no text came.
    """
    began = time.perf_counter()
    with serving(artifact, options) as address:
        ready = time.perf_counter()
        told = complete(address, options.get("prompt", "Once upon a time"), int(options.get("output_tokens", 16)))
        answered = time.perf_counter()
    if told["usage"].get("completion_tokens", 0) < 1:
        raise WrongOutput("the server answered without a token")
    return {**told, "start": ready - began, "answer": answered - ready}


def _arguments(options: Mapping[str, Any]) -> list[str]:
    found = [text for name, flag in _FLAGS.items() if options.get(name) not in (None, "auto") for text in (flag, str(options[name]))]
    if cache_type := options.get("kv_cache_type"):
        number = str(_cache_type(cache_type))
        found += ["--type_k", number, "--type_v", number]
    if (layers := options.get("n_gpu_layers")) is not None:
        found += ["--n_gpu_layers", "-1" if layers == "all" else str(layers)]
    return found


def _cache_type(name: str) -> int:
    """ggml's number of a type. Raises Unsupported."""
    import gguf

    try:
        return int(gguf.GGMLQuantizationType[name.upper()])
    except KeyError:
        raise Unsupported(f"kv_cache_type `{name}`") from None


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait(address: str, process: subprocess.Popen[bytes], log: IO[bytes]) -> None:
    end = time.monotonic() + _START
    while time.monotonic() < end:
        if process.poll() is not None:
            raise _ended(process.returncode, log)
        try:
            with urllib.request.urlopen(f"{address}/v1/models", timeout=2.0):
                return
        except OSError:  # not listening yet
            time.sleep(0.1)
    raise StepFailed(f"the server was not ready within {_START:g} s", kind="timeout")


def _ended(code: int, log: IO[bytes]) -> StepFailed:
    """The class of a server that ended by itself, from the last lines that it wrote."""
    log.seek(0)
    lines = [line.strip() for line in log.read().decode("utf-8", "replace").splitlines() if line.strip()]
    message = f"the server ended with {code}: {lines[-1][:300] if lines else 'without a word'}"
    text = "\n".join(lines)
    if "failed to allocate" in text or "out of memory" in text or "MemoryError" in text:
        return OutOfMemory(message)
    if "Failed to load model" in text or "does not exist" in text or "Failed to create llama_context" in text:
        return Unsupported(message)
    return StepFailed(message, kind="crash")


def _message(error: urllib.error.HTTPError) -> str:
    try:
        return str(json.load(error)["error"]["message"])[:300]
    except (ValueError, KeyError, TypeError, OSError):
        return str(error.reason)


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(_STOP)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait(_STOP)
