"""Which catalogue entry a name or a file means, and what the entry may add to a file's own facts."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from dataclasses import replace

from recommender.domain.model import ModelSpec

# Facts that a header often lacks and that do not depend on the file.
_FILLED = (
    "license", "gated", "macs", "activations", "n_operators", "decoder_params", "repository", "family", "architecture",
    "context_length",
    "n_params", "n_active_params", "input",
)  # fmt: skip
MAX_DIFFERENCE = 0.1  # of the parameters: more than that is another model with a like name


def plain(name: str) -> str:
    """Spelling without case, spaces and underscores."""
    return re.sub(r"[\s_]+", "-", name.strip().lower())


def find(words: str, models: Mapping[str, ModelSpec]) -> ModelSpec | None:
    """The entry of this key, alias, repository or name; case does not matter."""
    if words in models:
        return models[words]
    wanted = plain(words)
    loose: ModelSpec | None = None
    for spec in models.values():
        if wanted in {plain(name) for name in (spec.key, *spec.aliases)}:
            return spec
        if loose is None and wanted in {plain(name) for name in (spec.repository, spec.name) if name}:
            loose = spec
    return loose


def near_misses(words: str, models: Mapping[str, ModelSpec], limit: int = 3) -> tuple[str, ...]:
    """Keys of entries whose key or alias looks like the words."""
    by_name: dict[str, str] = {}
    for key, spec in models.items():
        for name in (key, *spec.aliases):
            by_name.setdefault(plain(name), key)
    wanted = plain(words)
    close = difflib.get_close_matches(wanted, list(by_name), n=2 * limit, cutoff=0.6)
    close += [name for name in by_name if len(wanted) >= 3 and wanted in name]
    return tuple(dict.fromkeys(by_name[name] for name in close))[:limit]


def complete(spec: ModelSpec, models: Mapping[str, ModelSpec]) -> ModelSpec:
    """The file's own facts; what it lacks from the entry that it names, with a note."""
    entry = _entry_of(spec, models)
    if entry is None:
        return spec
    guessed = spec.artifact is not None and spec.artifact.details.get("task_is_guess") is True
    filled = {
        name: getattr(entry, name) for name in _FILLED if _is_absent(getattr(spec, name)) and not _is_absent(getattr(entry, name))
    }
    if guessed:
        filled |= {"task": entry.task, "structure": entry.structure, "modality": entry.modality}
    if not filled:
        return spec
    note = f"{', '.join(sorted(filled))} from the catalogue entry {entry.key}"
    sources = tuple(dict.fromkeys((*spec.sources, *entry.sources)))
    return replace(spec, **filled, sources=sources, note="; ".join(part for part in (spec.note, note) if part))


def _entry_of(spec: ModelSpec, models: Mapping[str, ModelSpec]) -> ModelSpec | None:
    for name in (*spec.aliases, spec.repository, spec.name, spec.key):
        entry = find(name, models) if name else None
        if entry is not None and _same_size(spec, entry):
            return entry
    return None


def _same_size(spec: ModelSpec, entry: ModelSpec) -> bool:
    if not spec.n_params or not entry.n_params:
        return True
    return abs(spec.n_params - entry.n_params) <= MAX_DIFFERENCE * entry.n_params


def _is_absent(value: object) -> bool:
    return value is None or value == ""
