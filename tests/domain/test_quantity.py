from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recommender.domain.quantity import UNITS, Interval, parse_quantity, to_base, units_of


@pytest.mark.parametrize(("text", "dimension", "value"), [
    ("8GiB", "bytes", 8 * 2**30),
    (" 8 GB ", "bytes", 8e9),
    ("1e3 MB", "bytes", 1e9),
    (".5GiB", "bytes", 2**29),
    ("100 bytes", "bytes", 100),
    ("17.1 GB/s", "bytes/s", 17.1e9),
    ("45 TOPS", "ops/s", 45e12),
    ("2.4GHz", "Hz", 2.4e9),
    ("30ms", "s", 0.03),
    ("10m", "s", 600),
    ("1 h", "s", 3600),
    ("20 tok/s", "tok/s", 20),
    ("30 fps", "1/s", 30),
    ("1%", "fraction", 0.01),
    ("-2 %", "fraction", -0.02),
])
def test_text_becomes_base_units(text: str, dimension: str, value: float) -> None:
    assert parse_quantity(text, dimension) == pytest.approx(value)


@pytest.mark.parametrize(("text", "dimension", "words"), [
    ("", "bytes", "not a number"),
    ("GiB", "bytes", "not a number"),
    ("nan GiB", "bytes", "not a number"),
    ("inf GiB", "bytes", "not a number"),
    ("1e999 GiB", "bytes", "not a finite number"),
    ("8", "bytes", "no unit"),
    ("8 GIB", "bytes", "unknown unit `GIB`"),
    ("8 lightyears", "s", "unknown unit"),
    ("8 GB", "s", "measures bytes, not s"),
    ("30 ms", "bytes", "measures s, not bytes"),
    ("8GiB please", "bytes", "unknown unit"),
])
def test_what_cannot_be_read_is_said_in_the_users_words(text: str, dimension: str, words: str) -> None:
    with pytest.raises(ValueError, match=words) as caught:
        parse_quantity(text, dimension)
    assert "`" in str(caught.value)


def test_every_unit_names_a_unit_of_the_dimension_it_refuses() -> None:
    with pytest.raises(ValueError) as caught:
        parse_quantity("3 furlongs", "bytes")
    assert "GiB" in str(caught.value)


@given(st.sampled_from(sorted(UNITS)), st.floats(min_value=1e-3, max_value=1e6))
def test_reading_back_what_was_written_is_the_same_number(unit: str, number: float) -> None:
    dimension, factor = UNITS[unit]
    assert math.isclose(parse_quantity(f"{number!r} {unit}", dimension), number * factor)
    assert to_base(number, unit) == number * factor
    assert unit in units_of(dimension).split(", ")


def test_an_interval_scales_end_by_end() -> None:
    assert Interval(low=1, central=2, high=4).scaled(3) == Interval(low=3, central=6, high=12)
