"""Models on the Hugging Face hub: config.json and the safetensors headers over https, a few hundred kilobytes.

HF_ENDPOINT names the hub. HF_TOKEN opens gated models; it is sent to the hub alone, never to the host a download is
redirected to, and never shown.
"""

from __future__ import annotations

import http.client
import os
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import replace

from recommender.domain.model import ModelSpec
from recommender.intake.models.hub import download_hint
from recommender.intake.models.huggingface import describe
from recommender.intake.models.reading import MAX_JSON, Malformed, parse_json, reason
from recommender.intake.models.safetensors import MAX_HEADER, Entry, Weights, parse_header

TIMEOUT = 10.0  # seconds for one answer
FIRST_BYTES = 256 * 1024
MAX_FILES = 64


def read_remote(hub_id: str, environment: Mapping[str, str] = os.environ) -> ModelSpec:
    """Fetch what describes the model, a few hundred kilobytes.

    Raises:
        Malformed: no network, no such model, no access, with the line that helps.
    """
    raw = parse_json(_fetch(hub_id, "config.json", 0, MAX_JSON, environment), "its config.json")
    if not isinstance(raw, dict):
        raise Malformed("has a config.json that is no JSON object")
    weights = _remote_weights(hub_id, environment)
    spec = describe(raw, weights, key=hub_id.rpartition("/")[2], path=hub_id)
    return replace(spec, repository=hub_id, aliases=(hub_id, *spec.aliases), artifact=None)


def _remote_weights(hub_id: str, environment: Mapping[str, str]) -> Weights | None:
    """Headers of the weight files; None when the model has none in this format."""
    try:
        return _remote_header(hub_id, "model.safetensors", environment)
    except FileNotFoundError:
        pass
    try:
        index = parse_json(_fetch(hub_id, "model.safetensors.index.json", 0, MAX_JSON, environment), "its weight index")
    except Malformed as problem:
        if isinstance(problem.__cause__, FileNotFoundError):
            return None
        raise
    weight_map = index.get("weight_map") if isinstance(index, dict) else None
    if not isinstance(weight_map, dict):
        raise Malformed("has a weight index without weight_map")
    names = sorted({str(name) for name in weight_map.values()})
    if len(names) > MAX_FILES or any("/" in name or name.startswith(".") for name in names):
        return None
    parts = [_remote_header(hub_id, name, environment) for name in names]
    tensors: dict[str, Entry] = {}
    for part in parts:
        tensors.update(part.tensors)
    return Weights(tensors, sum(part.size for part in parts), parts[0].metadata if parts else {}, tuple(names))


def _remote_header(hub_id: str, name: str, environment: Mapping[str, str]) -> Weights:
    """Header of one file, by ranges.

    Raises:
        FileNotFoundError: the model has no such file.
        Malformed
    """
    try:
        data = _fetch(hub_id, name, 0, FIRST_BYTES, environment)
    except Malformed as problem:
        if isinstance(problem.__cause__, FileNotFoundError):
            raise problem.__cause__ from None
        raise
    length = int.from_bytes(data[:8], "little")
    if len(data) < 8 or length > MAX_HEADER:
        raise Malformed(f"has a {name} that is no safetensors file")
    if 8 + length > len(data):
        data += _fetch(hub_id, name, len(data), 8 + length - len(data), environment)
    tensors, metadata = parse_header(data[8 : 8 + length], None)
    return Weights(tensors, 8 + length + sum(entry.size for entry in tensors.values()), metadata, (name,))


def _fetch(hub_id: str, name: str, start: int, length: int, environment: Mapping[str, str]) -> bytes:
    """At most `length` bytes from `start`."""
    endpoint = environment.get("HF_ENDPOINT", "https://huggingface.co").rstrip("/")
    if not endpoint.startswith("https://"):
        raise Malformed("cannot be fetched: HF_ENDPOINT is no https address")
    request = urllib.request.Request(f"{endpoint}/{hub_id}/resolve/main/{name}", headers={"User-Agent": "recommend"})
    request.add_header("Range", f"bytes={start}-{start + length - 1}")
    if token := environment.get("HF_TOKEN"):
        request.add_unredirected_header("Authorization", f"Bearer {token}")
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT) as answer:  # noqa: S310 - the scheme is checked above
            if answer.status == 200 and start:
                raise Malformed(f"has a {name} that the hub does not send in parts")
            return bytes(answer.read(length))
    except urllib.error.HTTPError as problem:
        raise _refusal(hub_id, name, problem.code) from (FileNotFoundError(name) if problem.code == 404 else None)
    except (OSError, http.client.HTTPException, ValueError) as problem:
        why = (
            reason(problem.reason)
            if isinstance(problem, urllib.error.URLError) and isinstance(problem.reason, Exception)
            else reason(problem)
        )
        raise Malformed(f"is not in the local cache, and the hub cannot be reached ({why})", download_hint(hub_id)) from None


def _refusal(hub_id: str, name: str, code: int) -> Malformed:
    if code in (401, 403):
        return Malformed(
            f"is gated, private or does not exist (the hub answers {code}): accept its terms and log in",
            "hf auth login",
            download_hint(hub_id),
        )
    if code == 404:
        return Malformed(f"has no {name} on the hub (it answers 404)", download_hint(hub_id))
    return Malformed(f"cannot be fetched: the hub answers {code} for {name}", download_hint(hub_id))
