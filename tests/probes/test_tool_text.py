"""Values that mean "not told", sizes, addresses, broken JSON."""

from __future__ import annotations

from typing import Any

import pytest

from probes import tool_text


@pytest.mark.parametrize(
    "text",
    ["", " ", "N/A", "[N/A]", "[Not Supported]", "Not Supported", "<N/A>", "[Insufficient Permissions]", "unknown",
     "[Unknown Error]",
     "<redacted>", "None", "-", None, {}, [], True],
)  # fmt: skip
def test_spellings_of_not_told(text: Any) -> None:
    assert tool_text.known(text) is None
    assert tool_text.size(text) is None and tool_text.integer(text) is None


@pytest.mark.parametrize(
    ("text", "unit", "wanted"),
    [("24564 MiB", "b", 24564 << 20), ("46068MiB", "b", 46068 << 20), ("196592", "mb", 196592 << 20), ("36037804032", "b",
     36037804032),
     ("125.5 GiB", "b", int(125.5 * 2**30)), ("12 parsecs", "b", None), ("-5 MiB", "b", None), ("9" * 400, "b",
      99999999999999999999)],
)  # fmt: skip
def test_sizes(text: str, unit: str, wanted: int | None) -> None:
    assert tool_text.size(text, unit) == wanted


@pytest.mark.parametrize(
    ("text", "wanted"),
    [("00000000:0C:00.0", "0000:0c:00.0"), ("0000000F:01:00.0", "000f:01:00.0"), ("01:00.0", "0000:01:00.0"),
     ("PCI-E, 0000:03:00.0", "0000:03:00.0"), ("[0000:67:00.1]", "0000:67:00.1"), ("10000:e1:00.0", "10000:e1:00.0"),
     ("N/A", None), ("01:00", None), ("zz:00.0", None)],
)  # fmt: skip
def test_addresses(text: str, wanted: str | None) -> None:
    assert tool_text.pci_address(text) == wanted


@pytest.mark.parametrize(
    ("vendor", "device", "wanted"),
    [("0x10DE", "2684", "10de:2684"), (0x8086, 0xE20B, "8086:e20b"), ("1002", "0x73df", "1002:73df"), ("8086", "162",
     "8086:0162"),
     ("10de", "N/A", None), ("10de", "12345", None), (None, "1", None)],
)  # fmt: skip
def test_ids(vendor: Any, device: Any, wanted: str | None) -> None:
    assert tool_text.pci_id(vendor, device) == wanted


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ('{"a": 1}', {"a": 1}),
        ('WARNING: old driver [x]\n{"a": 1}\ntrailing', {"a": 1}),
        ('{"a": {"b": "x", "c": "yyy', {"a": {"b": "x"}}),
        ('{"a": {"b": 12', None),
        ('{"a": [1, 2, {"b": 3}, {"c"', {"a": [1, 2, {"b": 3}]}),
        ('{"a": "brace } in \\" text", "b": 2, "c', {"a": 'brace } in " text', "b": 2}),
        ("[" * 100000, None),
        ("no json", None),
    ],
)
def test_json_that_was_cut_or_wrapped(text: str, wanted: Any) -> None:
    document = tool_text.load_json(text)
    assert document == wanted if wanted is not None else not document or document == {"a": {}}


def test_rows_of_a_table_without_the_lines_that_are_none() -> None:
    assert tool_text.csv_rows(["a, b", '"x, y", z', "q" * 200_000, ""]) == [["a", "b"], ["x, y", "z"]]


def test_objects_inside_a_text_value_are_found() -> None:
    found = list(tool_text.walk({"outer": '{"card0": {"x": 1}}'}))
    assert {"x": 1} in found and {"card0": {"x": 1}} in found
