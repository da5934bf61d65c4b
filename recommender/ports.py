"""The ports: what the engine asks of the world. Each has at least two implementations, one of them for tests or replay."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from recommender.domain.fingerprint import Observation

if TYPE_CHECKING:
    import numpy as np

PROBE_API = 1
EXECUTOR_API = 1


@dataclass(frozen=True, kw_only=True, slots=True)
class Completed:
    """A finished command. `returncode` 127 when there is no such program, 124 when it ran past its time."""

    stdout: str
    stderr: str = ""
    returncode: int = 0

    @property
    def ok(self) -> bool:
        return self.returncode == 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Platform:
    """os: linux, android, macos, windows, or None when a recording does not tell. architecture: x86_64, aarch64, ..."""

    os: str | None
    architecture: str | None


@runtime_checkable
class HostAccess(Protocol):
    """Everything a probe may know of a machine. A recording is just another host; nothing here raises."""

    is_live: bool  # False: another machine's tree or a recording; never fall back to the reading process

    def platform(self) -> Platform: ...

    def read_text(self, path: str) -> str | None:
        """Whole text of an absolute POSIX path (`/proc/cpuinfo`); None when absent or unreadable. NUL bytes are kept."""

    def list_dir(self, path: str) -> tuple[str, ...]:
        """Names in a folder, sorted; empty when absent."""

    def exists(self, path: str) -> bool: ...

    def read_link(self, path: str) -> str | None:
        """Target of a symbolic link as text, None when it is none."""

    def run(self, argv: Sequence[str], timeout: float = 5.0) -> Completed:
        """Run a program (argv list, never a shell, bounded time and output)."""

    def python(self, question: str) -> Any:
        """Ask the running interpreter one of a closed set of questions (see `intake.host.QUESTIONS`); None in a replay that lacks it."""


class Probe(Protocol):
    """A module or object. `read` does the I/O and returns raw text by name (None or empty: nothing there); `parse` is pure.

    name: unique, snake_case. api: PROBE_API. volatile: True when it must be read fresh at every run.
    platforms: tuple of os names it is for, or () for any.
    """

    name: str
    api: int
    volatile: bool
    platforms: tuple[str, ...]

    def read(self, host: HostAccess) -> dict[str, Any] | None: ...

    def parse(self, raw: dict[str, Any]) -> Observation: ...


@dataclass(frozen=True, kw_only=True, slots=True)
class Availability:
    """Whether an executor can work here. `reason` says why not, `hint` is a line to paste that unlocks it."""

    ok: bool
    version: str = ""
    reason: str = ""
    hint: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class PrepareJob:
    """What a preparer gets.

    Attributes:
        source: the input artifact, a file or a folder; never changed.
        out: an existing empty folder of its own; the artifact is made in it.
        scheme: the fields of the `QuantScheme` by name (key, weight_bits, group_size, symmetric, ratio, method, ...).
        parameters: knobs beyond the scheme, each optional (each preparer's README lists its own).
        execution_provider: our key of what the artifact will run on.
        calibration: `.txt` for language models, `.npz` for graphs (inputs by name, first axis = samples; `labels` optional).
        threads: processors it may use.
    """

    source: Path
    out: Path
    scheme: Mapping[str, Any]
    parameters: Mapping[str, Any] = field(default_factory=dict)
    execution_provider: str = "cpu"
    calibration: Path | None = None
    threads: int = 1


@dataclass(frozen=True, kw_only=True, slots=True)
class Prepared:
    """What a preparer made. `artifact` is relative to `out` (`.`: the whole folder); `facts` is JSON-ready (types per tensor, versions, ...)."""

    artifact: str
    facts: Mapping[str, Any] = field(default_factory=dict)


class Preparer(Protocol):
    """Makes an artifact. `prepare` runs in a child process of the environment's interpreter; importing the module imports no framework.

    name: a key of the closed list of preparers. environment: "" (this interpreter) or a key of `executors/environments.toml`.
    """

    name: str
    api: int
    environment: str

    def availability(self) -> Availability:
        """Cheap, imports no framework."""

    def prepare(self, job: PrepareJob, say: Callable[[str], None]) -> Prepared:
        """Raises Unsupported, WrongOutput, OutOfMemory or Fallback (`domain.errors`); anything else counts as a fault of the tool."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ProxyJob:
    """An artifact with the shapes of a model whose weights do not lie here.

    Attributes:
        model: fields of the `ModelSpec` by name. scheme: fields of the `QuantScheme` by name.
        n_layers: layers to write, fewer than the model's, or all of them; embedding and output are always whole.
        out: an existing empty folder of its own. context: tokens that it must be able to hold. seed: of the weights.
    """

    model: Mapping[str, Any]
    scheme: Mapping[str, Any]
    n_layers: int
    out: Path
    context: int = 4096
    seed: int = 0


class ShapeProxy(Protocol):
    """Writes artifacts of exact layer shapes with random weights in the scheme's own layout: as fast as the model, and without its meaning.

    name: the framework that runs them. environment: as of a `Preparer`. `write` runs in a child process; importing the module imports no framework.
    """

    name: str
    api: int
    environment: str

    def refusal(self, model: Mapping[str, Any], scheme: Mapping[str, Any]) -> str:
        """PURE: why it cannot write such a model (a shape that is not known, an architecture, a scheme), else empty."""

    def write(self, job: ProxyJob) -> Prepared:
        """Raises as `Preparer.prepare` does."""


@dataclass(frozen=True, kw_only=True, slots=True)
class TensorSpec:
    """An input of a graph: numpy type name, shape with None where it is free."""

    name: str
    dtype: str
    shape: tuple[int | None, ...]


class TokenSession(Protocol):
    """A loaded language model.

    facts: framework_version, build, precision, n_threads, execution_provider, placement (unit -> number of nodes or layers), ...: what is
    really used, as far as the framework tells. Token ids are the model's own.
    """

    facts: Mapping[str, Any]
    n_vocab: int

    def tokenize(self, text: str) -> list[int]:
        """Without special tokens."""

    def generate(self, prompt: Sequence[int], n_tokens: int, on_token: Callable[[], None]) -> list[int]:
        """Greedy, exactly `n_tokens`, the end token ignored, nothing kept of earlier prompts. `on_token` as soon as each token is known."""

    def logits(self, tokens: Sequence[int]) -> np.ndarray:
        """float32 [len(tokens), n_vocab]: row i predicts token i + 1; nothing kept of earlier calls."""

    def complete(self, text: str, n_tokens: int) -> str:
        """End to end: text in, text out, tokenization and sampling included."""

    def close(self) -> None: ...


class GraphSession(Protocol):
    """A loaded graph. `facts` as for a TokenSession."""

    facts: Mapping[str, Any]
    inputs: tuple[TensorSpec, ...]

    def run(self, feeds: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """One inference; returns when the outputs are there, as numpy arrays."""

    def run_all(self, feeds: Sequence[Mapping[str, np.ndarray]]) -> None:
        """All of them as fast as the streams allow; returns when all are done."""

    def close(self) -> None: ...


class Runner(Protocol):
    """Loads and runs artifacts. `open` runs in a child process; importing the module imports no framework.

    name: a key of the closed list of frameworks. formats: what it loads. tasks: (), or the tasks it is for.
    Options (each optional): n_threads, context, micro_batch, kv_cache_type, flash_attention, mmap, repack, n_gpu_layers, graph_optimization,
    performance_hint, streams, cache_dir, precision, spin ("shipped": as the framework comes, "passive": waiting threads sleep),
    execution_provider (our key), scheme.
    """

    name: str
    api: int
    environment: str
    formats: tuple[str, ...]

    def availability(self) -> Availability: ...

    def environ(self, options: Mapping[str, Any]) -> dict[str, str]:
        """PURE: environment variables that the child needs before anything is imported (threads, spinning)."""

    def open(self, artifact: Path, options: Mapping[str, Any]) -> TokenSession | GraphSession:
        """Raises as `Preparer.prepare` does."""
