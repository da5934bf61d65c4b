from __future__ import annotations

from pathlib import Path

import pytest

from recommender.decide.matchers import MATCHERS
from tests.loader.lint.world import FRAMEWORK, RULE, SUPPORT, TABLE, VOCABULARY, findings, said


def of_condition(tmp_path: Path, condition: str) -> list[str]:
    rule = RULE.replace('{ "device.kind" = "cpu" }', f"{{ {condition} }}")
    return said(findings(tmp_path, world={"rules/a.toml": TABLE + rule}), "vocabulary")


@pytest.mark.parametrize(
    ("condition", "words"),
    [
        ('"device.colour" = "red"', "unknown attribute `device.colour`"),
        ('"device.kind" = "tpu"', "`tpu` never occurs"),
        ('"device.kind" = { in = ["cpu", "tpu"] }', "`tpu` never occurs"),
        ('"device.kind" = { in = "cpu" }', "needs a list"),
        ('"device.kind" = { near = "cpu" }', "unknown matcher `near`"),
        ('"device.kind" = {}', "empty condition"),
        ('"device.kind" = { at_least = 3 }', "compares numbers"),
        ('"device.kind" = 3', "`3` is no text"),
        ('"device.family" = "toaster"', "`toaster` never occurs"),
        ('"device.features" = "avx2"', "is a list"),
        ('"device.kind" = { has = "cpu" }', "does not fit"),
        ('"device.precisions" = { has = "int7" }', "`int7` never occurs"),
        ('"model.n_params" = { at_least = "many" }', "compares numbers"),
        ('"model.n_params" = "many"', "`many` is no number"),
        ('"wish.is_mobile" = "yes"', "`yes` is no flag"),
        ('"candidate.scheme" = "Q9_K"', "`Q9_K` never occurs"),
        ('"device.kind" = { is_unknown = "yes" }', "is true or false"),
    ],
)
def test_fault_in_a_condition_is_found(tmp_path: Path, condition: str, words: str) -> None:
    messages = of_condition(tmp_path, condition)
    assert [message for message in messages if words in message and message.startswith("PLT001: ")], messages


@pytest.mark.parametrize(
    "condition",
    [
        '"device.features" = { has_any = ["avx2", "neon"] }',
        '"host.memory_total" = { at_least = "8GiB", below = "16GiB" }',
        '"device.family" = { not_in = ["arm-cpu"] }',
        '"host.os_version" = { version = ">=13" }',
        '"model.family" = { matches = "llama*" }',
        '"device.driver_version" = { is_unknown = true }',
        '"wish.is_mobile" = true',
    ],
)
def test_sound_condition_passes(tmp_path: Path, condition: str) -> None:
    assert of_condition(tmp_path, condition) == []


def test_support_statements_are_read_too(tmp_path: Path) -> None:
    text = FRAMEWORK + SUPPORT.replace('"device.kind" = "cpu"', '"device.kind" = "cpu", "device.x" = 1')
    assert "SUP-ORT: unknown attribute `device.x`" in said(findings(tmp_path, world={"frameworks/a.toml": text}), "vocabulary")


def test_matchers_are_those_of_the_engine(tmp_path: Path) -> None:
    text = VOCABULARY.replace('"has_any", ', "").replace('names = ["in"', 'names = ["into", "in"')
    assert said(findings(tmp_path, world={"vocabulary.toml": text}), "vocabulary") == [
        "matchers: not those of the engine: has_any, into"
    ]
    assert "has_any" in MATCHERS


def test_attribute_needs_type_and_meaning(tmp_path: Path) -> None:
    found = findings(
        tmp_path,
        {"vocabulary.toml": '[attribute."host.x"]\ntype = "colour"\nmeaning = "m"\n[attribute."host.y"]\ntype = "text"\n'},
    )
    assert [message.partition(":")[0] for message in said(found, "vocabulary")] == ["host.x", "host.y"]
