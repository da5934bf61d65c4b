"""README shows a real answer, names commands and counts that exist, and says what was never tried."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[1]
README = (PROJECT / "README.md").read_text("utf-8")
CONSOLE = re.search(r"```console\n\$ recommend (.+?)\n(.*?)```", README, re.DOTALL)


def run(arguments):
    return subprocess.run([sys.executable, "-m", "recommender", *arguments], cwd=PROJECT, capture_output=True, text=True, timeout=120, check=False)


def test_the_answer_shown_is_the_answer_given():
    assert CONSOLE is not None
    done = run(shlex.split(CONSOLE[1]))
    assert done.returncode == 0, done.stderr
    given = set(" ".join(done.stdout.split()).split("    ")) | {" ".join(line.split()) for line in done.stdout.splitlines()}
    text = " ".join(done.stdout.split())
    for line in CONSOLE[2].splitlines():
        assert not line.strip() or " ".join(line.split()) in given or " ".join(line.split()) in text, f"not in the answer: {line}"


@pytest.mark.parametrize("command", sorted(set(re.findall(r"^recommend ([a-z]+)\b", README, re.MULTILINE))))
def test_commands_named_exist(command):
    assert run([command, "--help"]).returncode == 0


def test_counts_named_are_the_catalogue_s(catalog):
    machines, devices = re.search(r"(\d+) machines and (\d+) devices", README).groups()
    assert (int(machines), int(devices)) == (len(catalog.machines), len(catalog.devices))


def test_make_targets_named_exist():
    makefile = (PROJECT / "Makefile").read_text("utf-8")
    for target in re.findall(r"^make (\w+)", README, re.MULTILINE):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE)


def test_what_was_never_tried_is_named():
    section = README.split("## Never run on the real thing")[1]
    for name in ("macOS", "Windows", "Android", "Neural Engine", "Hexagon", "Intel", "XDNA", "Rockchip", "Edge TPU", "Hailo"):
        assert name in section
