"""Executors with one fault each, named by the option `fault` or the parameter of that name: what the conformance suites are there to find."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from recommender.domain.errors import Unsupported
from recommender.executors.null.executor import NullGraph, NullPreparer, NullRunner, NullTokens
from recommender.ports import Prepared, PrepareJob


class FaultyTokens(NullTokens):
    def __init__(self, told: Mapping[str, Any]):
        super().__init__(told)
        self._fault, self._n_seen = told.get("fault"), 0
        self.facts = {} if self._fault == "no version" else self.facts

    def tokenize(self, text: str) -> list[int]:
        return [0, *super().tokenize(text)] if self._fault == "special token" else super().tokenize(text)

    def generate(self, prompt: Sequence[int], n_tokens: int, on_token: Callable[[], None]) -> list[int]:
        if self._fault == "takes no prompt" and not prompt:
            return [0] * n_tokens
        tokens = super().generate(prompt, n_tokens, (lambda: None) if self._fault == "silent" else on_token)
        self._n_seen += len(prompt)
        if self._fault == "keeps prompts":
            return [(token + self._n_seen) % self.n_vocab for token in tokens]
        return tokens[:-1] if self._fault == "stops early" else tokens

    def logits(self, tokens: Sequence[int]) -> Any:
        import numpy as np

        found = super().logits(tokens)
        if self._fault == "nan":
            found[-1, 0] = np.nan
        if self._fault == "keeps calls":
            self._n_seen += 1
            found = found + self._n_seen
        return {"double": found.astype(np.float64), "shifted": np.roll(found, 1, axis=0)}.get(str(self._fault), found)

    def complete(self, text: str, n_tokens: int) -> str:
        return "" if self._fault == "no text" else super().complete(text, n_tokens)

    def close(self) -> None:
        if self._fault == "does not close":
            raise RuntimeError("busy")


class FaultyGraph(NullGraph):
    def __init__(self, told: Mapping[str, Any]):
        super().__init__(told)
        self._fault, self._first = told.get("fault"), None

    def run(self, feeds: Mapping[str, Any]) -> Any:
        if self._fault == "any name":
            return {"y": next(iter(feeds.values()))}
        output = super().run(feeds)
        if self._fault == "stale":
            self._first = self._first or output
            return self._first
        if self._fault == "changes inputs":
            feeds["x"][:] = 0
        return {"lists": {"y": output["y"].tolist()}, "growing": {"y": output["y"][:, : 1 + self._grown()]}}.get(str(self._fault), output)

    def _grown(self) -> int:
        self._first = (self._first or 0) + 1
        return int(self._first)

    def run_all(self, feeds: Sequence[Mapping[str, Any]]) -> Any:
        return [self.run(each) for each in feeds] if self._fault == "returns all" else super().run_all(feeds)


class FaultyRunner(NullRunner):
    """Options: fault, kind."""

    def environ(self, options: Mapping[str, Any]) -> dict[str, str]:
        return {"THREADS": options["n_threads"]} if options.get("fault") == "numbers" else {}

    def open(self, artifact: Path, options: Mapping[str, Any]) -> Any:
        fault = options.get("fault")
        if fault == "reports":
            (Path.home() / "identity").touch()
        try:
            super().open(artifact, {}).close()
        except Unsupported:
            if fault != "loads anything":
                raise
        if fault == "two lines" and "no_such_option" in options:
            raise Unsupported("no_such_option\nis unknown")
        return FaultyTokens(options) if options.get("kind") == "tokens" else FaultyGraph(options)


class FaultyPreparer(NullPreparer):
    """Parameter: fault."""

    def prepare(self, job: PrepareJob, say: Callable[[str], None]) -> Prepared:
        fault = job.parameters.get("fault")
        if fault != "any scheme" and job.scheme["key"].startswith("no-such"):
            raise Unsupported(job.scheme["key"])
        if fault != "reads nothing" and job.source.is_file():
            try:
                json.loads(job.source.read_bytes())
            except ValueError:
                raise Unsupported(f"`{job.source.name}` is no JSON file") from None
        if fault == "writes elsewhere":
            Path("scratch").touch()
        made = super().prepare(job, say)
        if fault == "changes its source":
            job.source.write_text(job.source.read_text() + " ")
        if fault == "writes beside its source":
            job.source.with_name("prepared.json").touch()
        if fault == "grows":
            (job.out / made.artifact).write_bytes(job.source.read_bytes() * (2 if "2" in job.out.name else 1))
        return Prepared(artifact=str(job.out / made.artifact) if fault == "absolute" else made.artifact, facts={} if fault == "silent" else made.facts)


RUNNER = FaultyRunner()
PREPARER = FaultyPreparer()
