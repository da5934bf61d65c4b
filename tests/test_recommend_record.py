"""The stand-alone recorder: same scrubbing, same format, and it reads all that the probes ask for."""

from __future__ import annotations

import importlib
import inspect
import json
import os
import pkgutil
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import probes as probe_package
from probes import recommend_record as recorder
from recommender.intake import scrub
from recommender.intake.host import LiveHost, RecordedHost
from recommender.intake.questions import FRAMEWORK_PACKAGES, QUESTIONS
from recommender.intake.record import load_recording, observe_recording
from recommender.intake.run import observe
from recommender.intake.static_cache import live_host
from recommender.ports import Completed, Platform

SCRIPT = Path(recorder.__file__)
LINE = "# ====="


def all_probes():
    modules = [importlib.import_module(f"probes.{found.name}") for found in pkgutil.iter_modules(probe_package.__path__)]
    return [module for module in modules if hasattr(module, "read") and hasattr(module, "parse")]


# --- the drift guard -------------------------------------------------------------------------------------------------


def fits(pattern, asked):
    start = "/sys/fs/cgroup(?:/.*)?" if pattern.startswith("@group") else ""
    steps = pattern[6 if start else 0 :].split("*")
    return re.fullmatch(start + "[^/]*".join(map(re.escape, steps)), asked) is not None


def covered(kind, asked):
    if kind == "commands":
        return any(asked == tuple(argv) for commands in recorder._COMMANDS.values() for argv in commands)
    patterns = recorder.MANIFEST[kind]
    if kind == "exists":
        known = [*patterns, *recorder.MANIFEST["files"], *recorder.MANIFEST["dirs"], *recorder.MANIFEST["links"]]
        return any(fits(pattern, asked) for pattern in known)
    return any(fits(pattern, asked.rstrip("/") or "/") for pattern in patterns)


SAMPLES = {
    "/sys/bus/pci/devices": ("0000:00:02.0", "0000:01:00.0", "0000:02:00.0", "0000:03:00.0"),
    "/proc/device-tree": ("soc@0", "gpu@1", "model", "compatible"),
    "/sys/firmware/devicetree/base": ("soc", "axi"),
    "/dev": ("accel", "apex_0", "hailo0", "dri", "null"),
}
PCI = {  # one of each kind that a probe looks at more closely: two GPUs, an NPU of each maker
    "0000:00:02.0": "PCI_CLASS=30000\nPCI_ID=8086:9A49\nDRIVER=i915\n",
    "0000:01:00.0": "PCI_CLASS=30000\nPCI_ID=1002:744C\nDRIVER=amdgpu\n",
    "0000:02:00.0": "PCI_CLASS=118000\nPCI_ID=1022:1502\nDRIVER=amdxdna\n",
    "0000:03:00.0": "PCI_CLASS=120000\nPCI_ID=8086:7D1D\nDRIVER=intel_vpu\n",
}
TEXTS = {
    "/proc/cpuinfo": "processor\t: 0\nvendor_id\t: GenuineIntel\nmodel name\t: X\n",
    "/proc/self/cgroup": "0::/a.slice/b.scope\n",
    "/proc/self/mountinfo": "30 23 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n",
    "/etc/nv_tegra_release": "# R36 (release), REVISION: 4.3",
}


class AskedHost:
    """A live host on which there is something wherever a probe looks (`full`), or nothing; keeps what it was asked."""

    is_live = True

    def __init__(self, system, full):
        self.system, self.full = system, full
        self.asked: set[tuple[str, object]] = set()

    def platform(self):
        return Platform(os=self.system, architecture="x86_64")

    def read_text(self, path):
        self.asked.add(("files", path))
        if not self.full:
            return None
        parent, _, name = path.rpartition("/")
        return PCI.get(parent.rpartition("/")[2], "1\n") if name == "uevent" else TEXTS.get(path, "1\n")

    def list_dir(self, path):
        self.asked.add(("dirs", path))
        if not self.full:
            return ()
        patterns = [pattern for kind in ("files", "dirs", "links") for pattern in recorder.MANIFEST[kind]]
        below = {pattern[len(path) + 1 :].split("/")[0] for pattern in patterns if pattern.startswith(path + "/")}
        return tuple(sorted({*SAMPLES.get(path, ()), *(name.replace("*", "0") for name in below), "other0"}))

    def exists(self, path):
        self.asked.add(("exists", path))
        return self.full

    def read_link(self, path):
        self.asked.add(("links", path))
        return "../../drivers/some" if self.full else None

    def run(self, argv, timeout=5.0):
        self.asked.add(("commands", tuple(argv)))
        return Completed(stdout="text", returncode=0) if self.full else Completed(stdout="", returncode=127)

    def python(self, question):
        return None


def missing_from_manifest(host):
    for probe in all_probes():
        if not probe.platforms or host.system in probe.platforms:
            probe.read(host)
    return sorted(f"{kind}: {asked}" for kind, asked in host.asked if not covered(kind, asked))


@pytest.mark.parametrize("full", [True, False])
@pytest.mark.parametrize("system", ["linux", "android", "macos", "windows"])
def test_all_that_the_probes_ask_for_is_in_the_manifest(system, full):
    host = AskedHost(system, full)
    missing = missing_from_manifest(host)
    assert host.asked
    assert not missing, "add to MANIFEST or _COMMANDS of probes/recommend_record.py:\n" + "\n".join(missing)


def test_the_guard_sees_what_is_not_there():
    assert not covered("files", "/etc/shadow") and not covered("files", "/sys/devices/system/cpu/cpu0/deep/er/online")
    assert not covered("commands", ("lsusb", "-v")) and not covered("dirs", "/home")
    assert covered("files", "/sys/fs/cgroup/memory/x/y/memory.max") and covered("files", "/sys/devices/system/cpu/cpu12/online")


def test_all_that_this_machine_is_asked_is_in_the_manifest():
    class Watching(LiveHost):
        system = LiveHost().platform().os
        asked: set[tuple[str, object]] = set()

        def read_text(self, path):
            self.asked.add(("files", path))
            return super().read_text(path)

        def list_dir(self, path):
            self.asked.add(("dirs", path))
            return super().list_dir(path)

        def read_link(self, path):
            self.asked.add(("links", path))
            return super().read_link(path)

    assert missing_from_manifest(Watching()) == []


# --- same as the program's own recorder ------------------------------------------------------------------------------


def test_the_scrubbing_is_word_for_word_the_same():
    shared = inspect.getsource(scrub).partition(LINE)[2].partition("\n")[2].strip()
    assert len(shared) > 2000 and shared in SCRIPT.read_text()


def test_it_asks_for_the_same_packages():
    assert set(recorder.FRAMEWORK_PACKAGES) == set(FRAMEWORK_PACKAGES)


def test_braces_stand_for_each():
    assert set(recorder.braced("/a{,/b}/{c,d/{e,f}}")) == {f"/a{x}/{y}" for x in ("", "/b") for y in ("c", "d/e", "d/f")}


def test_the_groups_of_a_process_are_looked_for_with_and_without_what_is_mounted():
    found = recorder.group_folders("0::/outer/inner\n")
    assert {"/sys/fs/cgroup", "/sys/fs/cgroup/outer/inner", "/sys/fs/cgroup/inner", "/sys/fs/cgroup/*/outer"} <= set(found)
    assert not [folder for folder in recorder.group_folders("0::/../../up\n") if ".." in folder]


# --- running it ------------------------------------------------------------------------------------------------------


@pytest.fixture
def alone(tmp_path):
    """The script copied to where nothing of this project is."""
    return shutil.copy(SCRIPT, tmp_path / "recommend-record")


def run_alone(script, *arguments, interpreter=sys.executable, **variables):
    environment = {"PATH": os.environ["PATH"], "HOME": "/home/jan", **variables}
    return subprocess.run(
        [interpreter, "-I", str(script), *arguments], cwd=Path(script).parent, env=environment, capture_output=True, text=True
    )


def test_it_works_alone_and_tells_the_same_machine(alone, tmp_path):
    done = run_alone(alone, "-o", "this.json")
    assert (done.returncode, done.stdout) == (0, "")
    probes = all_probes()
    host = live_host(probes)
    assert observe_recording(tmp_path / "this.json", probes).digest == observe(host, probes).digest


def test_without_a_file_the_recording_is_the_only_thing_on_standard_output(alone):
    done = run_alone(alone)
    document = json.loads(done.stdout)
    assert document["recording_schema"] == 1 and set(document) == {
        "recording_schema", "recorder", "os", "architecture", "files", "links", "dirs", "commands", "python", "microbenchmark",
    }  # fmt: skip
    assert RecordedHost(document).platform() == LiveHost(QUESTIONS).platform()


@pytest.mark.parametrize("minor", [8, 9, 13])
def test_other_versions_of_python_run_it(alone, minor):
    interpreter = shutil.which(f"python3.{minor}")
    if interpreter is None or subprocess.run([interpreter, "-c", ""], capture_output=True).returncode:
        pytest.skip(f"there is no Python 3.{minor} here")
    assert json.loads(run_alone(alone, interpreter=interpreter).stdout)["files"]


def test_it_needs_nothing_newer_than_python_3_8():
    import ast

    ast.parse(SCRIPT.read_text(), feature_version=(3, 8))
    imported = re.findall(r"^(?:import|from) (\w+)", SCRIPT.read_text(), re.MULTILINE)
    assert set(imported) <= sys.stdlib_module_names


def test_a_file_that_cannot_be_written_is_an_error(alone):
    done = run_alone(alone, "-o", "/nowhere/at/all.json")
    assert done.returncode == 1 and "/nowhere/at/all.json" in done.stderr


# --- a phone ---------------------------------------------------------------------------------------------------------

ADB = """#!/bin/sh
echo "$*" | head -c 60 >> {log}
echo >> {log}
[ "$1" = "-s" ] && {{ [ "$2" = "PHONE1" ] || {{ echo "adb: device '$2' not found" >&2; exit 1; }}; shift 2; }}
[ "$1" = "shell" ] || exit 9
shift
script=$(printf '%s' "$*" | sed -e 's#/proc/#{root}/proc/#g; s#/sys/#{root}/sys/#g; s#/vendor/#{root}/vendor/#g')
PATH={root}/bin:/usr/bin:/bin sh -c "$script" | sed -e 's#{root}##g'
"""


@pytest.fixture
def phone(tmp_path, monkeypatch):
    root, tools = tmp_path / "phone", tmp_path / "tools"
    files = {
        "proc/cpuinfo": "processor\t: 0\nCPU implementer\t: 0x51\nCPU part\t: 0x001\nSerial\t: abc123\n",
        "proc/meminfo": "MemTotal:       11534336 kB\nMemAvailable:    5000000 kB",
        "proc/self/cgroup": "0::/top\n",
        "sys/devices/system/cpu/online": "0-7\n",
        "sys/devices/system/cpu/cpu0/cpu_capacity": "1024\n",
        "vendor/build.prop": "ro.board.platform=sun\n",
    }
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    (root / "bin").mkdir()
    (root / "bin" / "getprop").write_text("#!/bin/sh\necho '[ro.soc.model]: [SM8750]'\necho '[ro.serialno]: [R58N1]'\n")
    (root / "bin" / "uname").write_text("#!/bin/sh\necho aarch64\n")
    tools.mkdir()
    (tools / "adb").write_text(ADB.format(log=tmp_path / "calls", root=root))
    for tool in (root / "bin" / "getprop", root / "bin" / "uname", tools / "adb"):
        tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tools}:{os.environ['PATH']}")
    return tmp_path


@pytest.mark.skipif(sys.platform == "win32", reason="the stand-in for adb is a shell script")
def test_a_phone_is_recorded_through_adb(phone, alone):
    done = run_alone(alone, "--adb", "PHONE1", "-o", "phone.json")
    assert done.returncode == 0, done.stderr
    document = json.loads((phone / "phone.json").read_text())
    assert (document["os"], document["architecture"]) == ("android", "aarch64")
    assert (
        document["files"]["/proc/cpuinfo"] == "processor\t: 0\nCPU implementer\t: 0x51\nCPU part\t: 0x001\nSerial\t: SCRUBBED\n"
    )
    assert document["files"]["/proc/meminfo"].endswith("5000000 kB")
    assert document["dirs"]["/sys/devices/system/cpu"] == ["cpu0", "online"]
    assert document["files"]["/vendor/build.prop"] == "ro.board.platform=sun\n"
    assert "SM8750" in document["commands"]["getprop"]["stdout"] and "R58N1" not in json.dumps(document)
    host = load_recording(phone / "phone.json")
    assert isinstance(host, RecordedHost) and host.read_text("/sys/devices/system/cpu/online") == "0-7\n"
    assert len((phone / "calls").read_text().splitlines()) < 40


@pytest.mark.skipif(sys.platform == "win32", reason="the stand-in for adb is a shell script")
@pytest.mark.parametrize(("arguments", "words"), [(("--adb", "OTHER"), "device 'OTHER' not found")])
def test_adb_s_own_words_are_the_error(phone, alone, arguments, words):
    done = run_alone(alone, *arguments)
    assert (done.returncode, done.stdout) == (1, "") and words in done.stderr


def test_without_adb_the_error_says_so(alone):
    done = run_alone(alone, "--adb", PATH="/nonexistent")
    assert done.returncode == 1 and "adb" in done.stderr
