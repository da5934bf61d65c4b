"""What the conformance suites of executors run in a child process, where frameworks may be imported. Standard library and numpy only, for any interpreter.

Each part is told as the child's own program tells a whole job: {"outcome": "ok", "value": ...}, or a class of failure and its message.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import sysconfig
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from importlib.machinery import BuiltinImporter, FrozenImporter, PathFinder
from pathlib import Path
from typing import Any, cast

from recommender.executors import child
from recommender.ports import GraphSession, Runner, TokenSession

N_PROMPT, N_TOKENS = 24, 12
_N_FEEDS = 3
_IDS = 100  # integer inputs stay below it: they may be token ids
_EDGES = ("A cat sat.", "Birds sing!", "Then it rains")  # texts that begin and end differently


def call(what: Callable[[], Any]) -> Any:
    """So that `attempt` can hand any call to the child's program. What cannot be written as JSON is the fault of this part alone."""
    return json.loads(json.dumps(what()))


def attempt(name: str, what: Callable[[], Any]) -> dict[str, Any]:
    """The outcome of one part; its name is the last line of the log if the process dies of it."""
    print(name, file=sys.stderr, flush=True)
    return child.outcome_of({"function": f"{__name__}:call", "arguments": {"what": what}})


def found(where: str) -> Any:
    """The object at `module:attribute`."""
    module, _, attribute = where.partition(":")
    return getattr(importlib.import_module(module), attribute)


def declared(where: str) -> dict[str, Any]:
    """What importing an executor and asking for its availability imported from elsewhere, and its availability where nothing is installed."""
    known = {name.partition(".")[0] for name in sys.modules} | {"recommender", where.partition(".")[0]} | sys.stdlib_module_names
    executor = found(where)
    told = {"by_import": _foreign(known), "availability": asdict(executor.availability()), "by_asking": _foreign(known)}
    standard = sysconfig.get_path("stdlib")
    sys.path[:] = [path for path in sys.path if path.startswith(standard) and "site-packages" not in path and "dist-packages" not in path]
    sys.meta_path[:] = [BuiltinImporter, FrozenImporter, PathFinder]
    importlib.invalidate_caches()
    return {**told, "hidden": asdict(executor.availability())}


def _foreign(known: set[str]) -> list[str]:
    return sorted({name.partition(".")[0] for name in sys.modules} - known)


def prepared(orders: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Steps by name, one after the other, each as a recipe's step is run; the framework is imported once."""
    from recommender.apply.step import prepare

    return {name: attempt(name, lambda order=order: prepare(**order)) for name, order in orders.items()}  # type: ignore[misc]


def opened(runner: str, asked: Mapping[str, tuple[str, Mapping[str, Any]]]) -> dict[str, Any]:
    """The facts of a session for each artifact and options."""
    return {name: attempt(name, lambda artifact=artifact, options=options: _facts(runner, artifact, options)) for name, (artifact, options) in asked.items()}  # type: ignore[misc]


def _facts(runner: str, artifact: str, options: Mapping[str, Any]) -> Any:
    session = _open(runner, artifact, options)
    facts = dict(session.facts)
    session.close()
    return facts


def _open(runner: str, artifact: str, options: Mapping[str, Any]) -> TokenSession | GraphSession:
    return cast(Runner, found(runner)).open(Path(artifact), options)


# --- language models ---------------------------------------------------------------------------------------------------


def tokens(runner: str, artifact: str, options: Mapping[str, Any], text: str) -> dict[str, Any]:
    """All parts of a TokenSession, in an order in which each could spoil the next."""
    session = cast(TokenSession, _open(runner, artifact, options))
    ids = list(session.tokenize(text))
    prompt = ids[:N_PROMPT]
    context = int(options.get("context", 0))
    told = {
        "n_vocab": int(session.n_vocab), "ids": attempt("tokenizing", lambda: _tokenized(session, text)), "generated": attempt("generating", lambda: _generated(session, ids)),
        "logits": attempt("logits", lambda: _logits(session, ids)), "text": attempt("completing", lambda: [session.complete(text[:100], N_TOKENS) for _ in range(2)]),
        "no prompt": attempt("an empty prompt", lambda: list(session.generate([], 1, _ignore))),
        "too long": attempt("a prompt longer than the context", lambda: len(session.generate((ids * context)[: context + 1], 1, _ignore))),
        "after": attempt("generating after a refusal", lambda: [int(token) for token in session.generate(prompt, N_TOKENS, _ignore)]),
    }
    return {**told, **_ended(session, {"prompt_tokens": N_PROMPT, "output_tokens": 4, "n_inputs": 2})}


def _ignore() -> None:
    pass


def _tokenized(session: TokenSession, text: str) -> dict[str, Any]:
    edges = [session.tokenize(each) for each in _EDGES]
    tokens = session.tokenize(text)
    return {
        "n": len(tokens), "are_ids": all(type(token) is int and 0 <= token < session.n_vocab for token in tokens), "none": len(session.tokenize("")),
        "first": [int(each[0]) for each in edges], "last": [int(each[-1]) for each in edges],
    }


def _generated(session: TokenSession, ids: Sequence[int]) -> dict[str, Any]:
    """The second prompt begins as the first one does: what is kept of one would show in the other."""
    first, second = ids[:N_PROMPT], [*ids[: N_PROMPT // 2], *ids[N_PROMPT : N_PROMPT + N_PROMPT // 2]]
    ticks: list[int] = []
    runs = [[int(token) for token in session.generate(prompt, N_TOKENS, lambda: ticks.append(1))] for prompt in (first, second, first)]
    single = session.generate(first, 1, lambda: ticks.append(1))
    return {"first": runs[0], "second": runs[1], "again": runs[2], "single": [int(token) for token in single], "ticks": len(ticks)}


def _logits(session: TokenSession, ids: Sequence[int]) -> dict[str, Any]:
    """`shortfall`: how far the logit of a generated token lies below the largest of its row, at most; `change`: between equal calls; both as a share of the largest value."""
    import numpy as np

    prompt = list(ids[:N_PROMPT])
    first = session.logits(prompt)
    kept = first.copy()
    scale = float(np.abs(kept).max())
    generated = [int(token) for token in session.generate(prompt, N_TOKENS, _ignore)]
    rows = session.logits([*prompt, *generated[:-1]])[N_PROMPT - 1 :]
    again = session.logits(prompt)
    shortfall = max(float(row.max() - row[token]) for row, token in zip(rows, generated, strict=True))
    return {
        "is_array": isinstance(first, np.ndarray), "dtype": str(first.dtype), "shape": list(first.shape), "is_finite": bool(np.isfinite(kept).all()),
        "shortfall": shortfall / scale, "change": float(np.abs(again - kept).max()) / scale, "is_overwritten": bool((first != kept).any()),
    }


# --- graphs ------------------------------------------------------------------------------------------------------------


def graph(runner: str, artifact: str, options: Mapping[str, Any], free: str | None) -> dict[str, Any]:
    """All parts of a GraphSession; `free`: an artifact with free dimensions."""
    from recommender.measure.inputs import graph_inputs

    session = cast(GraphSession, _open(runner, artifact, options))
    feeds = graph_inputs(session.inputs, {"n_inputs": _N_FEEDS, "vocabulary": _IDS}).items
    name = session.inputs[0].name
    others = {each: array for each, array in feeds[0].items() if each != name}
    told = {
        "inputs": _told(session), "runs": attempt("running", lambda: _runs(session, feeds)),
        "wrong name": attempt("an input of an unknown name", lambda: list(session.run({**others, "no_such_input": feeds[0][name]}))),
        "wrong shape": attempt("an input of a wrong shape", lambda: list(session.run({**others, name: feeds[0][name][None, None]}))),
        "after": attempt("running after a refusal", lambda: _runs(session, feeds)),
        "free": attempt("free dimensions", lambda: _free(runner, free, options)) if free else None,
    }
    return {**told, **_ended(session, {"n_inputs": 2, "vocabulary": _IDS})}


def _told(session: GraphSession) -> list[Any]:
    return [[each.name, each.dtype, list(each.shape)] for each in session.inputs]


def _runs(session: GraphSession, feeds: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """`change`: between equal calls, others and many at once between them, as a share of the largest value."""
    import numpy as np

    given = [{name: array.copy() for name, array in each.items()} for each in feeds]
    runs = [{name: array.copy() for name, array in session.run(each).items()} for each in feeds]
    nothing = cast(Any, session).run_all(list(feeds) * 4)
    again = session.run(feeds[0])
    shapes = [{name: list(array.shape) for name, array in each.items()} for each in runs]
    numbers = [name for name, array in runs[0].items() if array.dtype.kind in "fiu"]
    return {
        "are_arrays": all(isinstance(array, np.ndarray) for array in again.values()), "shapes": shapes, "returns_nothing": nothing is None,
        "change": max(_change(again[name], runs[0][name]) for name in numbers), "is_constant": all(_change(runs[0][name], runs[1][name]) == 0 for name in numbers),
        "are_feeds_kept": all((array == feeds[i][name]).all() for i, each in enumerate(given) for name, array in each.items()),
    }


def _change(found: Any, expected: Any) -> float:
    import numpy as np

    found, expected = (np.asarray(each, np.float64) for each in (found, expected))
    return float(np.abs(found - expected).max() / max(float(np.abs(expected).max()), 1e-30))


def _free(runner: str, artifact: str, options: Mapping[str, Any]) -> dict[str, Any]:
    """Inputs of a graph with a free first axis, and that axis of its outputs by the size that was given."""
    from recommender.measure.inputs import graph_inputs

    session = cast(GraphSession, _open(runner, artifact, options))
    sizes = {}
    for size in (1, 3):
        feeds = graph_inputs(session.inputs, {"n_inputs": 1, "batch": size, "vocabulary": _IDS}).items[0]
        sizes[str(size)] = sorted({array.shape[0] for array in session.run(feeds).values()})
    told = {"inputs": _told(session), "sizes": sizes}
    session.close()
    return told


# --- both --------------------------------------------------------------------------------------------------------------


def _ended(session: TokenSession | GraphSession, plan: Mapping[str, Any]) -> dict[str, Any]:
    """The session's facts, what the measuring harness makes of it, and whether it can be closed."""
    from recommender.measure.requests import requests_for

    def measured() -> Any:
        requests = requests_for(session, plan)
        requests.call()
        requests.take()
        return {"outputs": requests.verify(), "flags": requests.flags}

    return {
        "facts": attempt("facts", lambda: dict(session.facts)), "measured": attempt("measuring", measured),
        "closed": attempt("closing", session.close), "left": _children(),
    }


def _children() -> list[str]:
    """Programs that this process started and that still run."""
    import psutil

    return [each.name() for each in psutil.Process(os.getpid()).children(recursive=True)]
