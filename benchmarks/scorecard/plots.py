"""Pictures of held-out cases: measured against predicted, and how the error is spread against the baselines'."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("svg")
matplotlib.rcParams.update({"svg.hashsalt": "scorecard", "svg.fonttype": "none", "font.size": 8})

import matplotlib.pyplot as plt  # noqa: E402
import numpy as np  # noqa: E402

from benchmarks.scorecard.figures import equal_weights  # noqa: E402
from benchmarks.scorecard.held import Held  # noqa: E402

_MOST = 700  # points of one picture


def against_truth(cases: Sequence[Held], title: str, path: Path) -> None:
    """Predicted over measured, on logarithmic axes, with the line on which they agree."""
    told = [case for case in cases if case.predicted]
    step = max(1, len(told) // _MOST)
    figure, axes = plt.subplots(figsize=(4, 4))
    for name in sorted({case.row.class_ for case in told}):
        own = [case for case in told[::step] if case.row.class_ == name]
        axes.scatter([case.truth for case in own], [case.predicted.central for case in own if case.predicted], s=4, alpha=0.5, label=name, linewidths=0)
    ends = [min(case.truth for case in told), max(case.truth for case in told)]
    axes.plot(ends, ends, color="black", linewidth=0.8)
    axes.set(xscale="log", yscale="log", xlabel="measured", ylabel="predicted", title=title)
    axes.legend(markerscale=2, fontsize=5, ncol=2)
    _save(figure, path)


def spread_of_errors(cases: Sequence[Held], title: str, path: Path) -> None:
    """Share of the cases whose error is at most so large, each group the same weight; ours and the baselines'."""
    told = [case for case in cases if case.predicted]
    figure, axes = plt.subplots(figsize=(4, 3))
    for name in ("ours", *sorted({name for case in told for name in case.baselines})):
        pairs = [(case.error if name == "ours" else abs(value / case.truth - 1), case.owner) for case in told if name == "ours" or (value := case.baselines.get(name)) is not None]
        errors, weights = np.array([error for error, _ in pairs], float), equal_weights(np.array([owner for _, owner in pairs], object))
        order = np.argsort(errors)
        axes.plot(100 * errors[order], np.cumsum(weights[order]) / weights.sum(), label=name, linewidth=1.8 if name == "ours" else 0.9)
    axes.set(xlim=(0, 150), ylim=(0, 1), xlabel="error, %", ylabel="share of cases", title=title)
    axes.legend(fontsize=6)
    _save(figure, path)


def _save(figure: Any, path: Path) -> None:
    figure.tight_layout()
    figure.savefig(path, metadata={"Date": None})
    plt.close(figure)
