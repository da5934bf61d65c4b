"""What is asked of a session, over and over: generating requests of a language model, inferences of a graph.

Both kinds offer `call` (one request, nothing timed: warm-up, memory, energy), `take` (one timed sample, kept in `raw`) and `extras` (what is
measured beside it). Outputs are consumed, and checked outside of the timed part. Runs in the child.
"""

from __future__ import annotations

import hashlib
import math
import time
from collections.abc import Callable, Mapping, Sequence
from itertools import cycle, islice
from typing import Any, cast

from recommender.domain.errors import StepFailed, WrongOutput
from recommender.measure import inputs
from recommender.measure.sampling import calls_per_sample
from recommender.ports import GraphSession, TokenSession

Clock = Callable[[], float]
_SINGLES = 10  # single timed calls beside each batch of fast ones: 30 batches give the 299 that a p99 needs
_N_WINDOWS, _LARGEST_WINDOW = 5, 200_000  # of throughput: how many, and calls in one at most
_PROBE = 16  # tokens whose logits are checked once


def requests_for(session: TokenSession | GraphSession, plan: Mapping[str, Any], clock: Clock = time.perf_counter) -> TokenRequests | GraphRequests:
    """The kind of requests that the session answers."""
    if hasattr(session, "generate"):
        return TokenRequests(cast(TokenSession, session), plan, clock)
    return GraphRequests(session, plan, clock)


class TokenRequests:
    """Prompts of `prompt_tokens` ids, answered with exactly `output_tokens`: decoding happens at the depth that the prompt fills."""

    kind = "tokens"

    def __init__(self, session: TokenSession, plan: Mapping[str, Any], clock: Clock):
        self._session, self._clock = session, clock
        self.n_output = int(plan["output_tokens"])
        self.inputs = inputs.prompts(session, plan)
        self._rotation = cycle(range(len(self.inputs.items)))
        self._traces: dict[int, list[int]] = {}
        self.calls_each = 1 + self.n_output
        self.raw: dict[str, list[Any]] = {"tokens": []}
        self.flags: list[str] = []

    def prepare(self, resolution: float, seconds_per_call: float) -> None:
        """Nothing: a request lasts long enough."""

    def call(self) -> None:
        self._timed()

    def take(self) -> float:
        """One request; returns its seconds."""
        request = self._timed()
        self.raw["tokens"].append(request)
        return float(request["token_times"][-1])

    def _timed(self) -> dict[str, Any]:
        at = next(self._rotation)
        prompt = self.inputs.items[at]
        times: list[float] = []
        clock, note = self._clock, times.append
        began = clock()
        tokens = self._session.generate(prompt, self.n_output, lambda: note(clock()))
        self._check(at, tokens, times)
        since = [each - began for each in times]
        return {"n_prompt": len(prompt), "n_tokens": len(tokens), "ttft": since[0], "token_times": since}

    def _check(self, at: int, tokens: Sequence[int], times: Sequence[float]) -> None:
        """The number asked for, ids of the vocabulary, and the same trace for the same prompt."""
        if len(tokens) != self.n_output or len(times) != self.n_output:
            raise WrongOutput(f"{len(tokens)} tokens came and {len(times)} were announced, {self.n_output} were asked for")
        if not all(0 <= token < self._session.n_vocab for token in tokens):
            raise WrongOutput(f"a token id outside of the vocabulary of {self._session.n_vocab}")
        if self._traces.setdefault(at, list(tokens)) != list(tokens) and "not-deterministic" not in self.flags:
            self.flags.append("not-deterministic")

    def verify(self) -> dict[str, Any]:
        """Logits of a few tokens are finite and of the right shape; a session without logits says why. Returns what came out."""
        probe = self.inputs.items[0][:_PROBE]
        told: dict[str, Any] = {"tokens": self._traces.get(0, [])[:_PROBE], "sha256": hashlib.sha256(repr(sorted(self._traces.items())).encode()).hexdigest()}
        try:
            logits = self._session.logits(probe)
        except (StepFailed, NotImplementedError) as error:
            if isinstance(error, WrongOutput):
                raise
            return {**told, "logits": {"why": str(error)}}
        inputs.checked({"logits": logits}, {"logits": (len(probe), self._session.n_vocab)})
        return {**told, "logits": {"min": float(logits.min()), "max": float(logits.max())}}

    def extras(self, plan: Mapping[str, Any], seconds: float, deadline: float) -> dict[str, Any]:
        """`end_to_end`: text in, text out, {"n_prompt", "n_tokens", "seconds"} per request, or why there is none."""
        texts = self.inputs.texts
        if not texts:
            return {"end_to_end": {"why": "no text: the prompts are token ids"}}
        found: list[dict[str, Any]] = []
        try:
            for text in texts[1:4]:
                n_prompt = len(self._session.tokenize(text))
                began = self._clock()
                answer = self._session.complete(text, self.n_output)
                found.append({"n_prompt": n_prompt, "n_tokens": self.n_output, "seconds": self._clock() - began, "characters": len(answer)})
                if self._clock() >= deadline:
                    break
        except (StepFailed, NotImplementedError) as error:
            return {"end_to_end": {"why": str(error)}}
        return {"end_to_end": found}


class GraphRequests:
    """Inferences over a rotation of feeds."""

    kind = "graph"
    calls_each = 1

    def __init__(self, session: GraphSession, plan: Mapping[str, Any], clock: Clock):
        self._session, self._clock = session, clock
        self.inputs = inputs.graph_inputs(session.inputs, plan)
        self._rotation = cycle(self.inputs.items)
        self._shapes: dict[str, tuple[int, ...]] | None = None
        self._last: dict[str, Any] = {}
        self._n_inner = 1
        self.raw: dict[str, list[Any]] = {"calls": [], "single_calls": []}
        self.flags = ["few-inputs"] if len(self.inputs.items) < inputs.N_INPUTS else []

    def prepare(self, resolution: float, seconds_per_call: float) -> None:
        """Choose how many calls are timed together, from what one took at the end of the warm-up."""
        self._n_inner = calls_per_sample(seconds_per_call, resolution)

    def call(self) -> None:
        self._last = self._session.run(next(self._rotation))

    def take(self) -> float:
        """One sample; returns its seconds per call. Beside a batch a few single calls are timed for the percentiles."""
        if self._n_inner == 1:
            seconds = self._single()
            self.raw["calls"].append(seconds)
        else:
            run, feeds = self._session.run, islice(self._rotation, self._n_inner)
            began = self._clock()
            for each in feeds:
                output = run(each)
            taken = self._clock() - began
            self._last, seconds = output, taken / self._n_inner
            self.raw["calls"].append({"calls": self._n_inner, "seconds": taken})
            self.raw["single_calls"] += [self._single() for _ in range(_SINGLES)]
        self._shapes = inputs.checked(self._last, self._shapes)
        return seconds

    def _single(self) -> float:
        run, feeds, clock = self._session.run, next(self._rotation), self._clock
        began = clock()
        self._last = run(feeds)
        return clock() - began

    def verify(self) -> dict[str, Any]:
        """Every input once: finite outputs of one shape. Returns name -> shape, type and range over the inputs."""
        told: dict[str, Any] = {}
        seen = []
        for feeds in self.inputs.items:
            outputs = self._session.run(feeds)
            self._shapes = inputs.checked(outputs, self._shapes)
            seen.append({name: array.copy() for name, array in outputs.items()})
        for name, array in seen[0].items():
            told[name] = {"shape": list(array.shape), "dtype": str(array.dtype)}
            if array.dtype.kind in "fiu" and array.size:
                told[name] |= {"min": float(min(each[name].min() for each in seen)), "max": float(max(each[name].max() for each in seen))}
        return {"outputs": told, "sha256": inputs.digest(seen)}

    def extras(self, plan: Mapping[str, Any], seconds: float, deadline: float) -> dict[str, Any]:
        """`windows`: many inferences at once, {"calls", "seconds"} per window of `seconds`, when the plan asks for `throughput`."""
        if not plan.get("throughput"):
            return {}
        n, windows = 2 * len(self.inputs.items), [self._window(2 * len(self.inputs.items))]
        while windows[-1]["seconds"] < seconds / 2 and n < _LARGEST_WINDOW and self._clock() < deadline:
            n = min(_LARGEST_WINDOW, 10 * n, math.ceil(n * seconds / max(windows[-1]["seconds"], 1e-6)))
            windows = [self._window(n)]
        while len(windows) <= _N_WINDOWS and self._clock() < deadline:
            windows.append(self._window(n))
        return {"windows": windows[1:] or windows}  # the first one warmed the streams up

    def _window(self, n: int) -> dict[str, Any]:
        feeds = list(islice(self._rotation, n))
        began = self._clock()
        self._session.run_all(feeds)
        return {"calls": n, "seconds": self._clock() - began}
