"""A stored answer or a document file, checked before it is read: files come from anywhere."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from recommender.domain.errors import UsageError
from recommender.domain.recommendation import SCHEMA_VERSION

_PARTS: Mapping[str, type] = {
    "id": str, "verdict": str, "why": str, "today": str, "catalog_version": str, "engine_version": str, "target": dict, "model": dict, "workload": dict,
    "wishes": dict, "choices": list, "rejected": list, "undetermined": list, "hints": list, "trace": dict,
}
_CHOICE = ("rank", "id", "framework", "execution_provider", "scheme", "device", "criteria", "estimates")
_DISMISSAL = ("id", "eligibility", "because")


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
    lists = (("choices", _CHOICE), ("rejected", _DISMISSAL), ("undetermined", _DISMISSAL))
    for name, needed in lists:
        for item in row[name]:
            missing = [key for key in needed if not isinstance(item, Mapping) or key not in item]
            if missing:
                return f"`{missing[0]}` is missing in `{name}`"
    wanted = (("trace", "steps"), ("target", "name"), ("target", "memory"), ("model", "key"), ("model", "name"))
    return next((f"`{part}.{name}` is missing" for part, name in wanted if name not in row[part]), "")
