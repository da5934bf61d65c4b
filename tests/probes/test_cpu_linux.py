"""The processor, from trees that say one thing each."""

from __future__ import annotations

from pathlib import Path

import pytest

from probes import cpu_linux
from recommender.domain.fingerprint import Cores, Device, Observation
from recommender.ports import HostAccess

from .trees import CPU, arm_cpuinfo, cpu_files, tree, x86_cpuinfo


def observe(host: HostAccess) -> Observation:
    raw = cpu_linux.read(host)
    return cpu_linux.parse(raw) if raw else Observation()


def device(host: HostAccess) -> Device:
    return observe(host).devices[0]


def from_text(text: str) -> Observation:
    return cpu_linux.parse({"cpuinfo": text})


def test_arm_text_without_topology_does_not_tell_physical_cores() -> None:
    assert from_text(arm_cpuinfo(["0xd0b"] * 4)).devices[0].cores == Cores(physical=None, logical=4)


@pytest.mark.parametrize(
    ("isa", "features"),
    [
        ("rv64imafdcv_zba_zvfh", ("a", "c", "d", "f", "i", "m", "v", "zba", "zvfh")),
        ("rv64gc", ("a", "c", "d", "f", "i", "m", "zicsr", "zifencei")),
        ("rv32imc", ("c", "i", "m")),
        ("nonsense", ()),
    ],
)
def test_riscv_extensions(isa: str, features: tuple[str, ...]) -> None:
    text = f"processor\t: 0\nhart\t: 0\nisa\t: {isa}\nuarch\t: thead,c910\n\n"
    found = from_text(text).devices[0]
    assert (found.features, found.vendor, found.name) == (features, "thead", "thead,c910")


@pytest.mark.parametrize(
    ("text", "architecture", "vendor"),
    [
        ("processor : 0\ncpu : POWER9, altivec supported\n\nplatform : pSeries\n", "ppc64", "ibm"),
        ("vendor_id : IBM/S390\n# processors : 4\nfeatures : esan3 vx\nprocessor 0: version = FF\n", "s390x", "ibm"),
        (
            "processor : 0\nCPU Family : Loongson-64bit\nModel Name : Loongson-3A5000\nFeatures : cpucfg lsx lasx\n",
            "loongarch64",
            "loongson",
        ),
        (x86_cpuinfo(1, flags="fpu sse"), "i686", "intel"),
        (
            "Processor : AArch64 Processor rev 4 (aarch64)\nprocessor : 0\nFeatures : fp asimd\nCPU implementer : 0x41\n"
            "CPU architecture: AArch64\nCPU part : 0xd03\n",
            "aarch64",
            "arm",
        ),
    ],
)
def test_other_architectures(text: str, architecture: str, vendor: str) -> None:
    seen = from_text(text)
    assert (seen.host["architecture"], seen.devices[0].vendor) == (architecture, vendor)


def test_amx_and_avx512_of_a_server_in_linux_spelling(tmp_path: Path) -> None:
    flags = "fpu lm avx2 avx512f avx512_vnni avx512_bf16 avx512_fp16 amx_bf16 amx_tile amx_int8"
    siblings = {n: f"{n % 4},{n % 4 + 4}" for n in range(8)}
    files = cpu_files(siblings, package={n: n % 4 // 2 for n in range(8)})
    files |= {f"sys/devices/system/node/node{n}/cpulist": f"{2 * n}-{2 * n + 1},{2 * n + 4}-{2 * n + 5}" for n in range(2)}
    files["sys/devices/system/node/node2/cpulist"] = "\n"
    files["sys/devices/system/node/node2/cpumap"] = "00\n"
    found = device(tree(tmp_path, {"proc/cpuinfo": x86_cpuinfo(8, flags=flags), **files}))
    assert set(flags.split()) == set(found.features)
    assert found.cores == Cores(physical=4, logical=8)
    assert (found.attributes["sockets"], found.attributes["numa_nodes"], found.attributes["smt"]) == (2, 2, True)


def test_offline_cpus_are_named_and_not_counted(tmp_path: Path) -> None:
    files = cpu_files({0: "0", 1: "1", 2: "2"}, online="0-2", present="0-3")
    found = device(tree(tmp_path, {"proc/cpuinfo": x86_cpuinfo(3), **files, f"{CPU}/cpu3/online": "0"}))
    assert found.cores == Cores(physical=3, logical=3)
    assert found.attributes["offline_cpus"] == [3]


def test_a_core_with_one_thread_off_does_not_make_a_processor_hybrid(tmp_path: Path) -> None:
    khz = dict.fromkeys(range(4), 4_000_000)
    files = cpu_files(
        {0: "0,4", 1: "1", 2: "2,6", 3: "3,7", 4: "0,4", 6: "2,6", 7: "3,7"},
        khz={**khz, 4: 4_000_000, 6: 4_000_000, 7: 4_000_000},
        online="0-4,6-7",
        present="0-7",
    )
    found = device(tree(tmp_path, {"proc/cpuinfo": x86_cpuinfo(7), **files}))
    assert found.cores == Cores(physical=4, logical=7)


def hybrid(khz: dict[int, int] | None = None, caches: bool = False) -> dict[str, str]:
    """Two fast cores of two threads, four slow ones of one."""
    rows = [(n, 1, "Data", "48K" if n < 4 else "32K", f"{n // 2 * 2}-{n // 2 * 2 + 1}" if n < 4 else str(n)) for n in range(8)]
    return cpu_files(
        {0: "0-1", 1: "0-1", 2: "2-3", 3: "2-3", 4: "4", 5: "5", 6: "6", 7: "7"}, khz=khz, caches=rows if caches else ()
    )


CLOCKS = {n: 5_000_000 if n < 4 else 3_800_000 for n in range(8)}


@pytest.mark.parametrize(
    ("files", "performance", "efficiency"),
    [
        ({**hybrid(), "sys/devices/cpu_core/cpus": "0-3\n", "sys/devices/cpu_atom/cpus": "4-7\n"}, 2, 4),
        (
            {
                **hybrid(),
                "sys/devices/cpu_core/cpus": "0-3",
                "sys/devices/cpu_atom/cpus": "4-5",
                "sys/devices/cpu_lowpower/cpus": "6-7",
            },
            2,
            4,
        ),
        (hybrid(CLOCKS), 2, 4),
        (hybrid({n: 5_000_000 if n < 4 else 4_700_000 for n in range(8)}, caches=True), 2, 4),
        (hybrid(), None, None),
        (hybrid({n: 5_200_000 if n < 2 else 5_000_000 for n in range(8)}), None, None),
        ({"sys/devices/cpu_core/cpus": "0-3", "sys/devices/cpu_atom/cpus": "4-7", f"{CPU}/online": "0-7"}, None, None),
    ],
    ids=[
        "lists",
        "low power cores too",
        "clock and threads",
        "caches and clock",
        "threads alone",
        "better samples",
        "no topology",
    ],
)
def test_hybrid_x86(tmp_path: Path, files: dict[str, str], performance: int | None, efficiency: int | None) -> None:
    cores = device(tree(tmp_path, {"proc/cpuinfo": x86_cpuinfo(8), **files})).cores
    assert (cores.performance, cores.efficiency) == (performance, efficiency)


def test_compact_cores_of_one_design_are_told_by_their_clock(tmp_path: Path) -> None:
    files = cpu_files({n: str(n) for n in range(6)}, khz={n: 4_900_000 if n < 2 else 3_500_000 for n in range(6)})
    cores = device(tree(tmp_path, {"proc/cpuinfo": x86_cpuinfo(6, vendor="AuthenticAMD"), **files})).cores
    assert (cores.performance, cores.efficiency) == (2, 4)


def test_three_clusters(tmp_path: Path) -> None:
    files = cpu_files(
        {n: str(n) for n in range(8)},
        package={n: n // 3 for n in range(8)},
        capacity={n: (300, 300, 300, 300, 800, 800, 800, 1024)[n] for n in range(8)},
        khz={n: (1_800_000, 1_800_000, 1_800_000, 1_800_000, 2_400_000, 2_400_000, 2_400_000, 2_700_000)[n] for n in range(8)},
    )
    found = device(tree(tmp_path, {"proc/cpuinfo": arm_cpuinfo(["0xd05"] * 4 + ["0xd41"] * 4), **files}))
    assert found.cores == Cores(physical=8, logical=8, performance=4, efficiency=4)
    assert found.name == "4x Cortex-A55 + 4x Cortex-A78"
    assert [(row["count"], row["max_hz"]) for row in found.attributes["clusters"]] == [
        (4, 1_800_000_000),
        (3, 2_400_000_000),
        (1, 2_700_000_000),
    ]
    assert "sockets" not in found.attributes


@pytest.mark.parametrize(
    ("capacities", "performance", "efficiency"),
    [((400, 400, 1024, 1024), 2, 2), ((900, 900, 1024, 1024), None, None), ((1024, 1024, 1024, 1024), None, None)],
)
def test_cores_of_one_design_differ_only_by_a_large_gap(tmp_path: Path, capacities, performance, efficiency) -> None:
    files = cpu_files({n: str(n) for n in range(4)}, capacity=dict(enumerate(capacities)))
    cores = device(tree(tmp_path, {"proc/cpuinfo": arm_cpuinfo(["0x001"] * 4, implementer="0x51"), **files})).cores
    assert (cores.performance, cores.efficiency) == (performance, efficiency)


@pytest.mark.parametrize(
    ("capacity", "part", "performance"),
    [({0: 1024, 1: 350, 2: 350}, "0x41:0xfa1+0x41:0xfa0", 1), (None, "0x41:0xfa0+0x41:0xfa1", None)],
)
def test_unknown_designs_are_ordered_by_what_the_tree_tells(tmp_path: Path, capacity, part: str, performance: int | None) -> None:
    files = cpu_files({n: str(n) for n in range(3)}, capacity=capacity)
    found = device(tree(tmp_path, {"proc/cpuinfo": arm_cpuinfo(["0xfa0", "0xfa1", "0xfa1"]), **files}))
    assert (found.identifiers["part"], found.cores.performance) == (part, performance)


def test_half_a_text_keeps_every_good_fact(tmp_path: Path) -> None:
    whole = x86_cpuinfo(8, flags="fpu lm avx2 avx512_vnni", cores=4)
    cut = whole[: whole.rindex("avx512_vnni") + 4]
    files = cpu_files({n: f"{n % 4},{n % 4 + 4}" for n in range(8)})
    found = device(tree(tmp_path, {"proc/cpuinfo": cut, **files}))
    assert found.features == ("avx2", "avx512_vnni", "fpu", "lm")
    assert found.cores == Cores(physical=4, logical=8)
    assert from_text(cut[: len(cut) // 2]).devices[0].cores == Cores(physical=4, logical=8)


def test_half_an_arm_text_is_filled_from_the_identification_registers(tmp_path: Path) -> None:
    text = arm_cpuinfo(["0xd05", "0xd05"])
    files = {**cpu_files({n: str(n) for n in range(4)}), "proc/cpuinfo": text}
    registers = {f"{CPU}/cpu{n}/regs/identification/midr_el1": "0x00000000414fd0b1\n" for n in (2, 3)}
    assert device(tree(tmp_path / "with", {**files, **registers})).name == "2x Cortex-A55 + 2x Cortex-A76"
    partly = device(tree(tmp_path / "without", files))
    assert "part" not in partly.identifiers and partly.cores == Cores(physical=4, logical=4)


@pytest.mark.parametrize("length", range(0, 460, 7))
def test_a_text_cut_anywhere_gives_a_part_of_the_facts(length: int) -> None:
    text = x86_cpuinfo(2, cores=2)
    whole, part = from_text(text), from_text(text[:length])
    for found in part.devices:
        assert found.vendor in (None, "intel") or "GenuineIntel".lower().startswith(found.vendor)
        assert set(found.features) <= set(whole.devices[0].features) | {"f", "fp", "a", "av", "avx", "l"}
    assert part.host.get("architecture") in (None, "x86_64")


def test_broken_files_are_unknown_and_spoil_nothing(tmp_path: Path) -> None:
    good = cpu_files({0: "0", 1: "1"}, khz={0: 2_000_000})
    bad = {
        f"{CPU}/cpu1/topology/thread_siblings_list": "x-y",
        f"{CPU}/cpu1/topology/physical_package_id": "-1",
        f"{CPU}/cpu1/cpufreq/cpuinfo_max_freq": "<unknown>",
        f"{CPU}/cpu1/cpu_capacity": "",
        f"{CPU}/cpu0/cache/index0/level": "one",
        f"{CPU}/cpu0/cache/index0/size": "48K",
        f"{CPU}/cpu0/cache/index0/type": "Data",
        f"{CPU}/cpu0/cache/index1/level": "2",
        f"{CPU}/cpu0/cache/index1/size": "big",
        f"{CPU}/cpu0/cache/index1/type": "Unified",
        f"{CPU}/smt/active": "maybe",
        "sys/devices/system/node/node0/cpulist": "all",
        f"{CPU}/present": "0-99999999",
    }
    found = device(tree(tmp_path, {"proc/cpuinfo": x86_cpuinfo(2), **good, **bad}))
    assert found.cores == Cores(physical=None, logical=2)
    assert found.caches == () and found.attributes["max_hz"] == 2_000_000_000
    assert not {"smt", "sockets", "numa_nodes", "offline_cpus"} & set(found.attributes)


def test_a_tree_without_a_text_still_counts_cores(tmp_path: Path) -> None:
    seen = observe(tree(tmp_path, cpu_files({0: "0-1", 1: "0-1"})))
    assert seen.host == {} and seen.devices[0].cores == Cores(physical=1, logical=2)
    assert seen.devices[0].vendor is None and seen.devices[0].name is None and seen.devices[0].features == ()
