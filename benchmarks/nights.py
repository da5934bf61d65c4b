"""How often a nightly run raises a false alarm, and how soon it finds a regression: `python -m benchmarks.nights [--nights 50] [--runs 100]` (`make soak`).

Cells have known levels; noise is log-normal, between processes and between nights. The judgement and the reruns are those of the program.
Ends with 3 when more than three of fifty nights of unchanged cells (in proportion) have an alarm.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from math import exp, sqrt
from random import Random
from statistics import median

from recommender.tune import regression
from recommender.tune.regression import INCONCLUSIVE, REGRESSION, RERUNS, SAME, SUSPECT, Cell, Entry, Finding, condense, entry

ALLOWED = 0.05  # --max-regression
PROCESSES = 3  # of a night, before reruns
EARLIER = 10  # nights of history before the change
MOST_ALARMS = 3 / 50


@dataclass(frozen=True, kw_only=True)
class Scene:
    """Noise as standard deviations: between processes, of a cell's night, of a night for all cells. `tail`: degrees of Student's t, 0: normal.
    `apart`: how much the noise of one cell differs from another's (standard deviation of its logarithm)."""

    process: float
    night: float
    shift: float = 0.0
    tail: int = 0
    apart: float = 0.0

    @property
    def is_plain(self) -> bool:
        return not (self.shift or self.tail or self.apart)

    @property
    def label(self) -> str:
        more = [f"{self.shift:.0%} for all" * bool(self.shift), f"tails of t with {self.tail}" * bool(self.tail), "unequal cells" * bool(self.apart)]
        return ", ".join([f"{self.process:.0%} process, {self.night:.0%} night", *filter(None, more)])


SCENES = (
    *(Scene(process=process, night=night) for process in (0.02, 0.03, 0.05) for night in (0.01, 0.02)),
    Scene(process=0.03, night=0.01, shift=0.01), Scene(process=0.03, night=0.01, shift=0.02), Scene(process=0.03, night=0.01, tail=4), Scene(process=0.03, night=0.01, apart=0.4),
)


@dataclass
class World:
    """Cells that are measured in no time. `factors`: cell -> what its level is multiplied with from now on."""

    scene: Scene
    n_cells: int
    seed: int
    factors: dict[Cell, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.rng = Random(f"nights {self.seed}")
        self.scales: list[float] = [exp(self.rng.gauss(0, self.scene.apart)) for _ in range(self.n_cells)]
        self.shift, self.own = 0.0, [0.0] * self.n_cells
        self.dawn()
        first = [condense(self.take(at, PROCESSES)).centre for at in range(self.n_cells)]
        self.cells = [Cell(device_class="bench", point=f"point {at}", metric="decode_rate", better="up", value=exp(centre), n=PROCESSES) for at, centre in enumerate(first)]
        self.series: dict[Cell, list[Entry]] = {cell: [] for cell in self.cells}
        self.processes = 0

    def dawn(self) -> None:
        """A new night."""
        self.shift = self.rng.gauss(0, self.scene.shift)
        self.own = [self.rng.gauss(0, self.scene.night) * scale for scale in self.scales]

    def take(self, at: int, n: int, factor: float = 1.0) -> list[float]:
        return [factor * exp(self.shift + self.own[at] + self.scales[at] * self.scene.process * self._noise()) for _ in range(n)]

    def _noise(self) -> float:
        if not self.scene.tail:
            return self.rng.gauss(0, 1)
        return self.rng.gauss(0, 1) / sqrt(self.rng.gammavariate(self.scene.tail / 2, 2 / self.scene.tail))

    def night(self, *, is_judged: bool = True) -> Mapping[Cell, str]:
        """Measure, judge, rerun the suspects, judge: the words."""
        self.dawn()
        values = {cell: self.take(at, PROCESSES, self.factors.get(cell, 1.0)) for at, cell in enumerate(self.cells)}
        words = dict.fromkeys(self.cells, SAME)
        if is_judged:
            found, rerun = self._rerun(values)
            words = regression.judge(list(found.values()), ALLOWED, rerun)
        self.processes += sum(map(len, values.values()))
        for cell, taken in values.items():
            self.series[cell].append(entry(taken, PROCESSES, words[cell]))
        return words

    def _rerun(self, values: dict[Cell, list[float]]) -> tuple[dict[Cell, Finding], set[Cell]]:
        places = {cell: at for at, cell in enumerate(self.cells)}
        rerun: set[Cell] = set()
        found = self._assess(values)
        for n in RERUNS:
            again = [cell for cell in regression.suspects(found.values(), ALLOWED) if not rerun or cell in rerun]
            if not again:
                break
            rerun.update(again)
            for cell in again:
                values[cell] += self.take(places[cell], n, self.factors.get(cell, 1.0))
            found = self._assess(values)
        return found, rerun

    def _assess(self, values: Mapping[Cell, list[float]]) -> dict[Cell, Finding]:
        return regression.assess({cell: [*self.series[cell], entry(values[cell], PROCESSES)] for cell in self.cells}, ALLOWED)


def alarms(scene: Scene, nights: int, n_cells: int, seed: int) -> tuple[int, int, float]:
    """Nights of unchanged cells with a regression, and with nothing worse than a cell left open; processes a cell and night."""
    world = World(scene=scene, n_cells=n_cells, seed=seed)
    words = [set(world.night().values()) for _ in range(nights)]
    alarmed = sum(REGRESSION in night for night in words)
    return alarmed, sum(bool({INCONCLUSIVE, SUSPECT} & night) and REGRESSION not in night for night in words), world.processes / nights / n_cells


def found_in(scene: Scene, n_cells: int, seed: int, earlier: int = EARLIER, loss: float = 0.08, most: int = 4) -> int:
    """The night, counted from 1, in which a loss in one cell is called a regression; 0 when none of `most` nights did."""
    world = World(scene=scene, n_cells=n_cells, seed=seed)
    for _ in range(earlier):
        world.night(is_judged=False)
    changed = world.rng.choice(world.cells)
    world.factors[changed] = 1 - loss
    return next((night for night in range(1, most + 1) if world.night()[changed] == REGRESSION), 0)


def drift_found_at(scene: Scene, n_cells: int, seed: int, a_night: float = 0.003, most: int = 60) -> float:
    """How much a cell that loses a little every night has lost when that is called a regression; 0 when it never was."""
    world = World(scene=scene, n_cells=n_cells, seed=seed)
    for night in range(1, most + 1):
        world.factors[world.cells[0]] = (1 - a_night) ** night
        if world.night()[world.cells[0]] == REGRESSION:
            return 1 - world.factors[world.cells[0]]
    return 0.0


def main(arguments: list[str] | None = None) -> int:
    """Print the table."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--nights", type=int, default=50)
    options.add_argument("--runs", type=int, default=100, help="of the plain scenes; the others get a quarter")
    options.add_argument("--cells", type=int, default=400)
    asked = options.parse_args(arguments)
    print(f"{asked.cells} cells, {asked.nights} nights of unchanged ones; then {asked.runs} times a loss of 8 % in one cell after {EARLIER} nights, and a drift of 0.3 % a night")
    print(f"{'noise':52s} {'alarms':>6s} {'open':>5s} {'processes':>9s}  {'1 night':>7s} {'2':>6s} {'4':>6s}  {'drift':>6s}")
    is_wrong = False
    with ProcessPoolExecutor() as pool:
        quiet = {scene: pool.submit(alarms, scene, asked.nights, asked.cells, 1) for scene in SCENES}
        changed = {scene: [pool.submit(found_in, scene, asked.cells, seed) for seed in range(asked.runs if scene.is_plain else max(1, asked.runs // 4))] for scene in SCENES}
        drifts = {scene: [pool.submit(drift_found_at, scene, 50, seed) for seed in range(max(1, asked.runs // 20))] for scene in SCENES}
        for scene in SCENES:
            alarmed, left_open, processes = quiet[scene].result()
            when = [future.result() for future in changed[scene]]
            lost = median([future.result() for future in drifts[scene]])
            shares = [sum(0 < night <= limit for night in when) / len(when) for limit in (1, 2, 4)]
            is_wrong |= alarmed > MOST_ALARMS * asked.nights
            print(f"{scene.label:52s} {alarmed:6d} {left_open:5d} {processes:9.2f}  {shares[0]:7.0%} {shares[1]:6.0%} {shares[2]:6.0%}  {lost:6.1%}", flush=True)
    return 3 if is_wrong else 0


if __name__ == "__main__":
    sys.exit(main())
