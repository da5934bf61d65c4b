from __future__ import annotations

import pytest
from click.shell_completion import ShellComplete

from recommender.cli import cli
from tests.cli.conftest import Run


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_script_calls_the_program(run: Run, shell: str) -> None:
    found = run("completion", shell)
    assert found.code == 0
    assert f"_RECOMMEND_COMPLETE={shell}_complete" in found.out
    assert run("completion", shell, "--json").document["script"].strip() == found.out.strip()


def test_unknown_shell_is_refused(run: Run) -> None:
    found = run("completion", "dos")
    assert found.code == 2
    assert "`dos`" in found.err and "hint: recommend completion bash" in found.err


@pytest.mark.parametrize(
    ("typed", "incomplete", "offered"),
    [
        ([], "ca", {"catalog", "cache"}),
        ([], "--mo", {"--model", "--mobile"}),
        ([], "--vers", {"--version"}),
        (["catalog"], "l", {"list", "lint"}),
        (["--target", "x"], "--work", {"--workload"}),
        (["rules", "show"], "--j", {"--json"}),
    ],
    ids=["command", "option of the default", "own option", "sub-command", "after an option", "option of a sub-command"],
)
def test_completions(typed: list[str], incomplete: str, offered: set[str]) -> None:
    found = ShellComplete(cli, {}, "recommend", "_RECOMMEND_COMPLETE").get_completions(typed, incomplete)
    assert {item.value for item in found} == offered


@pytest.mark.parametrize("group", ["catalog", "rules", "cache"])
def test_group_without_a_word_names_the_words(run: Run, group: str) -> None:
    found = run(group)
    assert found.code == 2
    named = found.err.partition(f"`recommend {group}` needs one of ")[2].partition("\n")[0].split(", ")
    assert "list" in named and set(named) == set(cli.get_command(None, group).commands)  # type: ignore[arg-type, union-attr]
    assert f"hint: recommend {group} --help" in found.err
