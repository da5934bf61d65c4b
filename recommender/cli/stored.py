"""A stored answer or a document file, checked before it is read: files come from anywhere."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from recommender.domain.errors import UsageError
from recommender.domain.recommendation import SCHEMA_VERSION

_PARTS: Mapping[str, Any] = {
    "id": str, "verdict": str, "why": str, "today": str, "catalog_version": str, "engine_version": str, "target": dict, "model": dict, "workload": dict,
    "wishes": dict, "choices": list, "rejected": list, "undetermined": list, "hints": list, "trace": dict,
}
# rows of a list and what each must hold; `anything` may also be null
_ANYTHING = object
_READING: Mapping[str, Any] = {"attribute": str, "value": _ANYTHING, "origin": _ANYTHING, "condition": _ANYTHING}
_STEP: Mapping[str, Any] = {"rule": str, "outcome": str, "because": str, "effect": dict, "readings": list}  # and `subject` or `subjects`
_LISTS_OF_STEP = ("subjects", "schemes", "units", "frameworks", "for_frameworks")
_CRITERION: Mapping[str, Any] = {"id": str, "label": str, "shown": str, "basis": _ANYTHING, "key": _ANYTHING}
_ESTIMATE: Mapping[str, Any] = {
    "central": float | int | None, "low": float | int | None, "high": float | int | None, "unit": _ANYTHING, "basis": _ANYTHING, "sources": list,
    "why": str | None, "bound": _ANYTHING, "inputs": dict,
}
_CHOICE: Mapping[str, Any] = {
    "rank": int, "id": str, "framework": str, "execution_provider": str, "scheme": str, "device": str, "criteria": list, "estimates": dict,
}
_DISMISSAL: Mapping[str, Any] = {"id": str, "eligibility": str, "because": list}


def answer(words: str | None) -> dict[str, Any]:
    """The last answer, the one whose id starts with `words`, or the document in the file of that name.

    Raises:
        UsageError: there is none, or it is of a newer schema, or not whole; the message names the words and the part.
    """
    from recommender.store.recent import recall

    document = recall(words)
    fault = _fault(document)
    if fault:
        raise UsageError(f"`{words or 'the last answer'}` is not a whole recommendation document: {fault}", hints=("recommend --json",))
    return document


def _fault(document: Mapping[str, Any]) -> str:
    version = document.get("schema_version")
    if isinstance(version, int) and version > SCHEMA_VERSION:
        return f"schema_version {version} is newer than {SCHEMA_VERSION}, the newest that this program reads"
    if "answers" not in document:
        return _answer_fault(document)
    answers = document["answers"]
    if not isinstance(document.get("id"), str) or not isinstance(answers, list) or not answers:
        return "`answers` is empty or no list, or `id` is missing"
    return next((fault for row in answers if (fault := _answer_fault(row))), "")


def _answer_fault(row: Any) -> str:
    if not isinstance(row, Mapping):
        return "an answer is no object"
    for name, kind in _PARTS.items():
        if not isinstance(row.get(name), kind):
            return f"`{name}` is missing or of another type"
    wanted = (("trace", "steps", list), ("target", "name", str), ("target", "memory", dict), ("target", "digest", str), ("model", "key", str), ("model", "name", str))
    for part, name, kind in wanted:
        if not isinstance(row[part].get(name), kind):
            return f"`{part}.{name}` is missing or of another type"
    return next((fault for name, rows, needed in _lists(row) if (fault := _rows_fault(name, rows, needed))), "")


def _lists(row: Mapping[str, Any]) -> Iterator[tuple[str, Any, Mapping[str, Any]]]:
    """Every list that is read, outer ones before the inner ones (which are only as safe as the outer)."""
    yield "choices", row["choices"], _CHOICE
    for choice in row["choices"]:
        yield "criteria", choice["criteria"] if len(choice["criteria"]) == len(row["choices"][0]["criteria"]) else None, _CRITERION
        yield "estimates", list(choice["estimates"].values()), _ESTIMATE
    for name in ("rejected", "undetermined"):
        yield name, row[name], _DISMISSAL
        for dismissed in row[name]:
            yield "because", dismissed["because"] or [None], _STEP
            for step in dismissed["because"]:
                yield "readings", step["readings"], _READING
    for name, found in (("trace.steps", row["trace"]["steps"]), ("trace.closed", row["trace"].get("closed") or [])):
        yield name, found, _STEP
        for step in found:
            yield "readings", step["readings"], _READING


def _rows_fault(name: str, rows: Any, needed: Mapping[str, Any]) -> str:
    if not isinstance(rows, list):
        return f"`{name}` is no list"
    for row in rows:
        for key, kind in needed.items():
            if not isinstance(row, Mapping) or key not in row or not isinstance(row[key], kind):
                return f"`{key}` is missing or of another type in `{name}`"
        if needed is _STEP and (wrong := [key for key in _LISTS_OF_STEP if not isinstance({**row["effect"], **row}.get(key, []), list)]):
            return f"`{wrong[0]}` is no list in `{name}`"
    return ""
