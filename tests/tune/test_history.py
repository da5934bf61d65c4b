"""Nights are appended whole, read back in order, and what is broken is named."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from recommender.domain.errors import ActionFailed
from recommender.measure.repetition import Repetition
from recommender.tune.history import History

CLASS = "arm64 / 8 cores"


def night(name: str, *, device_class: str = CLASS, values: tuple[float, ...] = (10.0, 11.0)) -> dict[str, Any]:
    row = {"point": "a/cpu/int8", "metric": "latency", "values": list(values), "n_first": len(values), "word": "same"}
    return {"night": name, "class": device_class, "began": 1.0, "ended": 2.0, "cells": [row]}


def names(history: History, device_class: str = CLASS) -> list[str]:
    return [each["night"] for each in history.nights(device_class)]


def test_nights_come_back_in_order_and_each_class_has_its_own(tmp_path: Path) -> None:
    history = History(tmp_path, "abc")
    assert history.nights(CLASS) == [] and history.classes() == []
    for name in ("first", "second"):
        history.add(night(name))
    history.add(night("other", device_class="x86"))
    again = History(tmp_path, "abc")
    assert names(again) == ["first", "second"] and again.classes() == [CLASS, "x86"]
    assert again.nights(CLASS)[0]["cells"][0]["values"] == [10.0, 11.0] and again.notes == []
    assert History(tmp_path, "another baseline").nights(CLASS) == []


def test_what_was_written_is_never_touched_again(tmp_path: Path) -> None:
    history = History(tmp_path, "abc")
    path = history.add(night("first"))
    before = path.read_bytes()
    history.add(night("second"))
    assert path.read_bytes().startswith(before)


@pytest.mark.parametrize(
    "broken",
    [b'{"night": "torn", "cells": [{"po', b"[]", b"7", b"\xff\xfe", b'{"schema_version": 99, "night": "n", "class": "arm64 / 8 cores", "ended": 1, "cells": []}',
     b'{"schema_version": 1, "night": "n", "class": "x86", "ended": 1, "cells": []}',
     b'{"schema_version": 1, "night": "n", "class": "arm64 / 8 cores", "ended": 1, "cells": [{"point": "a", "metric": "m", "word": "same", "values": [0]}]}',
     b'{"schema_version": 1, "night": "n", "class": "arm64 / 8 cores", "ended": 1, "cells": [{"point": "a", "metric": "m", "word": "fine", "values": [1]}]}'],
)  # fmt: skip
def test_a_broken_line_is_passed_over_and_named(tmp_path: Path, broken: bytes) -> None:
    history = History(tmp_path, "abc")
    path = history.add(night("first"))
    with path.open("ab") as stream:
        stream.write(broken)
    history.add(night("second"))
    again = History(tmp_path, "abc")
    assert names(again) == ["first", "second"]
    assert again.notes == [f"{path}:2 is not a night and is passed over"]
    again.nights(CLASS)
    assert len(again.notes) == 1


def test_a_night_that_is_there_twice_counts_once(tmp_path: Path) -> None:
    history = History(tmp_path, "abc")
    history.add(night("first"))
    history.add(night("first", values=(99.0,)))
    assert names(history) == ["first"] and history.nights(CLASS)[0]["cells"][0]["values"] == [10.0, 11.0]


def test_a_folder_that_is_a_file_is_said(tmp_path: Path) -> None:
    (tmp_path / "abc").write_text("")
    with pytest.raises(ActionFailed, match="cannot be written"):
        History(tmp_path, "abc").add(night("first"))


def test_repetitions_of_a_night_wait_in_a_journal_of_their_class(tmp_path: Path) -> None:
    history = History(tmp_path, "abc")
    history.journal(CLASS).keep_repetition(Repetition(candidate="a", round=1, samples={"latency": [0.1]}))
    assert [each.samples for each in History(tmp_path, "abc").journal(CLASS).repetitions()] == [{"latency": [0.1]}]
    assert history.journal("x86").repetitions() == [] and history.classes() == []
