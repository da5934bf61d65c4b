from __future__ import annotations

import pytest

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
