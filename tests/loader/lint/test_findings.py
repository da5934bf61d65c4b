from __future__ import annotations

from pathlib import Path

import pytest

from recommender.loader import files, lint
from recommender.loader.lint import CHECKS, Knowledge
from recommender.loader.lint.finding import places
from tests.loader.lint.world import MACHINE, findings


def test_world_has_no_faults(tmp_path: Path) -> None:
    assert findings(tmp_path) == []


@pytest.fixture(scope="module")
def knowledge() -> Knowledge:
    from recommender.loader.codec import load

    layers = files.layers()
    return Knowledge(catalog=load(layers), places=places(layers), today="2026-11-24")


@pytest.mark.parametrize("module", CHECKS, ids=[module.__name__.rpartition(".")[2] for module in CHECKS])
def test_real_catalogue_has_no_errors(knowledge: Knowledge, module: object) -> None:
    found = [finding for finding in module.check(knowledge) if finding.level == "error"]  # type: ignore[attr-defined]
    assert not found, "\n".join(f"{finding.where}: {finding.message}" for finding in found[:10])


def test_findings_name_file_and_line_and_errors_come_first(tmp_path: Path) -> None:
    machine = MACHINE.replace("acme-board", "other-board").replace("ACME Board", "Other").replace("board one", "b2")
    found = findings(
        tmp_path,
        {
            "machines/b.toml": "\n" + machine.replace('"acme.a1.cpu"', '"acme.a9.cpu"'),
            "sources/old.toml": '[[source]]\nid = "old"\ntitle = "t"\nurl = "u"\nkind = "derived"\nretrieved = "2020-01-01"\n',
        },
    )
    assert [finding.level for finding in found] == ["error", "warning", "warning"]
    assert found[0].where == f"{tmp_path}/overlay/machines/b.toml:2"
    assert "acme.a9.cpu" in found[0].message


def test_rules_and_statements_are_found_by_their_own_line(knowledge: Knowledge) -> None:
    path, _, line = knowledge.where("rules", "ELG002").rpartition(":")
    lines = Path(path).read_text("utf-8").splitlines()
    assert lines[int(line) - 1 : int(line) + 1] == ["[[rule]]", 'id = "ELG002"']
    assert knowledge.where("support", "SUP-MLX-METAL").rpartition("/")[2].startswith("mlx.toml:")
    assert knowledge.where("rules", "ZZZ999") == "rules:ZZZ999"


def test_file_that_cannot_be_loaded_is_the_one_finding(tmp_path: Path) -> None:
    found = findings(tmp_path, {"machines/b.toml": MACHINE.replace("class_", "klass")})
    assert [(finding.lint, finding.level) for finding in found] == [("load", "error")]
    assert found[0].where.endswith("b.toml:4")


def test_today_is_the_present_day_unless_told(tmp_path: Path) -> None:
    root = tmp_path / "empty"
    root.mkdir()
    assert lint.run((files.Layer(name=files.BUILT_IN, root=root),)) != []  # a world without matchers
