"""`mlx_lm.benchmark` (ml-explore/mlx-lm, mlx_lm/benchmark.py): what it prints. The model is named on its command line only.

Rates are tokens per second, the memory is what the allocator held at most, in 10^9 bytes. With a batch the rates are sums over it.
"""

from __future__ import annotations

import re

from recommender.evidence.figures import count, figure, number, sampled
from recommender.evidence.told import Document, NotThisFormat, Rows, Told, attempt

_RUN = re.compile(r"^Timing with prompt_tokens=(\S+), generation_tokens=(\S+), batch_size=(\S+?)\.?$", re.MULTILINE)
_TRIAL = re.compile(r"^Trial \d+: +(.*)$", re.MULTILINE)
_PAIR = re.compile(r"(\w+)=([^,\s]+)")


def read(document: Document) -> Rows:
    """One row a run; several may stand in one file."""
    begins = list(_RUN.finditer(document.text))
    if not begins:
        raise NotThisFormat("no line begins with `Timing with prompt_tokens=`")
    ends = [*(match.start() for match in begins[1:]), len(document.text)]
    for run, (match, end) in enumerate(zip(begins, ends, strict=True), 1):
        yield attempt(f"run {run}", _told, match, _TRIAL.findall(document.text[match.end():end]))


def _told(row: str, head: re.Match[str], trials: list[str]) -> Told:
    if not trials:
        raise ValueError("no trial was finished")
    found = [dict(_PAIR.findall(trial)) for trial in trials]
    prompt, output, batch = (count(text, name) for text, name in zip(head.groups(), ("prompt_tokens", "generation_tokens", "batch_size"), strict=True))
    decode = "decode_rate" if batch == 1 else "throughput"
    metrics = {decode: sampled(decode, [trial["generation_tps"] for trial in found], "tok/s" if batch == 1 else "1/s")}
    if batch == 1:
        metrics["prefill_rate"] = sampled("prefill_rate", [trial["prompt_tps"] for trial in found], "tok/s")
    peak = max(number(trial["peak_memory"], "peak_memory") for trial in found)
    if peak:  # printed with three decimals: a very small model has none
        metrics["peak_memory"] = figure("peak_memory", peak, "GB")
    return Told(row=row, metrics=metrics, workload={"prompt_tokens": prompt, "output_tokens": output, "batch": batch})
