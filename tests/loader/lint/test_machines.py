from __future__ import annotations

from pathlib import Path

import pytest

from tests.loader.lint.world import CPU, MACHINE, findings, said

NPU = CPU.replace("acme.a1.cpu", "acme.a1.npu").replace('kind = "cpu"', 'kind = "npu"').replace("arm-cpu", "samsung-npu")


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('"sbc"', '"toaster"', "class `toaster`"),
        ('"linux"', '"beos"', "operating system `beos`"),
        ('["acme.a1.cpu"]', '["acme.a9.cpu"]', "device `acme.a9.cpu` does not exist"),
        ('["acme.a1.cpu"]', '["acme.a1.npu", "acme.a1.cpu"]', "comes first"),
        ('["acme.a1.cpu"]', "[]", "has no devices"),
        ('"4 GiB", "8 GiB"', '"8 GiB", "4 GiB"', "ascend"),
        ('"4 GiB", "8 GiB"', "4, 8", "check the unit"),
        ('"sbc"', '"card"', "states the host"),
    ],
)
def test_fault_is_found(tmp_path: Path, old: str, new: str, words: str) -> None:
    messages = said(findings(tmp_path, {"devices/n.toml": NPU, "machines/a.toml": MACHINE.replace(old, new)}), "machines")
    assert [message for message in messages if words in message], messages


@pytest.mark.parametrize(
    ("key", "alias", "is_taken"),
    [("other", "Board-One", True), ("acme board", "x", True), ("other", "acme_board", True), ("other", "board two", False)],
)
def test_names_lead_to_one_machine(tmp_path: Path, key: str, alias: str, is_taken: bool) -> None:
    other = MACHINE.replace("acme-board", key).replace("ACME Board", "Other board").replace("board one", alias)
    assert bool(said(findings(tmp_path, {"machines/b.toml": other}), "machines")) == is_taken
