"""PURE: what a network costs that no evidence knows, from facts about its graph: a Gaussian process, of which only sums ship.

The kernel is a sum of a linear part in the facts, equal task, equal domain, shared words of the names (`encoder`, `mobile`), and a squared exponential over the
facts (Rasmussen & Williams, Gaussian Processes for Machine Learning, 2006, chapter 2). The first four collapse into coefficients that can be read; of the last
one the known networks remain as points with a weight each.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from math import dist, exp, log
from typing import Any

from recommender.estimate.learned.case import GraphCase

FACTS = ("n_params", "input_size", "input_unknown", "n_operators")
_BYTES_PER_PARAMETER = 4.0  # of an unquantized file, where parameters are not told
_FAR = 5.5  # length scales beyond which a point's share is below a millionth
_HUMP = re.compile(r"(?<=[a-z])(?=[A-Z])")
_WORD = re.compile(r"[a-z]{3,}")


def network(case: GraphCase) -> str:
    """The name under which evidence knows the network: the model, and which of its networks."""
    return f"{case.base_model or case.model}|{case.component}"


def words(case: GraphCase) -> frozenset[str]:
    """Words of the names, in lower case; `WhisperEncoder` has two."""
    return _words(f"{case.base_model or case.model} {case.component}")


@lru_cache(maxsize=1024)
def _words(text: str) -> frozenset[str]:
    return frozenset(_WORD.findall(_HUMP.sub(" ", text).lower()))


def facts(case: GraphCase) -> dict[str, float | None]:
    """Logarithms of what is known of the graph, None where it is not."""
    params = case.n_params or (case.float_bytes / _BYTES_PER_PARAMETER if case.float_bytes else None)
    return {
        "n_params": log(params) if params else None, "input_size": log(case.input_size) if case.input_size else None,
        "input_unknown": 0.0 if case.input_size else 1.0, "n_operators": log(case.n_operators) if case.n_operators else None,
    }  # fmt: skip


def is_told(case: GraphCase) -> bool:
    """Whether anything is known of the graph that its cost hangs on."""
    return bool(case.n_params or case.float_bytes or case.n_operators)


def scaled(found: Mapping[str, float | None], block: Mapping[str, Any]) -> list[float]:
    """The facts of a block around its centre, in its scale; what is not known stands at the centre."""
    return [
        (value - centre) / scale if (value := found[name]) is not None else 0.0
        for name, centre, scale in zip(block["facts"], block["centre"], block["scale"], strict=True)
    ]


def estimated(case: GraphCase, block: Mapping[str, Any]) -> float:
    """The logarithm that the process expects for the network of a case."""
    at = scaled(facts(case), block)
    total = block["mean"] + sum(slope * value for slope, value in zip(block["linear"], at, strict=True))
    total += block["tasks"].get(case.task, 0.0) + block["domains"].get(case.domain, 0.0)
    total += sum(block["words"].get(word, 0.0) for word in words(case))
    near, other, here = block["same_task"], block["other_task"], [value / length for value, length in zip(at, block["lengths"], strict=True)]
    for task, weight, place in block["points"]:
        distance = dist(here, place)
        if distance < _FAR:
            total += weight * exp(-0.5 * distance * distance) * (near if task == case.task else other)
    return float(total)
