from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest

from recommender.learn.contests import Contest
from recommender.learn.interval import device_mean
from recommender.learn.standing import cost, standings
from recommender.learn.tree import MAX_LEAVES, Split, conditions, fit, weights
from tests.learn.invented import by_chance, by_family, contest


def first(found: list[Contest]) -> dict[str, str]:
    """Conditions in words -> the first name."""
    return {str(leaf.when): leaf.order[0].name for leaf in fit(found)}


def test_a_question_that_decides_is_found() -> None:
    assert sorted(first(by_family()).values()) == ["alpha", "beta"]
    assert {str({"device.family": "two"}), str({"device.family": {"not_in": ["two"]}})} == set(first(by_family())) or set(first(by_family())) == {str({"device.family": "one"}), str({"device.family": {"not_in": ["one"]}})}


def test_every_contest_is_in_one_leaf() -> None:
    leaves = fit(by_family())
    assert sorted(number for leaf in leaves for number in leaf.members) == list(range(len(by_family())))


def test_a_question_that_does_not_pay_is_not_asked() -> None:
    assert len(fit(by_chance())) == 1 and fit(by_chance())[0].when == {}


def test_what_one_chip_says_makes_no_rule_of_its_own() -> None:
    """Only one chip of the family disagrees: its side keeps the order of all, so that there is nothing to ask."""
    found = [contest({"alpha": 20.0, "beta": 10.0}, chip=chip, model=f"m{model}", family="one") for chip in range(8) for model in range(4)]
    found += [contest({"alpha": 10.0, "beta": 20.0}, chip=99, model=f"m{model}", family="two") for model in range(4)]
    assert first(found) == {"{}": "alpha"}


def test_a_side_with_too_few_chips_keeps_the_order_of_all() -> None:
    """Two chips gain a little by asking, and drawing chips would not deny it; two are too few for an order of their own."""
    speeds = ({"alpha": 11.0, "beta": 10.0}, {"alpha": 11.0, "beta": 10.0}, {"alpha": 10.0, "beta": 40.0})
    found = [contest(speeds[chip], chip=chip, model=f"m{model}", family=("one", "one", "two")[chip]) for chip in range(3) for model in range(4)]
    assert first(found) == {"{}": "beta"}


def test_an_attribute_that_is_mostly_unknown_is_not_asked() -> None:
    found = [contest({way.name: 20.0 if way.regret == 0 else 10.0 for way in row.ways}, chip=int(row.chip[1:]), model=row.model, family=row.attributes["device.family"][0] if int(row.chip[1:]) < 6 else None) for row in by_family()]
    assert not any("device.family" in leaf.when for leaf in fit(found))


def test_devices_weigh_the_same_however_often_they_were_measured() -> None:
    found = [contest({"alpha": 20.0, "beta": 10.0}, chip=0, model=f"m{n}") for n in range(50)] + [contest({"alpha": 10.0, "beta": 10.5}, chip=1)]
    heavy = weights(found)
    assert sum(heavy[:50]) == pytest.approx(1.0) and heavy[50] == pytest.approx(1.0)
    assert weights([contest({"alpha": 10.0, "beta": 10.0})]) == [0.0], "nothing is at stake"


def test_standings_count_support_and_put_it_first() -> None:
    found = by_family(chips=6) + [contest({"alpha": 10.0, "gamma": 40.0}, chip=1, model="m0", family="one")]
    rows = {row.name: row for row in standings(found)}
    assert not rows["gamma"].is_supported and standings(found)[-1].name == "gamma", "the fastest, on one chip"
    assert (rows["beta"].cases, rows["beta"].wins, rows["beta"].devices, rows["beta"].models, rows["beta"].sources) == (36, 18, 6, 6, ("s",))
    assert cost(standings(found), contest({"gamma": 1.0, "delta": 2.0})) == pytest.approx(0.6931, abs=1e-4)


def test_the_tree_stays_small() -> None:
    found = [contest({"alpha": 10.0 if (number + chip) % 2 else 20.0, "beta": 15.0}, chip=chip, model=f"m{number}", n_params=10**number, family=str(chip)) for chip in range(20) for number in range(9)]
    assert 1 <= len(fit(found)) <= MAX_LEAVES


@pytest.mark.parametrize(("kind", "bound", "yes", "no"), [
    ("number", 7, {"above": 7}, {"at_most": 7}), ("flag", None, True, False), ("text", "x", "x", {"not_in": ["x"]}), ("list", "x", {"has": ["x"]}, {"lacks": ["x"]}),
])  # fmt: skip
def test_splits_become_conditions_of_rules(kind: str, bound: Any, yes: Any, no: Any) -> None:
    assert conditions([Split(attribute="device.a", kind=kind, bound=bound, is_yes=True)]) == {"device.a": yes}
    assert conditions([Split(attribute="device.a", kind=kind, bound=bound, is_yes=False)]) == {"device.a": no}


def test_conditions_of_one_attribute_are_joined() -> None:
    def split(bound: Any, is_yes: bool, kind: str = "number") -> Split:
        return Split(attribute="a", kind=kind, bound=bound, is_yes=is_yes)

    assert conditions([split(9, False), split(2, True), split(5, False)]) == {"a": {"at_most": 5, "above": 2}}
    assert conditions([split("x", False, "text"), split("y", True, "text")]) == {"a": "y"}, "what it is not follows"


def test_the_interval_counts_chips_not_rows() -> None:
    one = [contest({"alpha": 1.0, "beta": 2.0}, chip=0, model=f"m{n}") for n in range(100)] + [contest({"alpha": 1.0, "beta": 2.0}, chip=chip) for chip in range(1, 5)]
    mean, low, high = device_mean(one, [1.0] * 100 + [0.0] * 4)
    assert mean == pytest.approx(0.2) and low == 0.0 and 0.4 <= high < 1.0


def test_without_the_library_the_hint_names_its_extra() -> None:
    code = "import sys; sys.modules['sklearn'] = None\nfrom recommender.learn.tree import fit\nfrom tests.learn.invented import by_family\nfit(by_family())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60)
    assert "ExecutorUnavailable" in done.stderr and done.returncode
