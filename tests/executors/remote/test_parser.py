"""What tools print, as recorded, and what is read from it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from recommender.domain.errors import UsageError, WrongOutput
from recommender.domain.workload import METRICS
from recommender.executors.remote.parser import Parser, names, parser, read

RECORDED = Path(__file__).with_name("recorded")
EXPECTED = {
    "hailortcli-run.txt": ("hailortcli", {"throughput": 217.34}, {}),
    "hailortcli-benchmark.txt": ("hailortcli", {"throughput": 218.078, "latency": 0.0128354}, {}),
    "trtexec.txt": ("trtexec", {"throughput": 3716.81, "latency": 0.179932e-3}, {}),
    "benchmark_model.txt": ("benchmark_model", {"latency": 0.0332094, "peak_memory": 12.8672 * 2**20}, {"load_time": 855e-6, "first_call": 0.04906}),
    "rknn_eval_perf.txt": ("rknn_eval_perf", {"latency": 7140e-6}, {}),
    "llama-bench.md": ("llama-bench", {"prefill_rate": 2368.80, "decode_rate": 131.42}, {}),
    "onnxruntime_perf_test.txt": (
        "onnxruntime_perf_test", {"latency": 0.144871, "throughput": 6.90055, "peak_memory": 158171136.0}, {"load_time": 0.127918, "first_call": 0.161},
    ),
}


def recorded(name: str) -> str:
    return (RECORDED / name).read_text("utf-8")


@pytest.mark.parametrize("name", EXPECTED)
def test_recorded_output_is_read(name: str) -> None:
    tool, samples, cold = EXPECTED[name]
    found = read(parser(tool), recorded(name))
    assert {metric: values[0] for metric, values in found.samples.items()} == pytest.approx(samples)
    assert all(len(values) == 1 for values in found.samples.values()) and not found.single_calls
    assert dict(found.cold) == pytest.approx(cold)


def test_every_call_is_a_sample_where_every_call_is_printed() -> None:
    found = read(parser("rknn_benchmark"), recorded("rknn_benchmark.txt"))
    assert found.samples["latency"] == pytest.approx([0.00411, 0.00413, 0.0041, 0.00416])  # without the warm-up
    assert found.single_calls == {"latency"} and found.samples["throughput"] == [242.424]


def test_samples_of_json() -> None:
    found = read(parser("llama-bench"), recorded("llama-bench.json"))
    assert found.samples["prefill_rate"] == [6863.1, 7147.55, 7136.37, 7115.79, 7237.21]
    assert found.samples["decode_rate"] == [119.03, 120.178, 119.43, 118.307, 117.464]
    assert found.version == "8cf427ff"
    lines = "\n".join(json.dumps(row) for row in json.loads(recorded("llama-bench.json")))
    assert read(parser("llama-bench"), lines).samples == found.samples


def test_percentiles_that_a_tool_says_are_kept_as_its_own() -> None:
    found = read(parser("trtexec"), recorded("trtexec.txt"))
    assert found.printed["latency"] == pytest.approx({"p90": 0.194153e-3, "p95": 0.195312e-3, "p99": 0.197144e-3})
    assert read(parser("benchmark_model"), recorded("benchmark_model.txt")).printed == {}


@pytest.mark.parametrize(("text", "seconds"), [("294.17 us", 294.17e-6), ("2.92 ms", 0.00292)])
def test_the_unit_is_the_printed_one(text: str, seconds: float) -> None:
    assert read(parser("benchmark_app"), f"[ INFO ]    Median:        {text}\n").samples["latency"] == pytest.approx([seconds])


@pytest.mark.parametrize("name", names())
def test_what_is_not_its_output_is_refused_with_the_last_line(name: str) -> None:
    with pytest.raises(WrongOutput, match="`Segmentation fault at 0x12`"):
        read(parser(name), "Loading model\nSegmentation fault at 0x12\n\n")


@pytest.mark.parametrize("name", names())
def test_parsers_are_complete(name: str) -> None:
    found = parser(name)
    assert found.what and {row.metric for row in found.rows} <= set(METRICS)
    assert name == "benchmark_app" or any(tool == name for tool, _, _ in EXPECTED.values()) or name == "rknn_benchmark"


def test_progress_lines_that_overwrite_themselves() -> None:
    assert read(parser("hailortcli"), "Network a/a: 50% | FPS: 10.00\rNetwork a/a: 100% | FPS: 20.00\r").samples["throughput"] == [20.0]


# --- the user's own ----------------------------------------------------------------------------------------------------

OWN = 'what = "mytool"\n[[row]]\nmetric = "latency"\npattern = \'took (?P<value>\\S+) (?P<unit>\\w+)\'\n'


def own(tmp_path: Path, text: str) -> Parser:
    path = tmp_path / "mytool.toml"
    path.write_text(text, "utf-8")
    return parser(str(path))


def test_a_parser_of_ones_own(tmp_path: Path) -> None:
    assert read(own(tmp_path, OWN), "took 5 ms").samples["latency"] == [0.005]
    with pytest.raises(WrongOutput, match="took 5 furlongs"):
        read(own(tmp_path, OWN), "took 5 furlongs")


@pytest.mark.parametrize(("change", "words"), [
    (("latency", "speed"), "unknown metric `speed`"),
    (("(?P<unit>\\w+)", "x"), "needs a group `value`, and a unit"),
    (("(?P<value>", "("), "needs a group `value`"),
    (("took (", "took (("), "wrong"),
    (("[[row]]", "[[line]]"), "'row' is missing"),
    (("metric", "unknown = 1\nmetric"), "unknown"),
    (("what", "what = ["), "wrong"),
    (("metric", "take = 'first'\nmetric"), "`last` or `all`"),
])
def test_a_wrong_one_says_what_is_wrong(tmp_path: Path, change: tuple[str, str], words: str) -> None:
    with pytest.raises(UsageError) as caught:
        own(tmp_path, OWN.replace(*change))
    assert words in caught.value.message and "mytool.toml" in caught.value.message


def test_an_unknown_one_names_those_there_are() -> None:
    with pytest.raises(UsageError, match="no parser `grep` .*trtexec"):
        parser("grep")
