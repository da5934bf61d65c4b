from __future__ import annotations

from pathlib import Path

import pytest

from tests.loader.lint.world import CPU, FRAMEWORK, MACHINE, MODEL, RULE, SOURCE, SUPPORT, TABLE, findings, said


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("models/a.toml", MODEL.replace('["s"]', '["x"]'), "tiny: source `x` is not declared"),
        ("models/a.toml", MODEL.replace('sources = ["s"]', ""), "tiny: cites no source"),
        ("machines/a.toml", MACHINE.replace('source = "s"', 'source = "x"'), "acme-board: source `x`"),
        ("devices/a.toml", CPU.replace('unit = "GB/s", source = "s"', 'unit = "GB/s", source = "x"'), "acme.a1.cpu: source `x`"),
        ("devices/a.toml", CPU.replace('unit = "GB/s", source = "s"', 'unit = "GB/s"'), "acme.a1.cpu: cites no source"),
        ("rules/a.toml", TABLE + RULE.replace("S6.tree", "S6.bush"), "PLT001: `chapter:S6.bush` is no part of the chapter"),
        ("frameworks/a.toml", FRAMEWORK + SUPPORT.replace('sources = ["s"]', 'sources = ["x"]'), "SUP-ORT: source `x`"),
        (
            "evidence/a.csv",
            "metric,value,model,framework,scheme,source,device\nlatency,1,tiny,onnxruntime,int4-weights-g64,x,acme.a1.cpu\n",
            "source `x`",
        ),
        ("sources/s.toml", SOURCE.replace("2026-11-01", "November"), "`retrieved` is not a date"),
        ("sources/s.toml", SOURCE.replace("2026-11-01", "2027-01-01"), "in the future"),
        ("sources/s.toml", SOURCE.replace("vendor-specification", "hearsay"), "kind `hearsay`"),
        ("sources/s.toml", SOURCE.replace("https://example.com", ""), "needs a title and a URL"),
    ],
)
def test_fault_is_found(tmp_path: Path, name: str, text: str, words: str) -> None:
    messages = said(findings(tmp_path, world={name: text}), "sources")
    assert [message for message in messages if words in message], messages


@pytest.mark.parametrize(("retrieved", "is_old"), [("2024-11-24", False), ("2024-10-24", True), ("2024-10-25", False)])
def test_source_older_than_two_years_is_a_warning(tmp_path: Path, retrieved: str, is_old: bool) -> None:
    found = findings(tmp_path, world={"sources/s.toml": SOURCE.replace("2026-11-01", retrieved)})
    assert bool([message for message in said(found, "sources", "warning") if "look again" in message]) == is_old


def test_unused_source_is_a_warning(tmp_path: Path) -> None:
    found = findings(tmp_path, {"sources/more.toml": SOURCE.replace('"s"', '"t"')})
    assert said(found, "sources", "warning") == ["t: nothing cites it"]
