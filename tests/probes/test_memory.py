"""Main memory: units as they are written, nodes, module types."""

from __future__ import annotations

from pathlib import Path

import pytest

from probes import memory
from probes.memory import memory_type, parse_meminfo
from recommender.domain.fingerprint import HostMemory, Observation

from .trees import recorded_output, recorded_tree, tree

KIB, GIB = 1 << 10, 1 << 30


@pytest.mark.parametrize(
    ("name", "total", "swap"),
    [
        ("npu/hp-zbook-g11-ultra7-165h.meminfo.txt", 32273048 * KIB, None),
        ("npu/raspberry-pi-5-hailo-8.meminfo.txt", 8122264 * KIB, None),
        ("linux-gpu/i5-3570k_arc-a580_gtx1080ti.meminfo.txt", 16262132 * KIB, None),
        ("linux-gpu/system76-addw4_i9-14900hx.meminfo.txt", 32173152 * KIB, None),
        ("npu/intel-core-ultra-7-256v.meminfo.txt", 16251994112, 4294963200),
        ("boards/orange-pi-rv2.meminfo.txt", 8323276800, 0),
    ],
)
def test_recorded_totals(name: str, total: int, swap: int | None) -> None:
    found = parse_meminfo(recorded_output(name))
    assert found["MemTotal"] == total
    assert swap is None or found["SwapTotal"] == swap


@pytest.mark.parametrize(
    ("line", "total"),
    [
        ("MemTotal:       32489496 kB", 32489496 * KIB),
        ("MemTotal: 8 GB", 8 * GIB),
        ("MemTotal: 966367641 B", 966367641),
        ("MemTotal: 8323276800", 8323276800),
        ("MemTotal: 966656000", 966656000),
        ("MemTotal: 16262132", 16262132 * KIB),
        ("MemTotal: 67108864", 67108864 * KIB),
        ("MemTotal: 99999999999999", 99999999999999),
        ("MemTotal:\t\t512000 kB", 512000 * KIB),
    ],
    ids=["kB", "GB", "B", "bytes", "bytes of a 1 GB board", "bare kB", "bare kB of a server", "too large for kB", "tabs"],
)
def test_units(line: str, total: int) -> None:
    assert parse_meminfo(line)["MemTotal"] == total


def test_bare_fields_follow_the_total_and_counts_are_left_out() -> None:
    found = parse_meminfo("MemTotal: 8323276800\nMemAvailable: 7000\nHugePages_Total: 12\nSwapTotal: 0\n")
    assert found == {"MemTotal": 8323276800, "MemAvailable": 7000, "SwapTotal": 0}


@pytest.mark.parametrize("line", ["MemTotal: lots", "MemTotal:", "MemTotal 12 kB", "MemTotal: -5 kB", "MemTotal: 12 parsecs", ""])
def test_garbage_is_unknown(line: str) -> None:
    assert "MemTotal" not in parse_meminfo(line)


def test_recorded_machine(tmp_path: Path) -> None:
    raw = memory.read(recorded_tree(tmp_path, "hybrid-i7-1370P.tar.bz2"))
    assert raw and memory.parse(raw).memory == HostMemory(
        total=32489496 * KIB, available=28934524 * KIB, swap_total=999420 * KIB, numa_nodes=1
    )


def test_nodes_give_the_total_where_nothing_else_does(tmp_path: Path) -> None:
    files = {
        f"sys/devices/system/node/node{n}/meminfo": f"Node {n} MemTotal:  {size} kB\n" for n, size in enumerate((1000, 3000, 0))
    }
    raw = memory.read(tree(tmp_path, files))
    assert raw and memory.parse(raw).memory == HostMemory(total=4000 * KIB, numa_nodes=2)


def test_a_broken_node_is_not_left_out_of_a_sum(tmp_path: Path) -> None:
    files = {
        "sys/devices/system/node/node0/meminfo": "Node 0 MemTotal: 1000 kB",
        "sys/devices/system/node/node1/meminfo": "Node 1 Mem",
    }
    raw = memory.read(tree(tmp_path, files))
    assert raw and memory.parse(raw).memory == HostMemory(total=None, numa_nodes=1)


def test_module_type_comes_from_the_memory_controller(tmp_path: Path) -> None:
    files = {
        "proc/meminfo": "MemTotal: 1000 kB\n",
        "sys/devices/system/edac/mc/mc0/dimm0/dimm_mem_type": "Unbuffered-DDR4\n",
        "sys/devices/system/edac/mc/mc0/dimm1/dimm_mem_type": "Unbuffered-DDR4\n",
    }
    raw = memory.read(tree(tmp_path, files))
    found = memory.parse(raw or {}).memory
    assert found and found.kind == "DDR4"


@pytest.mark.parametrize(
    ("texts", "kind"),
    [(["LPDDR5"], "LPDDR5"), (["Registered-DDR5", "Unknown"], "DDR5"), (["DDR4", "DDR5"], None), (["Unknown"], None), ([], None)],
)
def test_module_types(texts: list[str], kind: str | None) -> None:
    assert memory_type(texts) == kind


def test_nothing_there_is_unknown() -> None:
    assert memory.parse({"meminfo": "", "nodes": {}, "types": []}) == Observation()
