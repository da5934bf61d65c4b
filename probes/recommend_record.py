#!/usr/bin/env python3
"""Record what the probes of `recommend` read of this machine, or of a phone behind adb, without installing anything.

    python3 recommend_record.py [-o FILE]              this machine
    python3 recommend_record.py --adb [SERIAL] [-o FILE]   an Android device through `adb shell`

One file, standard library only, Python 3.8 and later. It reads the files and runs the commands of MANIFEST, starts nothing else
and sends nothing anywhere. Serial numbers, addresses, and names of hosts and users are taken out before anything is written.
`recommend --target FILE` reads the result.
"""

from __future__ import annotations

import argparse
import getpass
import glob
import json
import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

PARTS = ("files", "links", "dirs", "commands", "python")
MAX_TEXT = 4 << 20  # bytes of a file or of a command's output that are kept
BATCH = 2500  # characters of one command line for `adb shell`; old devices cut longer ones

# =====================================================================================================================
SCRUBBED = "SCRUBBED"
_PRIVATE_WORD = (
    r"serial[ _-]?(?:no|num|number)?|serialno|uuid|udid|imei\d?|meid|iccid|imsi|asset[ _-]?tag|host[ _-]?name|computer[ _-]?name"
    r"|csname|dnshostname|systemname|pscomputername|user[ _-]?name|registered[ _-]?user|owner|process[ _-]?name"
    r"|mac[ _-]?addr(?:ess)?|bd[ _-]?addr|ssid|bssid|android[ _-]?id|ecid|machine-id|cplc|msisdn|phone[ _-]?number"
)
# A key that ends in a private word, then its value: `key: v`, `key = v`, `"key": "v"`, `[a.key]: [v]`, `<key>v</key>`.
_KEY_VALUE = re.compile(
    r"(?im)((?:^|[\s\"'\[<{,;._(])(?:[\w.]*?[._ -]|[a-z]+)?(?:" + _PRIVATE_WORD + r")"
    r"(?:[ _-]?\(?(?:system|board|chassis|gpu|id)\)?)?"
    r"(?:\"\s*:\s*\"|'\s*:\s*'|\]\s*:\s*\[|[ \t]*[:=][ \t]*\"?|\t+|>))"
    r"([^\"'\])<>\r\n]+)"
)
_KEY_NUMBER = re.compile(r"(?i)(\"[\w .-]*(?:" + _PRIVATE_WORD + r")\"\s*:\s*)\d+")
_ANDROID = re.compile(
    r"(?m)^(\[(?:gsm|ril|net|dhcp|wifi|wlan|bluetooth|vendor\.ril|persist\.(?:radio|vendor\.radio|sys\.(?:locale|timezone)))\."
    r"?[^\]\n]*\]: \[)[^\]\n]+"
)
_SHAPES = (
    # UUIDs, but not the identifiers of device classes, which are the same on every machine.
    (
        re.compile(r"(?i)[0-9a-f]{8}([-_])[0-9a-f]{4}\1[0-9a-f]{4}\1[0-9a-f]{4}\1(?!08002be10318)[0-9a-f]{12}(?![0-9a-f])"),
        SCRUBBED,
    ),
    (re.compile(r"(?i)(?<![0-9a-f:-])[0-9a-f]{2}([:-])(?:[0-9a-f]{2}\1){4,6}[0-9a-f]{2}(?![0-9a-f:-])"), SCRUBBED),
    (re.compile(r"(?i)(?<![\w:])(?:fe80|fd[0-9a-f]{2}|2[0-9a-f]{3}):(?:[0-9a-f]{0,4}:){2,6}[0-9a-f]{0,4}(?![\w:])"), SCRUBBED),
    (re.compile(r"(?i)(VID_[0-9A-F]{4}&PID_[0-9A-F]{4}(?:&MI_[0-9A-F]{2})?\\+)[^\"'\s,;<]+"), r"\g<1>" + SCRUBBED),
)
_HOME = re.compile(r"(?i)((?:/home/|/Users/|[A-Z]:\\+Users\\+))[^/\\\s\"':;,<>]+")
_IPV4 = re.compile(r"(?<![\w.-])(?:\d{1,3}\.){3}\d{1,3}(?![\w-]|\.\d)")
_VERSION_BEFORE = re.compile(
    r"(?i)(?:(?:version|driver|firmware|release|build|revision)[\w\"'\]>)]*[\s:=\"'\[(>]*|\b(?:v|ver|rev|fw)[.:\s]*)$"
)
_COMMON_NAMES = frozenset(
    "root user admin administrator guest default localhost localdomain linux android windows macos darwin ubuntu debian fedora"
    " arch alpine vm runner builder docker container system shell server desktop laptop".split()
)
_MOUNTS = r"cgroup|(?:^| )/ / | / [a-z0-9]+ r[ow]"  # control groups, and the root
_REDUCED = {"/mountinfo": _MOUNTS, "/mounts": _MOUNTS, "/self/status": "_allowed", "SurfaceFlinger": "GLES"}
_NO_VALUES = frozenset("none null n/a unknown true false enabled disabled scrubbed".split())
_PRODUCT_FILES = frozenset(
    "os-release build.prop compatible model sys_vendor product_name product_family product_version board_vendor"
    " board_name".split()
)


def local_names() -> tuple[str, ...]:
    """Names of this host and user that are to be taken out; names too short or too common to be private are left."""
    found = set()
    try:
        host = socket.gethostname()
        found |= {host, host.split(".")[0]}
        found.add(getpass.getuser())
    except (OSError, KeyError, ImportError):
        pass
    return tuple(sorted((n for n in found if len(n) > 2 and n.lower() not in _COMMON_NAMES), key=lambda n: (-len(n), n)))


def reduced(source: str, text: str) -> str:
    """Of files and commands that tell much about the user's programs only what a probe reads."""
    if source.endswith("/environ"):
        return "\0".join(entry for entry in text.split("\0") if entry.startswith("container="))
    kept = next((shape for name, shape in _REDUCED.items() if source.endswith(name)), None)
    return text if kept is None else "".join(line for line in text.splitlines(True) if re.search(kept, line))


def private_names(names: Sequence[str], taken: Mapping[str, Mapping[str, Any]]) -> tuple[str, ...]:
    """The names that are nobody's product: one that also names a driver, a board or a system would take facts away."""
    product = [text for path, text in taken["files"].items() if path.rpartition("/")[2] in _PRODUCT_FILES]
    words = " ".join([*product, *taken["links"].values()]).lower()
    return tuple(name for name in names if name.lower() not in words)


def scrub(text: str, names: Sequence[str] = ()) -> str:
    """The text without serial numbers, UUIDs, MAC and IP addresses, home folders, and the given names."""
    text = _ANDROID.sub(r"\g<1>" + SCRUBBED, text)
    text = _KEY_NUMBER.sub(r"\g<1>0", _KEY_VALUE.sub(_scrub_value, text))
    for shape, instead in _SHAPES:
        text = shape.sub(instead, text)
    text = _scrub_addresses(text)
    return scrub_names(text, names)


def scrub_names(text: str, names: Sequence[str] = ()) -> str:
    """Only home folders and the given names: what may stand in a command line that must stay recognisable."""
    text = _HOME.sub(r"\g<1>" + SCRUBBED, text)
    for name in names:
        # Whole words, and no part of a comma-separated list such as a device tree's compatible strings.
        text = re.sub(r"(?<![\w.,-])" + re.escape(name) + r"(?![\w,-])", SCRUBBED, text)
    return text


def _scrub_value(match: re.Match[str]) -> str:
    body = match.group(2).strip()
    is_empty = not body or body.lower() in _NO_VALUES
    return match.group(0) if is_empty else match.group(1) + match.group(2).replace(body, SCRUBBED)


def _scrub_addresses(text: str) -> str:
    """A dotted quad is an address unless a number is out of range or words before it speak of a version, here or elsewhere."""
    versions = {"0.0.0.0", "127.0.0.1"}
    for match in _IPV4.finditer(text):
        before = text[max(0, match.start() - 40) : match.start()]
        if _VERSION_BEFORE.search(before) or any(int(part) > 255 for part in match.group(0).split(".")):
            versions.add(match.group(0))
    return _IPV4.sub(lambda match: match.group(0) if match.group(0) in versions else SCRUBBED, text)


# =====================================================================================================================
# Patterns of files, folders and links that are read. `{a,b}` stands for each, `*` for any part of a path's step, and `@group` for
# the folders of this process's control group.
_UNIT = "{,/soc,/soc@*,/axi,/axi@*,/bus,/bus@*,/v3dbus,/v3dbus@*,/host1x,/host1x@*}"
_TREE = "{/proc/device-tree,/sys/firmware/devicetree/base}"
_FILES = (
    "/proc/{cpuinfo,meminfo,version,loadavg,mounts,1/environ,self/{cgroup,cpuset,mountinfo,status},sys/kernel/osrelease}",
    "/proc/{driver/nvidia/{version,gpus/*/information},rknpu/version} /sys/kernel/{debug/rknpu/version,cpu_byteorder}",
    "/etc/{os-release,nv_tegra_release,nvpmodel.conf} /usr/lib/os-release /usr/share/libdrm/amdgpu.ids",
    "/sys/devices/system/cpu/{online,present,smt/active} /sys/devices/cpu*/cpus /run/systemd/container",
    "/sys/devices/system/cpu/cpu*/{online,cpu_capacity,topology/{core_cpus_list,thread_siblings_list,physical_package_id}}",
    "/sys/devices/system/cpu/cpu*/{cache/index*/{level,type,size,shared_cpu_list},regs/identification/midr_el1}",
    "/sys/devices/system/cpu/{cpu*/cpufreq,cpufreq/policy*}/{cpuinfo_max_freq,related_cpus,scaling_governor}",
    "/sys/devices/system/cpu/{cpu*/cpufreq,cpufreq/policy*}/energy_performance_preference /sys/hypervisor/type",
    "/sys/devices/system/{node/node*/{cpulist,cpumap,meminfo},clocksource/clocksource0/available_clocksource}",
    "/sys/devices/system/edac/mc/*/*/dimm_mem_type /sys/devices/soc0/*",
    "/sys/bus/pci/devices/*/{uevent,vendor,device,class,revision,mem_info_*,product_name,vbnv,fw_version,lmem_total_bytes}",
    "/sys/bus/{pci/devices/*/{tile0/physical_vram_size_bytes,drm/card*/lmem_total_bytes},usb/devices/*/{idVendor,idProduct}}",
    "/sys/class/{drm/card*/device/{vendor,device},kgsl/kgsl-3d0/gpu_model,kfd/kfd/topology/nodes/*/properties,remoteproc/*/name}",
    "/sys/class/dmi/id/{sys_vendor,product_name,product_version,product_family,board_vendor,board_name,bios_vendor,chassis_type}",
    "/sys/class/power_supply/*/{type,scope,online,status,capacity,present} /sys/class/thermal/thermal_zone*/temp",
    "/sys/firmware/acpi/platform_profile /sys/module/{amdgpu,i915,xe,rknpu}/version",
    _TREE + "/{model,compatible,chassis-type,hypervisor/compatible}",
    _TREE + _UNIT + "/{gpu,npu,rknpu,v3d,vpu}@*/{compatible,status}",
    "/build.prop /{system,vendor,product}/build.prop /{odm,product}/etc/build.prop",
    "@group/{cpu.max,cpu.cfs_quota_us,cpu.cfs_period_us,cpuset.cpus,cpuset.cpus.effective,cpuset.effective_cpus}",
    "@group/memory.{max,limit_in_bytes,current,usage_in_bytes,stat}",
)
_DIRS = (
    "/dev{,/accel,/dri} /proc/driver/nvidia/gpus /sys/devices/system/{cpu{,/cpufreq,/cpu*/cache},node,edac/mc{,/*}}",
    "/sys/bus/{pci,usb}/devices /sys/class/{accel,drm,kfd/kfd/topology/nodes,power_supply,remoteproc,thermal}",
    _TREE + _UNIT,
)
_LINKS = ("/sys/bus/pci/devices/*/driver /sys/class/{accel/*,drm/card*}/device",)
_EXISTS = ("/.dockerenv /run/.containerenv /var/run/secrets/kubernetes.io",)
_CIM = (
    "$ErrorActionPreference='SilentlyContinue';[Console]::OutputEncoding=[Text.Encoding]::UTF8;$n=@(Get-CimInstance "
    "Win32_PnPEntity -Filter \"PNPClass='ComputeAccelerator'\"|ForEach-Object{[pscustomobject]@{Name=$_.Name;"
    "Manufacturer=$_.Manufacturer;PNPDeviceID=$_.PNPDeviceID;Status=$_.Status;DriverVersion=(Get-PnpDeviceProperty "
    "-InstanceId $_.PNPDeviceID -KeyName DEVPKEY_Device_DriverVersion).Data}});[pscustomobject]@{os=Get-CimInstance "
    "Win32_OperatingSystem|Select-Object Caption,Version,OSArchitecture;system=Get-CimInstance Win32_ComputerSystem|"
    "Select-Object Manufacturer,Model,SystemType,PCSystemType,TotalPhysicalMemory,HypervisorPresent;"
    "chassis=Get-CimInstance Win32_SystemEnclosure|Select-Object ChassisTypes;cpu=@(Get-CimInstance Win32_Processor|"
    "Select-Object Name,Caption,Manufacturer,Architecture,NumberOfCores,NumberOfLogicalProcessors,L2CacheSize,"
    "L3CacheSize);gpu=@(Get-CimInstance Win32_VideoController|Select-Object Name,AdapterCompatibility,AdapterRAM,"
    "DriverVersion,PNPDeviceID,Status);display=@(Get-ItemProperty 'HKLM:\\SYSTEM\\CurrentControlSet\\Control\\Class\\{"
    "4d36e968-e325-11ce-bfc1-08002be10318}\\0*'|Select-Object DriverDesc,MatchingDeviceId,DriverVersion,"
    "HardwareInformation.qwMemorySize);memory=@(Get-CimInstance Win32_PhysicalMemory|Select-Object Capacity,"
    "SMBIOSMemoryType);npu=$n}|ConvertTo-Json -Depth 4 -Compress"
)
_QUERY = "--query-gpu=index,pci.bus_id,name,pci.device_id,memory.total,memory.free,driver_version,compute_cap"
_FORMS = (("-q", "-x"), (_QUERY, "--format=csv"), (), ("-L",))
_NVIDIA = tuple((tool,) + form for tool in ("nvidia-smi", "/usr/lib/wsl/lib/nvidia-smi") for form in _FORMS)
_TOOLS = (
    ("llama-server", "--version"), ("llama-server", "--list-devices"), ("llama-cli", "--list-devices"),
    ("llama-bench", "--list-devices"), ("ollama", "--version"), ("vulkaninfo", "--summary"), ("clinfo", "--json"), ("clinfo",),
    ("xrt-smi", "examine"), ("/opt/xilinx/xrt/bin/xrt-smi", "examine"), ("xbutil", "examine"),
)  # fmt: skip
_COMMANDS = {
    "linux": _NVIDIA + _TOOLS + (
        ("amd-smi", "static", "--asic", "--bus", "--vram", "--driver", "--json"),
        ("rocm-smi", "--showproductname", "--showbus", "--showmeminfo", "vram", "--showdriverversion", "--json"),
        ("rocminfo",), ("xpu-smi", "discovery", "-j"), ("lspci", "-Dnnk"),
        ("hailortcli", "fw-control", "identify"), ("npu-smi", "info"), ("nvpmodel", "-q"),
    ),
    "android": (("getprop",), ("dumpsys", "SurfaceFlinger"), ("termux-info",)) + _TOOLS,
    "macos": _TOOLS + (
        ("sysctl", "hw", "machdep.cpu", "kern.osproductversion", "kern.hv_vmm_present", "iogpu"), ("sw_vers",),
        ("system_profiler", "-json", "SPHardwareDataType", "SPDisplaysDataType", "SPMemoryDataType"),
    ),
    "windows": _NVIDIA + _TOOLS + (
        ("powershell", "-NoProfile", "-NonInteractive", "-Command", _CIM), ("systeminfo",),
        ("reg", "query", "HKLM\\HARDWARE\\DESCRIPTION\\System\\CentralProcessor\\0", "/v", "ProcessorNameString"),
    ),
}  # fmt: skip
FRAMEWORK_PACKAGES = (
    "ai-edge-litert coremltools executorch hailort llama-cpp-python mlx mlx-lm ncnn onnxruntime onnxruntime-directml "
    "onnxruntime-genai onnxruntime-genai-cuda onnxruntime-genai-directml onnxruntime-gpu onnxruntime-openvino "
    "onnxruntime-qnn onnxruntime-rocm onnxruntime-migraphx onnxruntime-silicon onnxruntime-vitisai onnxruntime-windowsml "
    "openvino openvino-genai rknn-toolkit-lite2 rknn-toolkit2 tensorrt tensorrt-cu12 tensorrt-cu13 tensorrt-llm "
    "tflite-runtime vllm xllamacpp"
).split()


def braced(pattern: str) -> list[str]:
    found = re.search(r"\{([^{}]*)\}", pattern)
    if not found:
        return [pattern]
    before, after = pattern[: found.start()], pattern[found.end() :]
    return [each for part in found.group(1).split(",") for each in braced(before + part + after)]


MANIFEST = {
    kind: list(dict.fromkeys(pattern for line in lines for word in line.split() for pattern in braced(word)))
    for kind, lines in (("files", _FILES), ("dirs", _DIRS), ("links", _LINKS), ("exists", _EXISTS))
}  # the commands of all systems stand in _COMMANDS


def group_folders(membership: str) -> list[str]:
    """Folders below /sys/fs/cgroup that may describe the groups in /proc/self/cgroup, whichever part of them is mounted."""
    inside = {""}
    for line in membership.splitlines():
        parts = [part for part in line.split(":", 2)[-1].split("/") if part not in ("", "..")]
        inside |= {"/".join(parts[i:j]) for i in range(len(parts)) for j in range(i + 1, len(parts) + 1)}
    return sorted("/".join(filter(None, ("/sys/fs/cgroup" + hierarchy, part))) for hierarchy in ("", "/*") for part in inside)


def expanded(kind: str, folders: Sequence[str]) -> Iterator[str]:
    """The patterns of one kind with `@group` written out, for a shell's or glob's own expansion."""
    for pattern in MANIFEST[kind]:
        yield from (pattern.replace("@group", folder) for folder in (folders if "@group" in pattern else ("",)))


def record_here() -> dict[str, Any]:
    """What this machine tells: the parts of a recording, not yet scrubbed."""
    system = system_name()
    taken: dict[str, Any] = {**{part: {} for part in PARTS}, "python": {"frameworks": installed_frameworks()}}
    if system in ("linux", "android"):
        folders = group_folders(_read("/proc/self/cgroup") or "")
        found = ((path, _read(path)) for pattern in expanded("files", folders) for path in glob.glob(pattern))
        taken["files"] = {path: text for path, text in found if text is not None}
        for pattern in MANIFEST["dirs"]:
            for path in glob.glob(pattern):
                taken["dirs"][path] = sorted(map(os.path.basename, glob.glob(path + "/*")))
        for pattern in MANIFEST["links"]:
            taken["links"].update((path, os.readlink(path)) for path in glob.glob(pattern) if os.path.islink(path))
        for parent, name in (os.path.split(path) for path in MANIFEST["exists"] if os.path.exists(path)):
            taken["dirs"].setdefault(parent.rstrip("/"), []).append(name)
    for argv in _COMMANDS.get(system, ()):
        done = _run(argv)
        if done is not None:
            taken["commands"][" ".join(argv)] = done
    return recording(taken, system, architecture())


def record_phone(adb: str, serial: str) -> dict[str, Any]:
    """What an Android device tells through `adb shell`, in a few calls. Raises RuntimeError with adb's own words."""
    call = [adb] + (["-s", serial] if serial else []) + ["shell"]
    machine = _shell(call, "uname -m").strip()
    membership = _shell(call, "cat /proc/self/cgroup 2>/dev/null")
    taken: dict[str, Any] = {part: {} for part in PARTS}
    folders = group_folders(membership)
    _collect(call, taken["files"], list(expanded("files", folders)), '[ -f "$f" ] && [ -r "$f" ]', 'cat "$f" 2>/dev/null')
    _collect(call, taken["links"], list(MANIFEST["links"]), '[ -L "$f" ]', 'readlink "$f"')
    listed: dict[str, str] = {}
    _collect(call, listed, list(MANIFEST["dirs"]), '[ -d "$f" ]', 'ls "$f" 2>/dev/null')
    taken["links"] = {path: text.strip() for path, text in taken["links"].items()}
    taken["dirs"] = {path: sorted(text.split("\n")[:-1]) for path, text in listed.items() if text.strip()}
    for argv in _COMMANDS["android"]:
        out = _shell(call, f"command -v {argv[0]} >/dev/null && {{ {' '.join(argv)}; }} 2>/dev/null", needed=False)
        if out.strip():
            taken["commands"][" ".join(argv)] = {"stdout": out, "stderr": "", "returncode": 0}
    return recording(taken, "android", architecture(machine))


def _collect(call: list[str], into: dict[str, str], patterns: list[str], test: str, show: str) -> None:
    """Texts by path of all that fits the patterns, read by the device's shell, many in one call."""
    loop = 'for f in %s; do %s && { printf "\\n@@F %%s\\n" "$f"; %s; printf "\\n@@E\\n"; }; done; true'
    while patterns:
        count = 1
        while count < len(patterns) and len(loop) + len(" ".join(patterns[: count + 1])) < BATCH:
            count += 1
        out, patterns = _shell(call, loop % (" ".join(patterns[:count]), test, show)), patterns[count:]
        into.update(re.findall(r"\n@@F ([^\n]+)\n(.*?)\n@@E(?=\n)", out, re.DOTALL))


def _shell(call: list[str], script: str, needed: bool = True) -> str:
    done = _run(call + [script], 120, None)
    if done is None or (done["returncode"] and needed and not done["stdout"]):
        raise RuntimeError(f"{call[0]}: {(done['stderr'].strip() or done['returncode']) if done else 'no such program'}")
    return str(done["stdout"]).replace("\r\n", "\n")


def recording(taken: dict[str, Any], system: str, machine: str, names: Sequence[str] | None = None) -> dict[str, Any]:
    """The recording document of what was taken, scrubbed."""
    private = private_names(local_names() if names is None else names, taken)

    def clean(text: str) -> str:
        return scrub(text, private)

    return {
        "recording_schema": 1,
        "recorder": "recommend-record 1",
        "os": system,
        "architecture": machine,
        "files": {clean(path): clean(reduced(path, text)) for path, text in sorted(taken["files"].items())},
        "links": {clean(path): clean(text) for path, text in sorted(taken["links"].items())},
        "dirs": {clean(path): [clean(name) for name in listed] for path, listed in sorted(taken["dirs"].items())},
        "commands": {
            scrub_names(key, private): dict(told, stdout=clean(reduced(key, told["stdout"])), stderr=clean(told["stderr"]))
            for key, told in sorted(taken["commands"].items())
        },
        "python": taken["python"],
        "microbenchmark": {},
    }


def installed_frameworks() -> dict[str, str]:
    from importlib.metadata import distributions  # slow to import, and not needed for a phone

    found = {str(item.metadata["Name"]).lower().replace("_", "-"): item.version for item in distributions()}
    return {name: found[name] for name in FRAMEWORK_PACKAGES if name in found}


def system_name() -> str:
    name = {"darwin": "macos", "win32": "windows", "cygwin": "windows"}.get(sys.platform, sys.platform)
    return "android" if name == "linux" and ("ANDROID_ROOT" in os.environ or hasattr(sys, "getandroidapilevel")) else name


def architecture(machine: str | None = None) -> str:
    if machine is None:
        variables = os.environ.get("PROCESSOR_ARCHITEW6432") or os.environ.get("PROCESSOR_ARCHITECTURE", "")
        machine = os.uname().machine if hasattr(os, "uname") else variables
    return {"amd64": "x86_64", "x64": "x86_64", "arm64": "aarch64"}.get(machine.lower(), machine.lower())


def _read(path: str) -> str | None:
    try:
        with open(path, "rb") as stream:
            return stream.read(MAX_TEXT).decode("utf-8", "replace")
    except (OSError, ValueError):
        return None


def _run(argv: Sequence[str], seconds: int = 20, most: int | None = MAX_TEXT) -> dict[str, Any] | None:
    try:
        environment = dict(os.environ, LC_ALL="C", LANG="C")
        done = subprocess.run(list(argv), capture_output=True, stdin=subprocess.DEVNULL, timeout=seconds, env=environment)
    except subprocess.TimeoutExpired:
        return {"stdout": "", "stderr": f"no answer in {seconds} s", "returncode": 124}
    except OSError:
        return None
    out, err = (data[:most].decode("utf-8", "replace") for data in (done.stdout, done.stderr))
    return {"stdout": out, "stderr": err[:2000], "returncode": done.returncode}


def main(arguments: list[str] | None = None) -> int:
    """Exit code 0 written, 1 not possible, 2 misuse."""
    parser = argparse.ArgumentParser(prog="recommend-record", description="Record a machine, without its private parts.")
    parser.add_argument("-o", "--output", default="-", metavar="FILE", help="where to write (default: standard output)")
    parser.add_argument("--adb", nargs="?", const="", metavar="SERIAL", help="record the Android device that adb reaches instead")
    options = parser.parse_args(arguments)
    try:
        document = record_here() if options.adb is None else record_phone("adb", options.adb)
        text = json.dumps(document, indent=1, sort_keys=True) + "\n"
        if options.output == "-":
            sys.stdout.write(text)
        else:
            with open(options.output, "w", encoding="utf-8") as stream:
                stream.write(text)
    except (OSError, RuntimeError) as error:
        sys.stderr.write(f"recommend-record: {error}\n")
        return 1
    if options.output != "-":
        sys.stderr.write(f"{options.output}: {len(document['files'])} files, {len(document['commands'])} commands\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
