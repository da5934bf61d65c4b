"""Runner and preparer of artifacts that need no framework: they show what the protocol itself costs, and what it does with a misbehaving one.

An artifact of the format `null` is a JSON file (or a folder with `model.json`) of the behaviours below, each optional; options come on top.

    kind          "graph" (default) or "tokens"
    latency       seconds that a call, or a token, takes (sleeping where that is precise enough, else spinning)
    noise         standard deviation of the logarithm of a factor on the latency, drawn once a process: what differs between processes
    jitter        the same, drawn at each call
    drift         growth of the latency with each call (0.01: 1 % of it)
    seed          of the draws; without one each process draws its own
    leak          bytes that each call keeps
    hang, crash   number of the call (from 1) that never ends, or ends the process with a segmentation fault
    nan           number of the call from which on the output is NaN
    error         size of what is added to every output, as a quantizer's damage would be
    load          seconds that opening takes
    facts         what the session says of itself
"""

from __future__ import annotations

import faulthandler
import json
import math
import os
import random
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import recommender
from recommender.domain.errors import Unsupported
from recommender.ports import EXECUTOR_API, Availability, GraphSession, Prepared, PrepareJob, TensorSpec, TokenSession

if TYPE_CHECKING:
    import numpy as np

_SLEEPS_FROM = 0.002  # seconds; shorter sleeps are too coarse on some systems
_N_VOCAB = 256  # a token is a byte
_WIDTH = 8


class _Script:
    """What every call does apart from its result."""

    def __init__(self, told: Mapping[str, Any]):
        self._draw = random.Random(told.get("seed"))
        self._latency = float(told.get("latency", 0.0)) * self._factor(told.get("noise", 0.0))
        self._jitter, self._drift = told.get("jitter", 0.0), told.get("drift", 0.0)
        self._leak, self._kept = int(told.get("leak", 0)), []  # type: ignore[var-annotated]
        self._hang, self._crash, self._nan = told.get("hang"), told.get("crash"), told.get("nan")
        self._n_calls = 0
        self.is_idle = not any((self._latency, self._leak, self._hang, self._crash, self._nan))

    def _factor(self, sigma: float) -> float:
        return math.exp(self._draw.gauss(0.0, sigma)) if sigma else 1.0

    def play(self) -> None:
        """One call."""
        self._n_calls += 1
        if self._leak:
            self._kept.append(os.urandom(self._leak))
        if self._n_calls == self._hang:
            time.sleep(1e6)
        if self._n_calls == self._crash:
            faulthandler.disable()
            os.kill(os.getpid(), 11)
        if self._latency:
            _wait(self._latency * self._factor(self._jitter) * (1 + self._drift * self._n_calls))

    @property
    def is_broken(self) -> bool:
        """Whether outputs are NaN by now."""
        return self._nan is not None and self._n_calls >= self._nan


def _wait(seconds: float) -> None:
    if seconds >= _SLEEPS_FROM:
        time.sleep(seconds)
        return
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        pass


class NullGraph:
    """float32 `x` [1, 8] in, `y` of the same shape out: the input, and `error` times a fixed pattern."""

    inputs: tuple[TensorSpec, ...] = (TensorSpec(name="x", dtype="float32", shape=(1, _WIDTH)),)

    def __init__(self, told: Mapping[str, Any]):
        import numpy as np

        self.facts: Mapping[str, Any] = {"framework_version": recommender.__version__, "precision": "f32", "n_threads": 1, **told.get("facts", {})}
        self._script = _Script(told)
        error = float(told.get("error", 0.0))
        self._pattern = error * np.random.default_rng(0).standard_normal((1, _WIDTH)).astype(np.float32) if error else None

    def run(self, feeds: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        try:
            x = feeds["x"]
        except KeyError:
            raise Unsupported(f"no input `x` (there is {', '.join(feeds) or 'none'})") from None
        if self._script.is_idle and self._pattern is None:
            return {"y": x}
        self._script.play()
        output = x if self._pattern is None else x + self._pattern
        return {"y": output * float("nan") if self._script.is_broken else output}

    def run_all(self, feeds: Sequence[Mapping[str, np.ndarray]]) -> None:
        for each in feeds:
            self.run(each)

    def close(self) -> None:
        pass


class NullTokens:
    """A language of bytes: each is followed by what a fixed table says, apart from `error`."""

    n_vocab = _N_VOCAB

    def __init__(self, told: Mapping[str, Any]):
        import numpy as np

        self.facts: Mapping[str, Any] = {"framework_version": recommender.__version__, "precision": "f32", "n_threads": 1, **told.get("facts", {})}
        self._script = _Script(told)
        draw = np.random.default_rng(0)
        self._table = 3 * draw.standard_normal((_N_VOCAB, _N_VOCAB), dtype=np.float32)
        self._table += float(told.get("error", 0.0)) * draw.standard_normal((_N_VOCAB, _N_VOCAB), dtype=np.float32)
        self._next = [int(token) for token in self._table.argmax(axis=1)]

    def tokenize(self, text: str) -> list[int]:
        return list(text.encode())

    def generate(self, prompt: Sequence[int], n_tokens: int, on_token: Callable[[], None]) -> list[int]:
        """One call of the script a token."""
        if not prompt:
            raise Unsupported("an empty prompt: a token follows another")
        token, tokens = prompt[-1], []
        for _ in range(n_tokens):
            self._script.play()
            token = self._next[token]
            tokens.append(token)
            on_token()
        return tokens

    def logits(self, tokens: Sequence[int]) -> np.ndarray:
        found = self._table[list(tokens)]
        return found * float("nan") if self._script.is_broken else found

    def complete(self, text: str, n_tokens: int) -> str:
        return bytes(self.generate(self.tokenize(text), n_tokens, lambda: None)).decode("latin-1")

    def close(self) -> None:
        pass


class NullRunner:
    """Loads artifacts of the format `null`."""

    name = "null"
    api = EXECUTOR_API
    environment = ""
    formats = ("null",)

    def availability(self) -> Availability:
        return Availability(ok=True, version=recommender.__version__)

    def environ(self, options: Mapping[str, Any]) -> dict[str, str]:
        return {}

    def open(self, artifact: Path, options: Mapping[str, Any]) -> TokenSession | GraphSession:
        """Raises Unsupported when the artifact is not one of ours."""
        told = {**_read(artifact), **options}
        time.sleep(told.get("load", 0.0))
        kind = told.get("kind", "graph")
        if kind not in ("graph", "tokens"):
            raise Unsupported(f"`{artifact}`: there is no kind `{kind}` (there are graph, tokens)")
        return NullTokens(told) if kind == "tokens" else NullGraph(told)


def _read(artifact: Path) -> dict[str, Any]:
    path = artifact / "model.json" if artifact.is_dir() else artifact
    try:
        told = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise Unsupported(f"`{path}` is not an artifact of the format `null`: {error}") from None
    if not isinstance(told, dict):
        raise Unsupported(f"`{path}` is not an artifact of the format `null`: no JSON object")
    return told


class NullPreparer:
    """Copies the source."""

    name = "null"
    api = EXECUTOR_API
    environment = ""

    def availability(self) -> Availability:
        return Availability(ok=True, version=recommender.__version__)

    def prepare(self, job: PrepareJob, say: Callable[[str], None]) -> Prepared:
        if not job.source.exists():
            raise Unsupported(f"no `{job.source}`")
        say(f"copying {job.source.name}")
        target = job.out / job.source.name
        if job.source.is_dir():
            shutil.copytree(job.source, target)
        else:
            shutil.copy2(job.source, target)
        return Prepared(artifact=job.source.name, facts={"framework_version": recommender.__version__})


PREPARER = NullPreparer()
RUNNER = NullRunner()
