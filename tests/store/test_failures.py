from __future__ import annotations

from typing import Any

import pytest

from recommender.domain.measurement import FAILURES
from recommender.store.failures import Now, held
from recommender.testing.store import failure

GIB = 2**30
NOW = Now(version="1.0", free_memory=4 * GIB, wall=10.0)


@pytest.mark.parametrize(
    ("values", "now", "is_held"),
    [
        ({"kind": "unsupported"}, NOW, True),
        ({"kind": "unsupported"}, Now(version="1.1", free_memory=4 * GIB, wall=10.0), False),
        ({"kind": "unsupported", "version": ""}, Now(), False),
        ({"kind": "wrong-output"}, NOW, True),
        ({"kind": "fallback", "version": "0.9"}, NOW, False),
        ({"kind": "out-of-memory", "condition": {"free_memory": 4 * GIB}}, NOW, True),
        ({"kind": "out-of-memory", "condition": {"free_memory": 4 * GIB}}, Now(version="2.0", free_memory=4.4 * GIB), True),
        ({"kind": "out-of-memory", "condition": {"free_memory": 4 * GIB}}, Now(version="1.0", free_memory=4.41 * GIB), False),
        ({"kind": "out-of-memory", "condition": {}}, NOW, False),
        ({"kind": "out-of-memory", "condition": {"free_memory": 4 * GIB}}, Now(version="1.0"), False),
        ({"kind": "timeout", "condition": {"wall": 10.0}}, NOW, True),
        ({"kind": "timeout", "condition": {"wall": 10.0}}, Now(version="9", wall=5.0), True),
        ({"kind": "timeout", "condition": {"wall": 10.0}}, Now(version="1.0", wall=10.1), False),
        ({"kind": "timeout", "condition": {"wall": 10.0}}, Now(version="1.0"), False),
        ({"kind": "crash"}, NOW, False),
        ({"kind": "lost"}, NOW, False),
    ],
)
def test_one_failure(values: dict[str, Any], now: Now, is_held: bool) -> None:
    row = failure(**values)
    assert held([row], now) == (row if is_held else None)


@pytest.mark.parametrize("kinds", [("crash", "crash"), ("crash", "tool-bug")])
def test_a_crash_is_tried_once_more_for_each_version(kinds: tuple[str, str]) -> None:
    rows = [failure(kind=kind, created=f"2026-11-2{day}T10:00:00Z", condition={}) for day, kind in enumerate(kinds)]
    assert held(rows[:1], NOW) is None and held(rows, NOW) == rows[1]
    assert held([rows[0], failure(kind="crash", version="0.9")], NOW) is None
    assert held(rows, Now(version="1.1")) is None


def test_the_newest_that_holds_is_told() -> None:
    rows = [failure(kind=kind, created=f"2026-11-2{day}T10:00:00Z") for day, kind in enumerate(("unsupported", "timeout", "lost"))]
    assert held(rows, NOW) == rows[1] and held(rows, Now(version="1.0", wall=99.0)) == rows[0]


def test_nothing_failed() -> None:
    assert held([], NOW) is None


def test_every_kind_is_judged() -> None:
    """Twice the same in the same version, with the same limits: all but a lost device hold."""
    for kind in FAILURES:
        rows = [failure(kind=kind, condition={"wall": 10.0, "free_memory": 4 * GIB})] * 2
        assert (held(rows, NOW) is None) == (kind == "lost"), kind
