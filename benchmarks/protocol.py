"""How often the protocol is wrong, and how often it finds what is there: `python -m benchmarks.protocol [--runs 3000]` (`make soak`).

Candidates have known rates; noise is between processes, log-normal. A false winner is RECOMMENDED or KEEP-BASELINE between equals.
Ends with 3 when a share of false winners exceeds 5 % by more than chance allows.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Mapping
from concurrent.futures import ProcessPoolExecutor
from math import exp, sqrt
from random import Random

from recommender.measure.compare import ROUNDS, compare
from recommender.measure.repetition import Repetition

NOISES = (0.02, 0.03, 0.05)
SCENES: Mapping[str, tuple[Mapping[str, float], float]] = {  # levels (the first is the baseline), factor on the first of a round
    "equal": ({"base": 1.0, "a": 1.0}, 1.0),
    "equal, six of them": ({"base": 1.0, **dict.fromkeys("abcde", 1.0)}, 1.0),
    "equal, the first of a round 8 % slower": ({"base": 1.0, "a": 1.0}, 0.92),
    "6 % better": ({"base": 1.0, "a": 1.06}, 1.0),
    "6 % better than the best of five": ({"base": 1.0, **dict.fromkeys("bcde", 1.0), "a": 1.06}, 1.0),
}
_ALLOWED = 0.05


def verdict(scene: str, noise: float, mode: str, seed: int) -> str:
    """The verdict of one simulated comparison."""
    levels, first_factor = SCENES[scene]
    rng, order = Random(f"noise {seed}"), Random(f"order {seed}")
    begun: set[int] = set()

    def take(candidate: str, number: int) -> Repetition:
        factor = 1.0 if number in begun else first_factor
        begun.add(number)
        rate = levels[candidate] * factor * exp(rng.gauss(0, noise))
        return Repetition(candidate=candidate, round=number, samples={"throughput": [rate]}, elapsed=1.0)

    return compare([*levels][1:], "base", take, metric="throughput", mode=mode, rng=order).judgement.word


def row(scene: str, noise: float, mode: str, runs: int) -> Counter[str]:
    """Verdicts of so many comparisons."""
    return Counter(verdict(scene, noise, mode, seed) for seed in range(runs))


def main(arguments: list[str] | None = None) -> int:
    """Print the table."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--runs", type=int, default=3000)
    runs: int = options.parse_args(arguments).runs
    limit = _ALLOWED + 3 * sqrt(_ALLOWED * (1 - _ALLOWED) / runs)
    is_wrong = False
    print(f"{'scene':40s} {'mode':7s} {'noise':>5s}  {'winner':>7s} {'baseline':>8s} {'tie':>7s} {'open':>7s}   ({runs} runs each)")
    with ProcessPoolExecutor() as pool:
        asked = {(scene, mode, noise): pool.submit(row, scene, noise, mode, runs) for scene in SCENES for mode in ROUNDS for noise in NOISES}
        for (scene, mode, noise), future in asked.items():
            found = future.result()
            shares = [found[word] / runs for word in ("RECOMMENDED", "KEEP-BASELINE", "TIE", "INCONCLUSIVE")]
            wrong = shares[1] + (shares[0] if scene.startswith("equal") else 0.0)
            is_wrong |= wrong > limit
            print(f"{scene:40s} {mode:7s} {noise:5.0%}  " + " ".join(f"{share:7.1%}" for share in shares) + ("   too many" if wrong > limit else ""), flush=True)
    return 3 if is_wrong else 0


if __name__ == "__main__":
    sys.exit(main())
