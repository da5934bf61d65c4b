"""`recommend predict`: rows of published tables in, numbers with intervals out."""

from __future__ import annotations

import csv
import io
import json
import time
from pathlib import Path

import pytest

from recommender.compose import estimators
from recommender.predict.batch import WHY, Row, answered

LANGUAGE = "device,soc_or_cpu_or_gpu,vendor,memory_bandwidth_gb_s,compute_unit,threads,framework,backend,model,params_b,quant,file_size_gib,context_or_test,decode_tok_s"
KNOWN = "RTX 4090,NVIDIA GeForce RTX 4090,NVIDIA,,gpu,,llama.cpp,CUDA,Llama 2 7B,6.74,Q4_0,3.56,pp512 tg128,1"
STRANGE = "Nobody's Board 9,Unheard-of Chip,Nobody,68,cpu,4,llama.cpp,,my-model-3B,3.0,Q4_K_M,,tg128,1"
GRAPH = "model,base_model,component,params_m,input,precision,device,chipset,silicon_group,os,form_factor,runtime,inference_ms"
UNIT = "mobilenet_v2,mobilenet_v2,MobileNet-v2,3.49,224x224,w8a8,Samsung Galaxy S24,qualcomm-snapdragon-8gen3,sm8650,Android 14,Phone,tflite,1"


def _rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


@pytest.fixture()
def cases(tmp_path: Path) -> Path:
    path = tmp_path / "cases.csv"
    path.write_text("\n".join([LANGUAGE, KNOWN, STRANGE, "x,,,,,,llama.cpp,,Llama 2 7B,,Q4_0,,,", "too,short", ""]), "utf-8")
    return path


def test_rows_are_answered_in_their_order(run, cases, tmp_path):
    found = run("predict", str(cases), "-o", str(tmp_path / "out.csv"), "--no-evidence")
    assert found.code == 0 and found.out == ""
    known, strange, nameless, short = _rows((tmp_path / "out.csv").read_text("utf-8"))
    low, rate, high = (float(known[f"predicted_decode_tok_s{end}"]) for end in ("_low", "", "_high"))
    assert 60 < low < rate < high < 300 and known["predicted_decode_tok_s_basis"] == "calibrated" and known["decode_tok_s"] == "1"
    assert 0 < float(strange["predicted_decode_tok_s"]) < 68 / 1.7 and float(strange["predicted_quality_drop_pct"]) > 0
    assert not nameless["predicted_decode_tok_s"] and "unit" in nameless[WHY]
    assert short[WHY] == "it has 2 fields, the header 14"


def test_what_is_measured_in_the_file_changes_nothing(run, cases, tmp_path):
    run("predict", str(cases), "-o", str(tmp_path / "first.csv"), "--no-evidence")
    cases.write_text(cases.read_text("utf-8").replace("tg128,1", "tg128,987654"), "utf-8")
    run("predict", str(cases), "-o", str(tmp_path / "second.csv"), "--no-evidence")
    first, second = ((tmp_path / name).read_text("utf-8") for name in ("first.csv", "second.csv"))
    assert second == first.replace("tg128,1", "tg128,987654")


def test_a_graph_tells_its_parts_apart(run, tmp_path):
    path = tmp_path / "cases.csv"
    path.write_text("\n".join([GRAPH, UNIT, UNIT.replace("w8a8", "float"), UNIT.replace("tflite", "no-such-runtime")]), "utf-8")
    run("predict", str(path), "-o", str(tmp_path / "out.csv"), "--no-evidence")
    quantized, plain, unknown = _rows((tmp_path / "out.csv").read_text("utf-8"))
    assert 0.05 < float(quantized["predicted_inference_ms"]) < 3 and float(quantized["predicted_peak_mem_mb"]) > 0
    assert float(quantized["predicted_inference_ms"]) != float(plain["predicted_inference_ms"])
    assert "no-such-runtime" in unknown[WHY] and not unknown["predicted_inference_ms"]


def test_anchors_make_a_device_known(run, tmp_path):
    cases, anchors = tmp_path / "cases.csv", tmp_path / "anchors.csv"
    strange = UNIT.replace("Samsung Galaxy S24,qualcomm-snapdragon-8gen3,sm8650", "Phone 99,chip-99,sm9999")
    cases.write_text("\n".join([GRAPH, strange]), "utf-8")
    anchors.write_text("\n".join([GRAPH, *(strange.replace("tflite,1", f"{runtime},50") for runtime in ("tflite", "qnn_dlc", "onnx"))]), "utf-8")
    for name, more in (("without", ()), ("with", ("--anchors", str(anchors)))):
        assert run("predict", str(cases), "-o", str(tmp_path / f"{name}.csv"), "--no-evidence", *more).code == 0
    without, anchored = (float(_rows((tmp_path / f"{name}.csv").read_text("utf-8"))[0]["predicted_inference_ms"]) for name in ("without", "with"))
    assert anchored > 5 * without


def test_streams_and_the_summary(run, cases, tmp_path):
    found = run("predict", str(cases), "-o", "-", "--no-evidence")
    assert found.code == 0 and len(_rows(found.out)) == 4
    told = json.loads(run("predict", str(cases), "-o", str(tmp_path / "out.csv"), "--no-evidence", "--json").out)
    assert told["rows"] == 4 and told["predicted"]["predicted_decode_tok_s"] == 2 and sum(told["why_unknown"].values()) >= 2
    assert run("predict", str(cases), "-o", "-", "--json").code == 2


@pytest.mark.parametrize(("arguments", "words"), [(("absent.csv", "-o", "x.csv"), "absent.csv"), (("{cases}", "-o", "absent/x.csv"), "absent"), (("{cases}", "-o", "{folder}", "--anchors", "{cases}x"), "casesx")])
def test_bad_input_is_refused_by_name(run, cases, tmp_path, arguments, words):
    filled = [each.replace("{cases}x", str(tmp_path / "casesx")).replace("{cases}", str(cases)).replace("{folder}", str(tmp_path / "o.csv")) for each in arguments]
    found = run("predict", *filled, "--no-evidence")
    assert found.code == 2 and words in found.err and "hint:" in found.err


def test_a_thousand_rows_take_a_fraction_of_a_second():
    """Ten times the time that 20 000 rows a second would take: a guard against work that is done anew for each row, not a measurement."""
    both = estimators((), (), print, is_local=False)
    header, unit = LANGUAGE.split(","), GRAPH.split(",")
    rows = [Row(values=dict(zip(header, KNOWN.replace("6.74", f"{6 + i / 997:.4f}").split(","), strict=True))) for i in range(500)]
    rows += [Row(values=dict(zip(unit, UNIT.replace("3.49", f"{3 + i / 997:.4f}").split(","), strict=True))) for i in range(500)]
    list(answered(rows[:1] + rows[-1:], both))
    began = time.process_time()
    assert all(answers.get("predicted_decode_tok_s") or answers.get("predicted_inference_ms") for _, answers in answered(rows, both))
    assert time.process_time() - began < 10 * len(rows) / 20_000
