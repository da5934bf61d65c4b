"""Bad input: one line that names the user's words, exit code 2, nothing on standard output; one JSON object under --json."""

from __future__ import annotations

import json
import os
import shlex
import struct
from pathlib import Path

import pytest

from recommender.cli import COMMANDS
from recommender.intake.record import RECORDING_SCHEMA
from tests.cli.answers import PI
from tests.cli.conftest import Ran, Run

NEST = "[" * 3_000_000
LLAMA = ("--model", "llama-3.2-1b")
BOARD = ("--target", "raspberry-pi-5")

# words, what the message must name, what some hint must hold (empty: no hint is asked)
WORDS = [
    ((*BOARD, "--model", "no-such.gguf"), ("`no-such.gguf`",), "catalog list models"),
    ((*BOARD, "--model", "lama-3.2-1b"), ("`lama-3.2-1b`",), "recommend --model llama-3.2-1b"),
    ((*BOARD, "--model", "acme/no-such-model"), ("`acme/no-such-model`",), ""),
    ((*LLAMA, "--target", "rasberry-pi5"), ("`rasberry-pi5`", "raspberry-pi-5"), "recommend --target raspberry-pi-5"),
    ((*LLAMA, "--target", "no-such-recording.json"), ("`no-such-recording.json`",), "catalog list machines"),
    ((*PI, "--with", "lama-3.2-1b"), ("`lama-3.2-1b`",), "llama-3.2-1b"),
    ((*PI, "--need", "decode_rate>=20 furlongs"), ("`furlongs`", "tok/s"), "--need"),
    ((*PI, "--need", "decode_rate>=20"), ("decode_rate>=20", "unit"), "--need"),
    ((*PI, "--need", "peak_memory<=4 tok/s"), ("tok/s", "bytes"), "--need"),
    ((*PI, "--need", "velocity>=20 tok/s"), ("`velocity`", "decode_rate"), "--need"),
    ((*PI, "--need", "decode_rate>=nan tok/s"), ("nan",), "--need"),
    ((*PI, "--need", "faster"), ("`faster`",), "--need"),
    ((*PI, "--need", "decode_rate>=20 tok/s", "--need", "decode_rate<=10 tok/s"), ("decode_rate>=20 tok/s", "decode_rate<=10 tok/s", "contradict"), ""),
    ((*PI, "--memory", "abc"), ("--memory", "`abc`", "GiB"), "--memory 8GiB"),
    ((*PI, "--memory", "8"), ("--memory", "`8`", "unit"), "--memory 8GiB"),
    ((*PI, "--memory", "-1GiB"), ("--memory", "`-1GiB`"), ""),
    ((*PI, "--memory", "0GiB"), ("--memory", "`0GiB`"), ""),
    ((*PI, "--memory", "1e999GiB"), ("--memory", "1e999GiB"), ""),
    ((*PI, "--memory", "8 parsecs"), ("--memory", "`parsecs`"), "--memory 8GiB"),
    ((*PI, "--vram", "8GiB"), ("--vram", "raspberry-pi-5"), ""),
    ((*PI, "--sustained", "10 GiB"), ("--sustained", "GiB"), "10m"),
    ((*PI, "--set", "host.mem=8GiB"), ("`host.mem`",), ""),
    ((*PI, "--set", "host.memory_total=much"), ("host.memory_total", "`much`"), ""),
    ((*PI, "--set", "host.os=beos"), ("host.os", "`beos`", "linux"), ""),
    ((*PI, "--set", "host.os"), ("`host.os`", "ATTRIBUTE=VALUE"), "--set"),
    ((*PI, "--set", "candidate.scheme=Q8_0"), ("candidate.scheme",), "--framework"),
    ((*PI, "--set", "workload.batch=2.5"), ("workload.batch", "`2.5`"), ""),
    ((*PI, "--set", "workload.batch=2", "--batch", "2"), ("--batch", "workload.batch"), "--batch 2"),
    ((*PI, "--need", "latency<=30 ms"), ("`latency<=30 ms`", "Llama 3.2 1B", "decode_rate"), "--need"),
    ((*BOARD, "--model", "mobilenet-v2", "--need", "ttft<=1 s"), ("`ttft<=1 s`", "latency"), "--need"),
    ((*PI, "--framework", "llama.cpp"), ("`llama.cpp`", "llama-cpp"), "--framework llama-cpp"),
    ((*PI, "--without", "pytorch"), ("`pytorch`",), ""),
    ((*PI, "--framework", "mlx", "--without", "mlx"), ("`mlx`",), ""),
    ((*PI, "--workload", "chatt"), ("`chatt`", "code-completion"), "--workload chat"),
    ((*BOARD, "--workload", "chatt"), ("`chatt`", "code-completion"), ""),
    ((*BOARD, "--workload", "image-generation"), ("`image-generation`", "name a model"), "--model"),
    ((*PI, "--workload", "speech"), ("`speech`", "Llama 3.2 1B"), "--workload chat"),
    ((*PI, "--context", "10000000"), ("10000000", "131072"), "--context 131072"),
    ((*PI, "--context", "16", "--prompt-tokens", "512"), ("16",), "--context"),
    ((*PI, "--context", "0"), ("--context", "0"), ""),
    ((*PI, "--batch", "many"), ("--batch", "many"), ""),
    ((*PI, "--fps", "-1"), ("--fps",), ""),
    ((*PI, "--limit", "0"), ("--limit",), ""),
    ((*PI, "--prefer", "beauty"), ("`beauty`", "speed"), "--prefer"),
    ((*PI, "--prefer", "speed=much"), ("`much`",), "--prefer"),
    ((*PI, "--prefer", "speed=-1"), ("`speed`",), ""),
    ((*PI, "--format", "yaml"), ("yaml", "markdown"), ""),
    ((*LLAMA, *BOARD, "--today", "nonsense"), ("--today", "`nonsense`"), "--today"),
    ((*LLAMA, *BOARD, "--today", "2026-02-30"), ("`2026-02-30`",), "--today"),
    ((*PI, "--no-such-option"), ("--no-such-option",), "--help"),
    ((*PI, "superfluous"), ("superfluous",), "--help"),
    ((*PI, "--catalog", "no-such-folder"), ("no-such-folder",), ""),
    (("advize",), ("`advize`", "advise"), "--help"),
    (("explain", "--why", "1", "--nonsense"), ("--nonsense",), "recommend explain --help"),
    (("diff", "one"), ("NEW",), "recommend diff --help"),
    (("frameworks", "--target", "zyx"), ("`zyx`",), "catalog list machines"),
]


def assert_one_line(ran: Ran, named: tuple[str, ...], hint: str) -> None:
    lines = ran.err.splitlines()
    assert (ran.code, ran.out) == (2, ""), ran.err
    assert lines[0].startswith("error: ") and all(line.startswith("hint: ") for line in lines[1:])
    assert [words for words in named if words not in lines[0]] == []
    assert hint in "\n".join(lines[1:])


def assert_one_object(ran: Ran, named: tuple[str, ...]) -> None:
    assert (ran.code, ran.err, ran.out.count("\n")) == (2, "", 1)
    assert set(ran.document) == {"error"} and set(ran.document["error"]) == {"code", "message", "hints"}
    assert [words for words in named if words not in ran.document["error"]["message"]] == []


@pytest.mark.parametrize(("words", "named", "hint"), WORDS, ids=lambda value: " ".join(value)[-60:] if isinstance(value, tuple) else "")
def test_words_that_mean_nothing(run: Run, words: tuple[str, ...], named: tuple[str, ...], hint: str) -> None:
    assert_one_line(run(*words), named, hint)
    assert_one_object(run(*words, "--json"), named)


@pytest.mark.parametrize("words", [row[0] for row in WORDS if row[2]], ids=lambda value: " ".join(value)[-60:])
def test_hints_name_commands_and_options_that_exist(run: Run, words: tuple[str, ...]) -> None:
    from recommender.cli import cli

    for hint in run(*words, "--json").document["error"]["hints"]:
        said = shlex.split(hint)
        assert said[0] == "recommend"
        name = said[1] if said[1] in COMMANDS else "advise"
        command = cli.get_command(None, name)  # type: ignore[arg-type]
        while said[2:] and said[2] in getattr(command, "commands", {}):
            command = command.commands[said.pop(2)]  # type: ignore[union-attr]
        known = {option for parameter in command.params for option in parameter.opts} | {"--help", "--version"}  # type: ignore[union-attr]
        assert [option for option in said if option.startswith("--") and option not in known] == []


def safetensors_with_a_huge_header(folder: Path) -> Path:
    (folder / "config.json").write_text(json.dumps({"model_type": "llama", "architectures": ["LlamaForCausalLM"]}))
    (folder / "model.safetensors").write_bytes(struct.pack("<Q", 2**60) + b"{}")
    return folder / "model.safetensors"


def safetensors_with_a_huge_header_alone(folder: Path) -> Path:
    path = safetensors_with_a_huge_header(folder)
    (folder / "config.json").unlink()
    return path


def truncated_gguf(folder: Path) -> Path:
    (folder / "cut.gguf").write_bytes(b"GGUF" + struct.pack("<IQQ", 3, 291, 24))
    return folder / "cut.gguf"


def picture_called_onnx(folder: Path) -> Path:
    (folder / "photo.onnx").write_bytes(b"\xff\xd8\xff\xe0\x00\x10JFIF\x00" + bytes(range(256)))
    return folder / "photo.onnx"


def nested_config(folder: Path) -> Path:
    (folder / "config.json").write_text(NEST)
    return folder


def empty_file(folder: Path) -> Path:
    (folder / "empty.gguf").touch()
    return folder / "empty.gguf"


MODELS = [
    (safetensors_with_a_huge_header, "header claims"), (safetensors_with_a_huge_header_alone, "header claims"), (truncated_gguf, "ends early"), (picture_called_onnx, "JPEG"), (nested_config, "nested too deeply"), (empty_file, ""),
]


@pytest.mark.parametrize(("made", "told"), MODELS, ids=lambda value: getattr(value, "__name__", ""))
def test_model_files_that_are_broken(run: Run, tmp_path: Path, made, told: str) -> None:
    path = str(made(tmp_path))
    assert_one_line(run("--model", path, *BOARD), (path, told), "recommend")
    assert_one_object(run("--model", path, *BOARD, "--json"), (path, told))


RECORDINGS = [
    (NEST, "nested too deeply"), ("{", "JSON"), ("[]", ""), ('{"recording_schema": 999}', "newer"), ("{}", "recording_schema"),
    (json.dumps({"recording_schema": RECORDING_SCHEMA, "files": 3}), "`files`"), ('{"schema_version": 999, "devices": []}', "newer"), ("\x00\x01", ""),
]


@pytest.mark.parametrize(("text", "told"), RECORDINGS, ids=lambda value: value[:24])
def test_recordings_that_are_broken(run: Run, tmp_path: Path, text: str, told: str) -> None:
    path = tmp_path / "machine.json"
    path.write_text(text)
    for words in (("--target", str(path), *LLAMA), ("probe", "--target", str(path)), ("frameworks", "--target", str(path))):
        assert_one_line(run(*words), (str(path), told), "")
        assert_one_object(run(*words, "--json"), (str(path), told))


OVERLAYS = [
    ("machines/x.toml", '[[machine]]\nkey = "x"\nbogus = 3\n', 3, "`bogus`"),
    ("machines/x.toml", '[[machine]]\nkey = \n', 2, ""),
    ("strange/x.toml", "[[thing]]\n", 1, "machines"),
]


@pytest.mark.parametrize(("name", "text", "line", "told"), OVERLAYS)
def test_an_overlay_that_is_wrong_is_named_with_its_line(run: Run, tmp_path: Path, name: str, text: str, line: int, told: str) -> None:
    file = tmp_path / name
    file.parent.mkdir()
    file.write_text(text)
    assert_one_line(run(*PI, "--catalog", str(tmp_path)), (f"{file}:{line}: ", told), "")
    assert_one_object(run(*PI, "--catalog", str(tmp_path), "--json"), (f"{file}:{line}: ", told))


@pytest.mark.parametrize("form", ["text", "markdown", "html"])
def test_output_into_a_missing_folder_writes_nothing(run: Run, tmp_path: Path, form: str) -> None:
    target = tmp_path / "none" / "answer"
    assert_one_line(run(*PI, "--format", form, "--output", str(target)), (str(target),), "")
    assert_one_object(run(*PI, "--json", "--output", str(target)), (str(target),))
    assert os.listdir(tmp_path) == []


def test_format_json_makes_errors_json_too(run: Run) -> None:
    for words in (("--format", "json"), ("--format=json",)):
        assert_one_object(run(*PI, *words, "--memory", "8"), ("`8`",))
