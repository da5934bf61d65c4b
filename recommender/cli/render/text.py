"""The answer for a terminal. Makes sense without colour."""

from __future__ import annotations

import textwrap
from typing import Any

from recommender.cli.render import wording
from recommender.cli.render.wording import Document

WIDTH = 118


def text(document: Document, limit: int = 3) -> str:
    """One answer, or one of each class and the largest usable language model."""
    if "answers" not in document:
        return _answer(document, limit)
    blocks = [f"Target    {wording.target_line(document)}"]
    blocks += [_brief(answer) for answer in document["answers"]]
    for name, found in document["largest_usable"].items():
        if found is None:
            blocks.append(f"Largest usable {name} model: none in the catalogue is usable here")
        else:
            rate = next(value for key, value in found.items() if isinstance(value, dict))
            blocks.append(f"Largest usable {name} model: {found['name']} with {found['choice']}, {wording.amount(rate)}")
    blocks.append("hint: recommend --model NAME for one of them in full (recommend catalog list models)")
    return "\n\n".join(blocks)


def _brief(document: Document) -> str:
    head = f"{document['model']['name']} ({document['model']['task']})"
    if not document["choices"]:
        return f"{head}\n  {document['verdict']}: {document['why']}" + "".join(f"\n  {line}" for line in document["hints"][:2])
    choice = document["choices"][0]
    numbers = "   ".join(f"{wording.name_of(m)} {wording.amount(choice['estimates'].get(m))}" for m in wording.headline_metrics(document)[:1])
    reasons = " ".join(f"{because} [{rule}]" for rule, because in choice["reasons"].items())
    return f"{head}\n  {document['verdict']}  {wording.path(choice)}   {numbers}\n" + textwrap.fill(
        f"because: {reasons or document['why']}", WIDTH, initial_indent="  ", subsequent_indent="  "
    )


def _answer(document: Document, limit: int) -> str:
    lines = [
        f"Target    {wording.target_line(document)}",
        f"Model     {_model_line(document)}",
        f"Workload  {wording.workload_line(document)}",
        *(f"Assumed   {row}" for row in document["target"]["assumptions"]),
        *(f"What if   {name} = {value}" for name, value in document["target"]["overrides"].items()),
        "",
        f"{document['verdict']}  {document['why']}",
    ]
    for choice in document["choices"][:limit]:
        lines += ["", *_choice(choice, document)]
    if other := wording.other_framework(document, limit):
        shown = wording.amount(other["estimates"].get(document["workload"]["objective"]))
        lines += ["", f"Next framework  {other['rank']}  {wording.path(other)}   {wording.name_of(document['workload']['objective'])} {shown}"]
    if len(document["choices"]) > limit:
        lines += ["", f"and {len(document['choices']) - limit} more eligible (--limit {len(document['choices'])} shows all)"]
    lines += _why(document, limit) + _dismissed(document)
    lines += [f"hint: {line}" for line in document["hints"]]
    return "\n".join(lines)


def _model_line(document: Document) -> str:
    model = document["model"]
    parts = [model["name"]]
    if model["n_params"]:
        active = f" ({model['n_active_params'] / 1e9:.3g} B active)" if model["n_active_params"] else ""
        parts.append(f"{model['n_params'] / 1e9:.3g} B parameters{active}" if model["n_params"] >= 1e8 else f"{model['n_params'] / 1e6:.3g} M parameters")
    if model.get("artifact"):
        artifact = model["artifact"]
        bits = f", {artifact['bits_per_weight']:.3g} bits per weight" if artifact["bits_per_weight"] else ""
        parts.append(f"{artifact['format']} {artifact['scheme'] or 'of unknown scheme'}{bits}, {wording.size(artifact['size'])}")
    licence = f"licence {model['license']}" if model["license"] else "licence unknown"
    parts.append(licence + (" (gated)" if model["gated"] else ""))
    return ", ".join(parts)


def _choice(choice: dict[str, Any], document: Document) -> list[str]:
    lines = [f"{choice['rank']:>2}  {wording.path(choice)}" + ("   on the Pareto front" if choice["pareto"] else "")]
    for metric in wording.headline_metrics(document):
        lines.append(f"    {wording.name_of(metric):<13} {wording.amount(choice['estimates'].get(metric))}")
    for rule, because in choice["reasons"].items():
        lines += textwrap.wrap(f"{because} [{rule}]", WIDTH, initial_indent=f"    {'because':<13} ", subsequent_indent=" " * 18)
    options = ", ".join(f"{name}={value}" for name, value in choice["options"].items())
    if options:
        lines.append(f"    {'settings':<13} {options}")
    if choice["rank"] == 1:
        lines.append(f"    {'recipe':<13} " + " -> ".join(_step(step) for step in choice["recipe"]["steps"]))
        if choice["recipe"]["launch"]:
            lines.append(f"    {'run':<13} {choice['recipe']['launch']}")
        if choice["runnable_here"] is False:
            lines.append(f"    {'here':<13} this program cannot run it here yet")
    for warning in choice["warnings"]:
        lines += textwrap.wrap(warning, WIDTH, initial_indent="    note          ", subsequent_indent="                  ")
    return lines


def _step(step: dict[str, Any]) -> str:
    made = f" by {step['preparer']}" if step["preparer"] else ""
    return f"{step['action']}{made}" + (f" [{step['where']}]" if step["where"] != "here" else "") + (f" ({wording.size(step['size'])})" if step["size"] and step["action"] == "fetch" else "")


def _why(document: Document, limit: int) -> list[str]:
    shown = document["choices"][: max(2, limit)]
    lines = [""] if len(shown) > 1 else []
    for first, second in zip(shown, shown[1:], strict=False):
        lines += textwrap.wrap(f"Why {first['rank']} before {second['rank']}   {wording.separation(first, second)}", WIDTH, subsequent_indent="                   ")
    return lines


def _dismissed(document: Document) -> list[str]:
    lines = [""]
    for reason, ids in wording.grouped_reasons(document["rejected"])[:6]:
        lines += textwrap.wrap(f"Not possible   {len(ids)}: {reason}: {_some(ids)}", WIDTH, subsequent_indent="                 ")
    for row in document["undetermined"][:3]:
        lines.append(f"Undetermined   {row['id']}: {', '.join(wording.open_attributes(row))} not observed")
    if len(document["undetermined"]) > 3:
        lines.append(f"               and {len(document['undetermined']) - 3} more")
    return lines if len(lines) > 1 else []


def _some(ids: list[str]) -> str:
    return ", ".join(ids[:4]) + (f" and {len(ids) - 4} more" if len(ids) > 4 else "")
