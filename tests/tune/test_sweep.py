"""The loop, on a replayed grid: it finds what is best, does not run what cannot win, keeps to its budget, and goes on where it was."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from recommender.domain.errors import DeviceLost
from recommender.domain.workload import parse_constraint
from recommender.measure.repetition import Repetition
from recommender.tune import report
from recommender.tune.outlook import Outlook
from recommender.tune.replay import Replay
from recommender.tune.sampler import Proposals
from recommender.tune.storage import Record
from recommender.tune.sweep import Limits, Sweep
from tests.tune import grids

pytest.importorskip("optuna", reason="the extra `tune` is not installed")


def _sweep(folder: Path, bench: Any, *, objectives: tuple[str, ...] = ("decode_rate",), needs: tuple[str, ...] = (), stop=lambda: False, worker: str = "", **limits: Any) -> Sweep:
    space = grids.space()
    better = {"decode_rate": "up", "peak_memory": "down", "file_size": "down"}
    meta = grids.meta(objectives=[{"metric": name, "better": better[name]} for name in objectives])
    constraints = tuple(parse_constraint(text) for text in needs)
    return Sweep(
        space=space, outlook=Outlook(space=space, objectives=objectives, needs=constraints, estimates=grids.estimates()),
        record=Record(f"journal:{folder}/sweep.log", "s/c1", directions=[better[name] for name in objectives], meta=meta, worker=worker), bench=bench,
        proposals=Proposals(space, "tpe" if len(objectives) == 1 else "nsga2", better=[better[name] for name in objectives], seed=3), objectives=objectives, needs=constraints,
        limits=Limits(**limits), seed=3, baseline=space.points[0].id, stop=stop,
    )


def _document(sweep: Sweep, ended: Any = None) -> dict[str, Any]:
    return report.document(sweep.record.meta, sweep.record.rows(), sweep.space.by_id(), {}, needs=sweep.needs, ended=ended)


def _points(sweep: Sweep) -> list[tuple[str, int]]:
    return [(row.point, row.round) for row in sweep.record.rows() if row.state == "COMPLETE"]


@pytest.mark.parametrize("seed", range(4))
def test_it_finds_the_best_with_fewer_runs_than_points(tmp_path, seed):
    bench = Replay(grids.grid(), seed=seed)
    sweep = _sweep(tmp_path, bench)
    document = _document(sweep, sweep.run())
    assert document["winner"] == grids.BEST and document["verdict"] in ("RECOMMENDED", "TIE")
    assert len({point for point, _ in _points(sweep)}) < len(sweep.space.points)
    assert bench.clock() < bench.exhaustive()


def test_what_cannot_win_is_never_run_and_the_report_can_say_why(tmp_path):
    sweep = _sweep(tmp_path, Replay(grids.grid()))
    sweep.run()
    never = sweep.outlook.hopeless()
    assert never and not set(never) & {point for point, _ in _points(sweep)}
    for point, other in never.items():
        rows = sweep.outlook.ranges("decode_rate")
        assert rows[point].optimistic < rows[other].pessimistic


def test_the_first_trials_are_the_answers_own_of_each_path(tmp_path):
    sweep = _sweep(tmp_path, Replay(grids.grid()), trials=2)
    sweep.run()
    assert [point for point, _ in _points(sweep)][:2] == ["alpha/cpu/F16?n_threads=2", "beta/cpu/F16?hint=a&n_threads=2"]


@pytest.mark.parametrize("budget", [15.0, 40.0, 60.0])
def test_it_keeps_to_its_budget(tmp_path, budget):
    bench = Replay(grids.grid())
    ended = _sweep(tmp_path, bench, budget=budget).run()
    assert ended.spent == bench.clock() <= budget


def test_the_winner_is_repeated_and_confirmed_in_a_fresh_process(tmp_path):
    sweep = _sweep(tmp_path, Replay(grids.grid(noise=0.002)))
    ended = sweep.run()
    rounds = sorted(round for point, round in _points(sweep) if point == grids.BEST)
    assert rounds == [0, 1, 2, 3] and ended.comparison.confirmed is True


def test_equal_candidates_tie(tmp_path):
    grid = grids.grid(noise=0.002)
    for row in grid["points"].values():
        row["metrics"]["decode_rate"] = 50.0
    sweep = _sweep(tmp_path, Replay(grid))
    document = _document(sweep, sweep.run())
    assert document["verdict"] == "TIE" and len(document["tied"]) > 1


def test_the_answers_own_choice_may_be_kept(tmp_path):
    grid = grids.grid(noise=0.002)
    first = grids.space().points[0].id
    for name, row in grid["points"].items():
        row["metrics"]["decode_rate"] = 100.0 if name == first else 50.0
    sweep = _sweep(tmp_path, Replay(grid))
    document = _document(sweep, sweep.run())
    assert (document["verdict"], document["winner"]) == ("KEEP-BASELINE", first)


def test_a_choice_that_the_gate_refuses_is_not_tried_with_other_settings(tmp_path):
    sweep = _sweep(tmp_path, Replay(grids.grid(beta="gate: wrong output")))
    document = _document(sweep, sweep.run())
    assert document["winner"] == "alpha/cpu/Q4_0?n_threads=2"
    failed = [row for row in sweep.record.rows() if row.state == "FAIL"]
    assert failed and len({row.params["choice"] for row in failed}) == len(failed) and all("wrong output" in row.why for row in failed)


def test_a_need_that_is_not_met_takes_the_best_from_the_field(tmp_path):
    grid = grids.grid(noise=0.002)
    for name, row in grid["points"].items():  # the faster a scheme the more it takes
        row["metrics"]["peak_memory"] = 1e6 * grids.SCHEMES[name.split("/")[2].partition("?")[0]]
    sweep = _sweep(tmp_path, Replay(grid), needs=("peak_memory<=0.09 GB",))
    document = _document(sweep, sweep.run())
    assert document["winner"] == "beta/cpu/Q8_0?hint=b&n_threads=2"


def test_nothing_that_meets_the_needs_is_infeasible(tmp_path):
    sweep = _sweep(tmp_path, Replay(grids.grid()), needs=("peak_memory<=0.0001 GB",))
    document = _document(sweep, sweep.run())
    assert document["verdict"] == "INFEASIBLE" and document["best"] is None


def test_several_objectives_give_a_front(tmp_path):
    grid = grids.grid(noise=0.0)
    for name, row in grid["points"].items():  # the slower scheme is smaller here
        row["metrics"]["peak_memory"] = grids.SCHEMES[name.split("/")[2].partition("?")[0]]
    sweep = _sweep(tmp_path, Replay(grid), objectives=("decode_rate", "peak_memory"))
    document = _document(sweep, sweep.run())
    by_number = {trial["number"]: trial["point"] for trial in document["trials"]}
    front = {by_number[number] for number in document["pareto"]}
    assert grids.BEST in front and any("/F16" in point for point in front) and document["verdict"] == "RECOMMENDED"


def test_what_was_stopped_goes_on_to_the_same_points(tmp_path):
    whole = _sweep(tmp_path / "a", Replay(grids.grid(), seed=7))
    whole.run()
    calls = iter(range(100))
    _sweep(tmp_path / "b", Replay(grids.grid(), seed=7), stop=lambda: next(calls) >= 5).run()
    resumed = _sweep(tmp_path / "b", Replay(grids.grid(), seed=7))
    resumed.run()
    assert _points(resumed) == _points(whole)


def test_a_device_that_is_lost_ends_the_sweep_and_keeps_what_was_found(tmp_path):
    class Lost(Replay):
        def take(self, point, round):
            return super().take(point, round) if self.clock() < 20 else Repetition(candidate=point.id, round=round, kind="lost", message="gone")

    sweep = _sweep(tmp_path, Lost(grids.grid()))
    with pytest.raises(DeviceLost, match="gone"):
        sweep.run()
    assert _points(sweep)


def test_the_document_tells_history_figures_and_states(tmp_path):
    sweep = _sweep(tmp_path, Replay(grids.grid()))
    document = _document(sweep, sweep.run())
    values = [row["value"] for row in document["history"]]
    assert values == sorted(values) and document["trials"][document["best"]]["point"] == document["winner"]
    figure = document["points"][document["winner"]]["metrics"]["decode_rate"]
    assert figure["low"] <= figure["value"] <= figure["high"] and figure["basis"] == "measured-here"
