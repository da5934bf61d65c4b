"""Every recorded output of the macOS, Android, Windows and board folders gives the facts that it shows."""

from __future__ import annotations

import importlib

import pytest

from recommender.domain.fingerprint import Observation
from tests.probes.outputs_table import ANDROID, FOLDERS, MACOS, OUTPUTS, Output, shortfalls
from tests.probes.outputs_table_windows_boards import BOARDS, WINDOWS

pytestmark = pytest.mark.skipif(not OUTPUTS.is_dir(), reason=f"no recorded outputs beside the checkout ({OUTPUTS.name}/)")
TABLE = (*MACOS, *ANDROID, *WINDOWS, *BOARDS)
READ_ELSEWHERE = (".cpuinfo", ".cpuinfo.txt", ".meminfo.txt")  # the probes of /proc read these


def observe(output: Output) -> Observation:
    data = (OUTPUTS / output.file).read_bytes()
    if output.line is not None:
        data = data.splitlines()[output.line]
    observation: Observation = importlib.import_module(f"probes.{output.probe}").parse({"output": data})
    return observation


def label(output: Output) -> str:
    return f"{output.probe}-{output.file}" + (f":{output.line}" if output.line is not None else "")


@pytest.mark.parametrize("output", TABLE, ids=label)
def test_output_gives_the_facts_it_shows(output: Output) -> None:
    assert shortfalls(observe(output), output) == []


@pytest.mark.parametrize("output", TABLE, ids=label)
def test_line_ends_and_encoding_do_not_matter(output: Output) -> None:
    text = (OUTPUTS / output.file).read_bytes().decode("utf-8")
    if output.line is not None:
        text = text.splitlines()[output.line]
    windows_text = text.replace("\r\n", "\n").replace("\n", "\r\n")
    parse = importlib.import_module(f"probes.{output.probe}").parse
    assert shortfalls(parse({"output": windows_text.encode("utf-16")}), output) == []
    assert shortfalls(parse({"output": b"\xef\xbb\xbf" + windows_text.encode("utf-8")}), output) == []


@pytest.mark.parametrize("output", TABLE, ids=label)
def test_a_cut_output_never_raises(output: Output) -> None:
    data = (OUTPUTS / output.file).read_bytes()
    parse = importlib.import_module(f"probes.{output.probe}").parse
    for part in range(0, len(data), max(1, len(data) // 23)):
        assert isinstance(parse({"output": data[:part]}), Observation)
        assert isinstance(parse({"output": data[part:]}), Observation)


def test_every_file_is_in_the_table() -> None:
    listed = {output.file for output in TABLE}
    there = {f"{folder}/{path.name}" for folder in FOLDERS for path in (OUTPUTS / folder).iterdir()}
    unread = {file for file in there - listed if not file.endswith(READ_ELSEWHERE)}
    assert unread == set()


def test_how_many_outputs_give_their_facts(capsys: pytest.CaptureFixture[str]) -> None:
    good = sum(not shortfalls(observe(output), output) for output in TABLE)
    files = len({output.file for output in TABLE})
    with capsys.disabled():
        print(f"\n{good} of {len(TABLE)} readings of {files} recorded outputs ({', '.join(FOLDERS)}) give the stated facts")
    assert good == len(TABLE)
