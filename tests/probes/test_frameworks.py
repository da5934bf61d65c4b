"""Installed frameworks from package metadata and their own lists, never by importing one here."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from probes import frameworks
from recommender.intake import questions
from recommender.intake.host import LiveHost, RecordedHost
from recommender.intake.questions import QUESTIONS, ask_children, framework_versions

OUTPUTS = Path(__file__).resolve().parents[2] / ".." / "shared" / "snapshots" / "outputs" / "frameworks"


def observed(python=None, commands=None):
    host = RecordedHost({"os": "linux", "python": python or {}, "commands": commands or {}})
    raw = frameworks.read(host)
    return frameworks.parse(raw).frameworks if raw else None


def providers(module, listed, package):
    [row] = observed({"frameworks": {package: "1.0"}, "execution_providers": {module: listed}})
    return row.execution_providers


def test_nothing_installed_is_nothing():
    assert observed() is None
    assert observed({"frameworks": {}}) is None


def test_rows_have_framework_package_and_version():
    rows = observed({"frameworks": {"mlx-lm": "0.32.2", "onnxruntime-gpu": "1.32.0", "left-pad": "1"}})
    assert [(row.framework, row.package, row.version, row.execution_providers) for row in rows] == [
        ("mlx", "mlx-lm", "0.32.2", None),
        ("onnxruntime", "onnxruntime-gpu", "1.32.0", None),
    ]


@pytest.mark.parametrize(
    ("module", "package", "listed", "expected"),
    [
        ("onnxruntime", "onnxruntime", ["AzureExecutionProvider", "CPUExecutionProvider"], ("cpu",)),
        (
            "onnxruntime", "onnxruntime-gpu", ["TensorrtExecutionProvider", "CUDAExecutionProvider", "CPUExecutionProvider"],
            ("tensorrt", "cuda", "cpu"),
        ),
        ("onnxruntime", "onnxruntime-directml", ["DmlExecutionProvider", "CPUExecutionProvider"], ("dml", "cpu")),
        ("onnxruntime", "onnxruntime", ["CoreMLExecutionProvider", "WebGpuExecutionProvider"], ("coreml", "webgpu")),
        (
            "onnxruntime", "onnxruntime-openvino",
            ["OpenVINOExecutionProvider", "OpenVINOExecutionProvider@CPU", "OpenVINOExecutionProvider@NPU",
             "CPUExecutionProvider"],
            ("openvino-npu", "cpu"),
        ),
        ("onnxruntime", "onnxruntime", ["SomethingNewExecutionProvider"], ()),
        ("onnxruntime", "onnxruntime-qnn", ["CPUExecutionProvider@CPU", "QNNExecutionProvider@NPU", "QNNExecutionProvider@GPU"],
         ("qnn-htp", "qnn-gpu")),
        ("onnxruntime", "onnxruntime-qnn", ["QNNExecutionProvider", "CPUExecutionProvider"], ("qnn-htp",)),
        ("openvino", "openvino", ["CPU", "GPU.0", "GPU.1", "NPU"], ("cpu", "openvino-gpu", "openvino-npu")),
        ("openvino", "openvino-genai", ["CPU"], ("cpu",)),
        ("llama_cpp", "llama-cpp-python", ["CUDA0", "CUDA1", "BLAS", "CPU"], ("cuda", "cpu")),
        ("llama_cpp", "llama-cpp-python", ["MTL0", "CPU"], ("metal", "cpu")),
        ("llama_cpp", "llama-cpp-python", ["Vulkan0", "SYCL0", "GPUOpenCL", "HTP0", "ROCm0", "RPC[host:1]"],
         ("vulkan", "sycl", "opencl", "hexagon", "rocm")),
        ("mlx", "mlx", ["metal", "cpu"], ("metal", "cpu")),
        ("mlx", "mlx", ["cpu"], ("cpu",)),
        ("openvino", "openvino", {"error": "no answer in 20 s"}, None),
        ("openvino", "openvino", None, None),
        ("openvino", "openvino", "CPU", None),
        ("openvino", "openvino", [7, None], ()),
    ],
)  # fmt: skip
def test_what_a_framework_lists_in_our_keys(module, package, listed, expected):
    assert providers(module, listed, package) == expected


def printed(text, code=0):
    return {"stdout": text, "stderr": "", "returncode": code}


def test_programs_on_the_path_are_rows_too():
    rows = observed(
        commands={
            "llama-server --version": printed("version: 6713 (d2ee056e)\nbuilt with cc 13.3.0 for x86_64-linux-gnu\n"),
            "llama-server --list-devices": printed("Available devices:\n  Vulkan0: Some GPU (16304 MiB, 15000 MiB free)\n"),
            "ollama --version": printed("ollama version is 0.12.3\n"),
        }
    )
    assert [(row.framework, row.package, row.version, row.execution_providers) for row in rows] == [
        ("llama-cpp", "llama-server", "6713", ("cpu", "vulkan")),
        ("llama-cpp", "ollama", "0.12.3", None),
    ]


def test_a_program_that_fails_is_no_row():
    assert observed(commands={"ollama --version": printed("", code=1)}) is None


@pytest.mark.parametrize(
    "raw",
    [
        {},
        {"packages": []},
        {"packages": "x"},
        {"packages": {"mlx": None}, "providers": 5},
        {"programs": {"ollama": 3}},
        {"programs": []},
    ],
)
def test_junk_gives_no_error_and_no_version(raw):
    assert all(isinstance(row.version, str) for row in frameworks.parse(raw).frameworks)


def test_the_list_of_a_real_mac():
    path = OUTPUTS / "m1-max_32gb.llama-list-devices.txt"
    if not path.is_file():
        pytest.skip(f"{path.name} is not beside this checkout")
    assert frameworks.providers_of_llama(path.read_text()) == ("cpu", "metal")


def test_no_device_listed_leaves_the_processor():
    assert frameworks.providers_of_llama("Available devices:\n") == ("cpu",)
    assert frameworks.providers_of_llama("error: unknown argument") is None


def test_every_package_that_is_asked_for_has_a_framework():
    assert set(questions.FRAMEWORK_PACKAGES) == set(frameworks.PACKAGES)


def test_versions_come_from_metadata(monkeypatch, tmp_path):
    metadata = tmp_path / "ncnn-1.2.3.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: ncnn\nVersion: 1.2.3\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    assert framework_versions()["ncnn"] == "1.2.3"


def test_children_answer_fail_hang_and_babble_each_for_itself():
    here = {"json": "providers, devices = ['a'], None", "re": "raise ValueError('odd')", "os": "import time; time.sleep(30)",
            "sys": "print('noise'); providers, devices = [], {'x': object}", "math": "import os; os._exit(7)",
            "no_such_module_here": "providers = devices = None"}  # fmt: skip
    found = ask_children(here, timeout=2.0)
    assert found["json"] == {"providers": ["a"], "devices": None}
    assert "odd" in found["re"]["error"] and "2 s" in found["os"]["error"] and "7" in found["math"]["error"]
    assert found["sys"]["providers"] == [] and "no_such_module_here" not in found


def test_no_framework_is_loaded_into_this_process():
    modules = ("onnxruntime", "openvino", "llama_cpp", "mlx")
    program = (
        "import sys; from recommender.intake.questions import QUESTIONS; from recommender.intake.host import LiveHost;"
        "from probes import frameworks; host = LiveHost(QUESTIONS); frameworks.parse(frameworks.read(host) or {});"
        f"print([name for name in {modules!r} if name in sys.modules])"
    )
    root = Path(frameworks.__file__).resolve().parents[1]
    done = subprocess.run([sys.executable, "-c", program], cwd=root, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("package", ["onnxruntime", "openvino", "llama-cpp-python", "mlx"])
def test_what_is_installed_here_offers_the_processor(package):
    host = LiveHost(QUESTIONS)
    rows = {row.package: row for row in frameworks.parse(frameworks.read(host) or {}).frameworks}
    if package not in rows:
        pytest.skip(f"{package} is not installed")
    assert rows[package].version
    assert "cpu" in (rows[package].execution_providers or ())
