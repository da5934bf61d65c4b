"""The document of `recommend measure` as text: measured beside estimated, the verdict, what was left out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from recommender.cli.render import wording

_SHOWN = ("decode_rate", "prefill_rate", "ttft", "latency", "throughput", "load_time", "first_call", "peak_memory", "file_size", "energy", "quality_drop")
_KEPT = (("kl", "mean KL"), ("top1_agreement", "top-1 agreement"), ("accuracy", "accuracy"), ("cosine", "cosine"))


def text(document: Mapping[str, Any]) -> str:
    """A block for each candidate, then the sentences."""
    head = f"Measured  {document['model']['key']} on {document['target']['name']}: {document['mode']} mode, {document['spent']:.0f} s of {document['budget']:g} s"
    verdict = f"{document['verdict']}  {document['why']}" + (f"; settled by {document['settle']}" if document["settle"] else "")
    parts = [f"{head}\n{verdict}", *(_candidate(row) for row in document["measured"])]
    lines = ["not confirmed: a further process of the winner gave another figure"] if document["confirmed"] is False else []
    lines += [f"not measured  {row['id']}: {row['reason']}" + (f" (hint: {row['hint']})" if row["hint"] else "") for row in document["not_measured"]]
    lines.append(_ranking(document["ranking"]))
    if document["stored"]:
        lines.append(f"stored in {document['stored']} (recommend evidence list)")
    return "\n\n".join([*parts, "\n".join(lines)])


def _candidate(row: Mapping[str, Any]) -> str:
    lines = [f" {row['rank']}  {row['framework']} {row['version']} · {row['scheme']}"]
    for name in _SHOWN:
        told = row["metrics"].get(name)
        if told:
            estimate = row["estimates"].get(name)
            beside = f"   estimated {_estimated(estimate, told['unit'])}" if estimate and estimate["central"] is not None else ""
            lines.append(f"    {wording.name_of(name):<13} {_measured(told)}{beside}")
    kept = ", ".join(f"{label} {row['quality'][name]['value']:.4g}" for name, label in _KEPT if row["quality"].get(name))
    if kept:
        lines.append(f"    {'kept':<13} {kept} against the unquantized source")
    if row["behind"] is not None:
        lines.append(f"    {'dropped':<13} {-row['behind']:.0%} behind after three rounds")
    if row["flags"]:
        lines.append(f"    {'flags':<13} {', '.join(row['flags'])}")
    if not row["validity"]["valid"]:
        lines.append(f"    {'not valid':<13} {'; '.join(row['validity']['reasons'])}")
    return "\n".join(lines)


def _measured(told: Mapping[str, Any]) -> str:
    return wording.amount({**told, "central": told["value"]})


def _estimated(told: Mapping[str, Any], unit: str) -> str:
    return wording.amount({**told, "unit": unit})


def _ranking(ranking: Mapping[str, Any]) -> str:
    if not ranking["changed"]:
        return "ranking       unchanged by these measurements"
    first, then = (ids[0] if ids else "none" for ids in (ranking["before"], ranking["after"]))
    return f"ranking       changed: {then} is first now, before it was {first}" if ranking["first_changed"] else f"ranking       changed below the first place, which {first} keeps"
