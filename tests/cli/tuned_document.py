"""A document of `recommend tune` as a sweep with two objectives leaves it: one point that failed, one that misses a need, one that runs."""

from __future__ import annotations

from typing import Any

GGUF, INT4 = "llama-cpp/cpu/Q4_K_M", "openvino-genai/cpu/int4-weights-g128"
WINNER, LEAN, SLOW, BROKEN = f"{GGUF}?n_threads=2", f"{INT4}?n_threads=1", f"{GGUF}?n_threads=1", f"{INT4}?n_threads=4"


def figure(value: float, unit: str, spread: float = 0.05, n: int = 3) -> dict[str, Any]:
    return {"value": value, "low": value * (1 - spread), "high": value * (1 + spread), "unit": unit, "basis": "measured-here", "n": n}


def metrics(rate: float, memory: float) -> dict[str, Any]:
    return {"decode_rate": figure(rate, "tok/s"), "peak_memory": figure(memory, "bytes", 0.0, 1)}


def estimates(rate: float) -> dict[str, Any]:
    return {
        "decode_rate": {"central": rate, "low": rate * 0.6, "high": rate * 1.5, "unit": "tok/s", "basis": "calibrated"},
        "peak_memory": {"central": None, "low": None, "high": None, "unit": "bytes", "basis": "unknown"},
    }


def trial(number: int, point: str, found: dict[str, Any], **values: Any) -> dict[str, Any]:
    choice = point.partition("?")[0]
    framework, provider, scheme = choice.split("/")
    return {
        "number": number, "point": point, "round": 1, "choice": choice, "framework": framework, "execution_provider": provider, "scheme": scheme, "device": "",
        "options": {"n_threads": point[-1]}, "state": "COMPLETE", "why": "", "fidelity": "short", "metrics": found, "estimates": estimates(20.0), "cost_s": 12.0,
        "spent_s": 12.0 * (number + 1), "worker": "box-1", "class": "cpu-a", "is_feasible": True, "flags": [], "reproducer": {}, **values,
    }


def tuned(**values: Any) -> dict[str, Any]:
    """The document; `values` replace its parts."""
    found = {WINNER: metrics(24.0, 9e8), LEAN: metrics(18.0, 6e8), SLOW: metrics(13.0, 9e8)}
    points = {
        name: {"choice": name.partition("?")[0], "options": {}, "metrics": own, "is_feasible": name != SLOW, "estimates": estimates(20.0), "command": f"recommend measure --model m.gguf --choice {name.partition('?')[0]}"}
        for name, own in found.items()
    }
    trials = [
        trial(0, SLOW, found[SLOW], is_feasible=False, flags=["throttled"]), trial(1, LEAN, found[LEAN]), trial(2, BROKEN, {}, state="FAIL", why="out of memory", spent_s=None),
        trial(3, WINNER, found[WINNER]), trial(4, WINNER, found[WINNER], fidelity="confirmation"), trial(5, LEAN, {}, state="RUNNING", spent_s=None),
    ]
    return {
        "schema_version": 1,
        "study": {
            "name": "m-chat", "storage": "journal:sweeps.log", "seed": 0, "sampler": "tpe", "mode": "quick", "budget_s": 600.0, "model": "qwen2.5-0.5b", "class": "cpu-a",
            "objectives": [{"metric": "decode_rate", "better": "up"}, {"metric": "peak_memory", "better": "down"}], "needs": ["decode_rate>=15 tok/s"],
            "workload": {"key": "chat", "prompt_tokens": 512, "output_tokens": 128, "context": 4096, "batch": 1, "streams": 1}, "target": {"name": "box", "digest": "d1"},
        },
        "trials": trials, "points": points, "best": 3, "pareto": [1, 3], "winner": WINNER, "tied": [], "verdict": "RECOMMENDED", "why": "2 points are on the front", "settle": None, "confirmed": True,
        "pruned_by_estimate": {"count": 14, "examples": [{"point": f"{GGUF}?n_threads=8", "metric": "decode_rate", "optimistic": 11.0, "best_pessimistic": 22.8, "settled_by": WINNER}]},
        "importance": {"decode_rate": {"llama-cpp.n_threads": 0.7, "choice": 0.3}, "peak_memory": {}},
        "history": [{"spent_s": 24.0, "number": 1, "value": 18.0}, {"spent_s": 48.0, "number": 3, "value": 24.0}],
        "estimate_error": {"decode_rate": {"n": 3, "median": 0.17, "within": 3}}, "spent_s": 96.0, "ended": "settled", "classes": {},
        **values,
    }


def fleet() -> dict[str, Any]:
    """The same of two classes of machines."""
    own = {"n_trials": 6, "winner": WINNER, "verdict": "RECOMMENDED", "why": "", "target": {"name": "box"}, "metrics": metrics(24.0, 9e8), "pareto": [1, 3], "best": 3}
    other = {**own, "n_trials": 2, "winner": None, "verdict": "INFEASIBLE", "metrics": {}, "pareto": [], "best": None}
    return tuned(classes={"cpu-a": own, "cpu-b": other}, fleet=[{"choice": GGUF, "loss": 0.031, "by_class": {"cpu-a": 0.0, "cpu-b": 0.063}}])
