"""How much of the source model a candidate keeps: its outputs against those of the source, on the same inputs; and the gate before any speed.

`reference` and `compare` run in children (numpy only), the first with the unquantized model, the second with the candidate. `gate` is pure.
A figure is {"value", "se", "low", "high", "n"}: standard error and 95 % interval, None where they cannot be told.

For language models: windows of the evaluation text, disjoint from the calibration text. Log-probabilities are kept as fp16, and the candidate's
are rounded alike, so that the same model gives a divergence of exactly 0. The divergence is p log(p/q) - p + q summed over the vocabulary: for
distributions it equals Kullback and Leibler's, and it stays positive when rounding made them not quite add up.
"""

from __future__ import annotations

import math
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from recommender.domain.errors import Unsupported, WrongOutput
from recommender.measure import agreement
from recommender.measure.agreement import figure
from recommender.measure.harness import opened
from recommender.measure.inputs import checked, read_text

if TYPE_CHECKING:
    import numpy as np

WINDOW, N_WINDOWS = 256, 12  # tokens, and how many windows judge at first; the reference holds twice as many
_MOST_BYTES = 512 << 20  # of kept log-probabilities
_LOWEST = -60000.0  # as fp16 can hold; its exponential is 0
_OVERLAP = 200  # characters in common that count as the same text
_CHARACTERS_PER_TOKEN = 8
GAIN = 0.05  # better than the source by more than this is no gain


def reference(runner: str, artifact: str, options: Mapping[str, Any], plan: Mapping[str, Any], out: str) -> dict[str, Any]:
    """Run the source model and keep what it says in the file `out` (`.npz`). Returns kind, facts and how much was kept.

    Of the plan: `text`, `calibration` (paths), `window`, `n_windows` for language models; `test` (`.npz`), `n_samples` for graphs.

    Raises: Unsupported (no text left, a file that does not fit), WrongOutput (the source itself gives NaN).
    """
    with opened(runner, artifact, options) as (session, _):
        told = _keep_tokens(session, plan, Path(out)) if hasattr(session, "generate") else agreement.keep(session, plan, Path(out))
        return {**told, "facts": dict(session.facts)}


def compare(runner: str, artifact: str, options: Mapping[str, Any], plan: Mapping[str, Any], reference: str) -> dict[str, Any]:
    """Run the candidate on the inputs of the reference.

    Returns is_finite, facts, and for language models kl, top1_agreement, perplexity, perplexity_reference, quality_drop (relative rise of the
    perplexity), for graphs what `agreement.compare` says. Output that is not finite or has another shape: is_finite = False with `why`.
    """
    with opened(runner, artifact, options) as (session, _):
        try:
            told = _compare_tokens(session, plan, Path(reference)) if hasattr(session, "generate") else agreement.compare(session, plan, Path(reference))
        except WrongOutput as error:
            return {"is_finite": False, "why": error.message, "facts": dict(session.facts)}
        return {"is_finite": True, **told, "facts": dict(session.facts)}


# --- the gate ----------------------------------------------------------------------------------------------------------

_UP_IS_WORSE = ("kl", "quality_drop", "max_abs_diff")


def gate(quality: Mapping[str, Any], scheme: Mapping[str, Any], limits: Mapping[str, float], *, is_final: bool = False) -> tuple[str, str]:
    """PURE: `pass`, `fail`, `anomalous` or `near`, with the reason.

    scheme: is_lossless (exempt from suspicion), is_unchanged (the file is byte for byte the source). limits: kl, quality_drop, max_abs_diff at
    most; top1_agreement, accuracy, cosine at least. `near`: within one standard error of a limit; double the samples once, then call it with
    `is_final`, which decides by the value alone.
    """
    if not quality.get("is_finite", True):
        return "fail", quality.get("why") or "outputs are not finite"
    if odd := _anomaly(quality, scheme):
        return "anomalous", odd
    states = [_against(name, quality.get(name), limit, is_final) for name, limit in limits.items()]
    for word in ("fail", "near"):
        reasons = [reason for state, reason in states if state == word]
        if reasons:
            return word, "; ".join(reasons)
    return "pass", "; ".join(reason for _, reason in states)


def _anomaly(quality: Mapping[str, Any], scheme: Mapping[str, Any]) -> str:
    """What looks like a quantizer that did nothing, or a test that does not test."""
    drop, accuracy, before = (_value(quality.get(name)) for name in ("quality_drop", "accuracy", "accuracy_reference"))
    if accuracy is not None and before is not None and accuracy - before > GAIN:
        return f"the accuracy rose by {100 * (accuracy - before):.1f} points"
    if accuracy is None and drop is not None and drop < -GAIN:
        return f"the perplexity fell by {-drop:.1%}"
    if scheme.get("is_lossless"):
        return ""
    if scheme.get("is_unchanged"):
        return "the file is that of the source, byte for byte"
    same = [name for name in ("kl", "max_abs_diff") if _value(quality.get(name)) == 0.0]
    return f"{same[0]} is exactly 0: the scheme seems to have changed nothing" if same else ""


def _against(name: str, told: Any, limit: float, is_final: bool) -> tuple[str, str]:
    value = _value(told)
    if value is None or math.isnan(value):
        why = told.get("why", "") if isinstance(told, Mapping) else ""
        return "fail", f"{name} is not known" + (f": {why}" if why else "")
    beyond = value - limit if name in _UP_IS_WORSE else limit - value
    error = (told.get("se") if isinstance(told, Mapping) else None) or 0.0
    said = f"{name} {value:.4g} (limit {limit:g})"
    if abs(beyond) < error and not is_final:
        return "near", f"{said} is within one standard error, {error:.2g}"
    return ("fail" if beyond > 0 else "pass"), said


def _value(told: Any) -> float | None:
    return told.get("value") if isinstance(told, Mapping) else told


# --- language models ---------------------------------------------------------------------------------------------------


def _keep_tokens(session: Any, plan: Mapping[str, Any], out: Path) -> dict[str, Any]:
    """Writes tokens, top1, nll [windows, ...] and one array of log-probabilities a window (fp16 [window - 1, n_vocab])."""
    import numpy as np

    length = int(plan.get("window", WINDOW))
    fitting = _MOST_BYTES // (2 * length * session.n_vocab)
    windows = _windows(session, plan, length, max(1, min(2 * int(plan.get("n_windows", N_WINDOWS)), fitting)))
    top1, losses = [], []
    with zipfile.ZipFile(out, "w") as stream:  # one array after the other: all together need not fit into memory
        for at, tokens in enumerate(windows):
            logits = _logits(session, tokens, session.n_vocab)
            exact = log_softmax(logits)
            _write(stream, f"log_probabilities_{at}", _rounded(exact))
            top1.append(logits.argmax(axis=1))
            losses.append(-exact[np.arange(length - 1), tokens[1:]])
        for name, array in (("tokens", windows), ("top1", top1), ("nll", losses)):
            _write(stream, name, np.asarray(array))
    return {"kind": "tokens", "n_windows": len(windows), "window": length, "n_vocab": session.n_vocab}


def _compare_tokens(session: Any, plan: Mapping[str, Any], kept: Path) -> dict[str, Any]:
    import numpy as np

    found: dict[str, list[float]] = {name: [] for name in ("kl", "same", "nll", "nll_reference")}
    with np.load(kept, allow_pickle=False) as stored:
        all_tokens, top1, losses = stored["tokens"], stored["top1"], stored["nll"]
        n_windows = min(len(all_tokens), int(plan.get("n_windows", N_WINDOWS)))
        for at in range(n_windows):
            expected, tokens = stored[f"log_probabilities_{at}"], [int(token) for token in all_tokens[at]]
            logits = _logits(session, tokens, expected.shape[1])
            exact = log_softmax(logits)
            found["kl"].append(float(divergence(expected, _rounded(exact)).mean()))
            found["same"].append(float((logits.argmax(axis=1) == top1[at]).mean()))
            found["nll"].append(float(-exact[np.arange(len(tokens) - 1), tokens[1:]].mean()))
            found["nll_reference"].append(float(losses[at].mean()))
    n = n_windows * (all_tokens.shape[1] - 1)
    return {"kind": "tokens", "n_windows": n_windows, **token_figures(found, n)}


def token_figures(found: Mapping[str, Sequence[float]], n: int) -> dict[str, Any]:
    """PURE: figures of the means over each window (`kl`, `same`, `nll`, `nll_reference`), `n` tokens in all.

    Standard errors are over windows, as the tokens of one window depend on each other.
    """
    rise = figure([after - before for after, before in zip(found["nll"], found["nll_reference"], strict=True)], n)
    ratio = math.exp(rise["value"])
    drop = {"value": ratio - 1, "se": rise["se"] and ratio * rise["se"], "n": n}
    drop |= {end: None if rise[end] is None else math.exp(rise[end]) - 1 for end in ("low", "high")}
    return {
        "kl": figure(found["kl"], n), "top1_agreement": figure(found["same"], n), "perplexity": _perplexity(found["nll"]),
        "perplexity_reference": _perplexity(found["nll_reference"]), "quality_drop": {**drop, "metric": "perplexity"},
    }


def _perplexity(losses: Sequence[float]) -> float:
    return math.exp(min(700.0, sum(losses) / len(losses)))


def log_softmax(logits: np.ndarray) -> np.ndarray:
    """Natural logarithms of the probabilities, float32, over the last axis."""
    import numpy as np

    shifted = logits.astype(np.float32) - logits.max(axis=-1, keepdims=True)
    found: np.ndarray = shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))
    return found


def divergence(expected: np.ndarray, got: np.ndarray) -> np.ndarray:
    """Of each row, in nats, from log-probabilities (fp16 or wider); never negative but for rounding in float64."""
    import numpy as np

    before, after = expected.astype(np.float64), got.astype(np.float64)
    p = np.exp(before)
    found: np.ndarray = (p * (before - after) - p + np.exp(after)).sum(axis=-1)
    return found


def _rounded(exact: np.ndarray) -> np.ndarray:
    import numpy as np

    found: np.ndarray = np.maximum(exact, _LOWEST).astype(np.float16)
    return found


def _logits(session: Any, tokens: Sequence[int], n_vocab: int) -> np.ndarray:
    """Rows that predict the tokens after the first. A vocabulary that an exporter padded is cut to the source's."""
    logits = session.logits(tokens)
    if logits.ndim != 2 or len(logits) != len(tokens) or logits.shape[1] < n_vocab:
        raise WrongOutput(f"logits have the shape {list(logits.shape)}, {[len(tokens), n_vocab]} was expected")
    cut: np.ndarray = logits[:-1, :n_vocab]
    checked({"logits": cut})
    return cut


def _windows(session: Any, plan: Mapping[str, Any], length: int, most: int) -> list[list[int]]:
    """Windows of tokens that follow each other in the evaluation text, without what the calibration text has too."""
    text = read_text(plan["text"])
    calibration = read_text(plan["calibration"]) if plan.get("calibration") else ""
    tokens: list[int] = []
    for part in disjoint(text, calibration):
        tokens += session.tokenize(part[: (length * most - len(tokens)) * _CHARACTERS_PER_TOKEN])
        if len(tokens) >= length * most:
            break
    windows = [tokens[start : start + length] for start in range(0, min(len(tokens), length * most) - length + 1, length)]
    if not windows:
        raise Unsupported(f"`{plan['text']}` has fewer than {length} tokens that `{plan.get('calibration') or 'the calibration'}` does not have too")
    return windows


def disjoint(text: str, calibration: str) -> Iterator[str]:
    """PURE: the parts of a text between which stretches that the other has too were taken out."""
    kept: list[str] = []
    for start in range(0, len(text), _OVERLAP):
        part = text[start : start + _OVERLAP]
        if calibration and part.strip() and part in calibration:
            if kept:
                yield "".join(kept)
            kept = []
        else:
            kept.append(part)
    if kept:
        yield "".join(kept)


def _write(stream: zipfile.ZipFile, name: str, array: np.ndarray) -> None:
    import numpy as np

    with stream.open(f"{name}.npy", "w", force_zip64=True) as entry:
        np.lib.format.write_array(entry, array, allow_pickle=False)
