"""What was imported on this machine, as rows that hold measured figures."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from recommender.domain.errors import ActionFailed
from recommender.evidence.imported import ImportedRow, imported
from recommender.predict.spelling import Names

_LANGUAGE = {"decode_rate": "decode_tok_s", "prefill_rate": "prefill_tok_s"}
_CLEAN = frozenset({"copied"})  # flags that change nothing of the figure


def imported_rows(names: Names, say: Callable[[str], None]) -> Iterator[dict[str, str]]:
    """In the columns of a table of cases; figures with a flag (a fallback, several devices, ...) are left out. A store that cannot be read holds none."""
    try:
        rows = imported()
    except ActionFailed as error:
        say(f"warning: {error.message}")
        return
    runtimes = {path.rpartition("/")[2]: runtime for runtime, path in reversed(tuple(names.spelled.get("runtime", {}).items()))}
    for row in rows:
        if not set(row.flags) - _CLEAN and (row.metric in _LANGUAGE or row.metric == "latency"):
            yield _columns(row, runtimes.get(row.framework, ""))


def _columns(row: ImportedRow, runtime: str) -> dict[str, str]:
    told = {
        "device": row.device_name or row.device, "device_name": row.device_name or row.device, "platform": row.device_name or row.device, "framework": row.framework,
        "execution_provider": row.execution_provider, "model": row.model_name or row.model, "model_name": row.model_name or row.model, "component": row.component,
        "threads": str(row.threads or ""), "batch": str(row.batch or ""), "prompt_tokens": str(row.prompt_tokens or ""), "output_tokens": str(row.output_tokens or ""),
    }
    if row.metric in _LANGUAGE:
        return {**told, "quant": row.scheme, _LANGUAGE[row.metric]: str(row.value)}
    return {**told, "precision": row.precision or row.scheme, "scheme": row.scheme, "runtime": runtime, "inference_ms": str(row.value * 1e3)}
