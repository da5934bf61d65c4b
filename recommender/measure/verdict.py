"""PURE: from medians by round to a verdict. When a difference counts, when a tie does, and what would settle the rest."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from math import expm1, log, log1p
from statistics import median
from typing import Any

from recommender.measure.statistics import median_interval, signed_rank_p, spread

TIE_BAND = 0.02  # contracts: 2 % everywhere unless the user says otherwise
SCREENING = 3  # rounds after which what is far behind is dropped
LOOKS = {7: 0.016, 10: 0.014, 14: 0.025}  # paired rounds -> p below which a difference counts; at most 5 % of equal pairs give a winner
OBVIOUS = 5.0  # a gap of so many times the spread needs no look
FAR_BANDS, FAR_SPREADS = 5.0, 3.0  # dropped at screening: behind by more than both

RECOMMENDED, KEEP_BASELINE, TIE = "RECOMMENDED", "KEEP-BASELINE", "TIE"
INCONCLUSIVE, INFEASIBLE, ANOMALOUS = "INCONCLUSIVE", "INFEASIBLE", "ANOMALOUS"


@dataclass(frozen=True, kw_only=True, slots=True)
class Pair:
    """A candidate against another over paired rounds.

    Attributes:
        word: `better` or `worse` (of the candidate), `tie`, or `open`: a gap of at least the tie band that is not shown.
        effect: median paired gain, 0.03 = 3 % better; low, high: its distribution-free 95 % interval (from 6 rounds on).
        p: of the exact signed-rank test at the look that decided, else at the last one; None before the first look.
        rounds: how many the word rests on. is_settled: further rounds would not change the word.
    """

    word: str
    effect: float
    rounds: int
    low: float | None = None
    high: float | None = None
    p: float | None = None
    is_settled: bool = False


def compare_pair(baseline: Sequence[float], candidate: Sequence[float], better: str, tie_band: float = TIE_BAND) -> Pair:
    """Compare process medians (> 0) of the same rounds, in order of rounds. `better` is `up` or `down`.

    The test is on log ratios, at looks only: every look that has been reached is gone through in order and the first that decides holds, so
    that the answer does not depend on how often one asks.
    """
    gains = _gains(baseline, candidate, better)
    band, p = log1p(tie_band), None
    for rounds, limit in LOOKS.items():
        if rounds > len(gains):
            break
        seen = gains[:rounds]
        p = signed_rank_p(seen)
        if p < limit and abs(median(seen)) >= band:
            return _pair(seen, "better" if median(seen) > 0 else "worse", p, is_settled=True)
        interval = median_interval(seen)
        if interval and -band < interval[0] and interval[1] < band:
            return _pair(seen, "tie", p, is_settled=True)
    if not gains:
        return Pair(word="open", effect=0.0, rounds=0)
    effect = median(gains)
    if SCREENING <= len(gains) < min(LOOKS) and abs(effect) >= band and _gap_in_spreads(baseline, candidate) > OBVIOUS:
        return _pair(gains, "better" if effect > 0 else "worse", p, is_settled=True)
    return _pair(gains, "tie" if abs(effect) < band else "open", p)


def _gains(baseline: Sequence[float], candidate: Sequence[float], better: str) -> list[float]:
    sign = {"up": 1, "down": -1}[better]
    return [sign * log(ours / other) for other, ours in zip(baseline, candidate, strict=True)]


def _gap_in_spreads(one: Sequence[float], other: Sequence[float]) -> float:
    """Distance of the medians in units of the larger range, on the log scale."""
    logs = [log(value) for value in one], [log(value) for value in other]
    wide = max(spread(logs[0]), spread(logs[1]))
    gap = abs(median(logs[0]) - median(logs[1]))
    return gap / wide if wide else float("inf") if gap else 0.0


def _pair(gains: Sequence[float], word: str, p: float | None, *, is_settled: bool = False) -> Pair:
    low, high = median_interval(gains) or (None, None)
    return Pair(
        word=word, effect=expm1(median(gains)), rounds=len(gains), low=None if low is None else expm1(low),
        high=None if high is None else expm1(high), p=p, is_settled=is_settled,
    )


def leader(medians: Mapping[str, Sequence[float]], better: str) -> str:
    """The candidate with the best median over its rounds; the first of equals."""
    pick = max if better == "up" else min
    return pick(medians, key=lambda name: median(medians[name]))


def far_behind(medians: Mapping[str, Sequence[float]], better: str, tie_band: float = TIE_BAND) -> dict[str, float]:
    """Candidates that screening drops, with their paired effect against the leader (negative).

    Far behind: by more than five tie bands *and* more than three times the larger spread, in every round. An equal candidate would need a
    difference of three ranges to be lost, which at three rounds happens less than once in a thousand comparisons.
    """
    first = leader(medians, better)
    found = {}
    for name, values in medians.items():
        gains = _gains(medians[first], values, better)
        if median(gains) < -log1p(FAR_BANDS * tie_band) and max(gains) < 0 and _gap_in_spreads(medians[first], values) > FAR_SPREADS:
            found[name] = expm1(median(gains))
    return found


@dataclass(frozen=True, kw_only=True, slots=True)
class Judgement:
    """A verdict with its reasons.

    Attributes:
        word: one of the verdicts. winner: who to ship ("" when nobody can be named); of a tie the first by the secondary order.
        tied: the set of a TIE. reason: one sentence. settle: what would settle an INCONCLUSIVE, or what to check of an ANOMALOUS.
        pairs: the leader against every other. is_settled: further rounds would not change it.
    """

    word: str
    winner: str = ""
    tied: tuple[str, ...] = ()
    reason: str = ""
    settle: str = ""
    pairs: Mapping[str, Pair] = field(default_factory=dict)
    is_settled: bool = False


def judge(
    medians: Mapping[str, Sequence[float]], baseline: str, better: str, tie_band: float = TIE_BAND, *,
    secondary: Callable[[str], Any] | None = None, anomalous: Collection[str] = (),
) -> Judgement:
    """The verdict over the candidates that are left, from their process medians of the same rounds.

    A winner is separated from every other candidate. Ties are resolved by `secondary` (a sort key, least first), else for the baseline,
    else in the given order. The baseline may be missing (it failed).
    """
    if not medians:
        return Judgement(word=INFEASIBLE, reason="no candidate ran to its end", is_settled=True)
    if not all(medians.values()):
        return Judgement(word=INCONCLUSIVE, reason="no round was completed", settle="a larger --budget")
    first = leader(medians, better)
    pairs = {name: compare_pair(values, medians[first], better, tie_band) for name, values in medians.items() if name != first}
    is_settled = all(pair.is_settled for pair in pairs.values())
    rounds = len(medians[first])
    if rounds < SCREENING:
        return Judgement(word=INCONCLUSIVE, reason=f"{rounds} of {SCREENING} rounds were measured", settle="a larger --budget", pairs=pairs)
    undecided = [name for name, pair in pairs.items() if pair.word in ("open", "worse")]  # worse: at an earlier look, and no longer
    if undecided:
        return _inconclusive(first, undecided, pairs, rounds, is_settled)
    tied = [name for name in medians if name == first or pairs[name].word == "tie"]
    if len(tied) > 1:
        order = secondary or (lambda name: name != baseline)
        winner = min(tied, key=order)
        return Judgement(
            word=TIE, winner=winner, tied=tuple(tied), pairs=pairs, is_settled=is_settled,
            reason=f"{', '.join(tied)} lie within {tie_band:.3g} after {rounds} rounds",
        )
    if first in anomalous:
        return Judgement(
            word=ANOMALOUS, pairs=pairs, is_settled=is_settled, reason=f"{first} comes first but its output is not what such a change gives",
            settle=f"check that {first} is what its name says",
        )
    return Judgement(word=KEEP_BASELINE if first == baseline else RECOMMENDED, winner=first, pairs=pairs, is_settled=is_settled, reason=_ahead(first, pairs))


def _ahead(first: str, pairs: Mapping[str, Pair]) -> str:
    if not pairs:
        return f"{first} is the only candidate left"
    nearest = min(pairs, key=lambda name: pairs[name].effect)
    pair = pairs[nearest]
    shown = f"p {pair.p:.2g}" if pair.p is not None else f"more than {OBVIOUS:g} times the spread"
    return f"{first} is better than {nearest} by {pair.effect:.1%} ({pair.rounds} rounds, {shown})"


def _inconclusive(first: str, undecided: Sequence[str], pairs: Mapping[str, Pair], rounds: int, is_settled: bool) -> Judgement:
    nearest = min(undecided, key=lambda name: pairs[name].effect)
    further = next((look for look in LOOKS if look > rounds), None)
    settle = f"{further} rounds (a larger --budget, or --mode strict)" if further else "a quieter machine, or a wider tie band"
    return Judgement(
        word=INCONCLUSIVE, pairs=pairs, is_settled=is_settled, settle=settle,
        reason=f"{first} leads {nearest} by {pairs[nearest].effect:.1%} after {rounds} rounds, which chance may give",
    )
