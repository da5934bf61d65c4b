from __future__ import annotations

from pathlib import Path

import pytest

from tests.loader.lint.world import CPU, findings, said


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('family = "arm-cpu"', 'family = "hexagon-npu"', "family `hexagon-npu` is none of kind cpu"),
        ('memory_kind = "unified"', 'memory_kind = "glued"', "memory kind `glued`"),
        ('value = 30, unit = "GB/s"', 'value = 30, unit = "MB/s"', "check the unit"),
        ('value = 30, unit = "GB/s"', 'value = 30, unit = "TB/s"', "check the unit"),
        ("memory_bandwidth =", '"peak_ops.int9" =', "unknown figure `peak_ops.int9`"),
        ("memory_bandwidth =", "peak_ops =", "unknown figure `peak_ops`"),
        ("memory_bandwidth =", "bandwidth =", "unknown figure `bandwidth`"),
        ('precisions = ["fp32"]', 'precisions = ["fp33"]', "precision `fp33`"),
        ('"acme.a1.cpu"', '"ACME A1"', "lower case"),
    ],
)
def test_fault_is_found(tmp_path: Path, old: str, new: str, words: str) -> None:
    messages = said(findings(tmp_path, world={"devices/a.toml": CPU.replace(old, new)}), "devices")
    assert [message for message in messages if words in message], messages


@pytest.mark.parametrize(
    ("match", "is_taken"),
    [
        ('{ soc = "A-1" }', True),
        ('{ soc = "a1" }', True),
        ('{ soc = "A-1", gpu_cores = "4" }', False),
        ('{ soc = "A-2" }', False),
    ],
    ids=["same", "same, other spelling", "pins down more", "other"],
)
def test_identifiers_lead_to_one_device(tmp_path: Path, match: str, is_taken: bool) -> None:
    other = CPU.replace("acme.a1.cpu", "acme.b1.cpu").replace('{ soc = "A-1" }', match)
    messages = said(findings(tmp_path, {"devices/b.toml": other}), "devices")
    assert bool(messages) == is_taken
    assert not messages or "as `acme.a1.cpu` is" in messages[0]


def test_same_identifier_of_another_kind_is_fine(tmp_path: Path) -> None:
    other = CPU.replace("acme.a1.cpu", "acme.a1.npu").replace('kind = "cpu"', 'kind = "npu"').replace("arm-cpu", "samsung-npu")
    assert said(findings(tmp_path, {"devices/b.toml": other}), "devices") == []


def test_device_that_nothing_identifies_is_a_warning(tmp_path: Path) -> None:
    found = findings(tmp_path, world={"devices/a.toml": CPU.replace('match = [{ soc = "A-1" }]', "match = []")})
    assert said(found, "devices", "warning") == ["acme.a1.cpu: nothing identifies it: it can only be named"]


def test_unknown_figure_is_no_fault(tmp_path: Path) -> None:
    found = findings(tmp_path, world={"devices/a.toml": CPU.replace('value = 30, unit = "GB/s"', 'value = "unknown"')})
    assert said(found, "devices") == []
