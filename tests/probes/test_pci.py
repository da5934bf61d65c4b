"""The PCI bus: what counts as a GPU, an NPU or an accelerator, from /sys and from other layouts of lspci and lshw."""

from __future__ import annotations

import pytest

from probes import pci as probe
from probes.pci_listing import parse_lspci
from recommender.domain.fingerprint import Device
from tests.probes.fake_sys import BUS, host, pci


def observed(*parts: dict[str, str], **recording: object) -> tuple[Device, ...]:
    raw = probe.read(host(*parts, **recording))
    return probe.parse(raw).devices if raw else ()


@pytest.mark.parametrize(
    ("ident", "code", "address", "kind"),
    [
        ("10de:2684", "0300", "0000:01:00.0", "gpu"),
        ("10de:28b9", "0302", "0000:01:00.0", "gpu"),
        ("8086:56a0", "0380", "0000:03:00.0", "gpu"),
        ("1002:74a1", "1200", "0000:c1:00.0", "gpu"),  # a large AMD accelerator is a GPU
        ("8086:7d1d", "1200", "0000:00:0b.0", "npu"),
        ("8086:ffff", "1200", "0000:00:0b.0", "npu"),  # an id of tomorrow, on the processor's own bus
        ("1022:17f0", "1180", "0000:c6:00.1", "npu"),
        ("1e60:2864", "0b40", "0001:01:00.0", "accelerator"),
        ("1ac1:089a", "0880", "0000:09:00.0", "accelerator"),
        ("19e5:d100", "1200", "0000:01:00.0", "accelerator"),
        ("1414:008e", "0302", "8756:00:00.0", None),  # the virtual adapter of a WSL guest
        ("1a03:2000", "0300", "0000:02:00.0", None),  # a server's management controller
        ("1af4:1050", "0300", "0000:00:01.0", None),
        ("8086:7d03", "1180", "0000:00:04.0", None),  # thermal control shares the NPU's class on AMD
        ("8086:4940", "0b40", "0000:6b:00.0", None),  # a compression engine
        ("8086:0b25", "0880", "0000:6a:01.0", None),
        ("1e60:0001", "0604", "0001:00:00.0", None),
        ("144d:a80a", "0108", "0000:02:00.0", None),
    ],
)
def test_what_a_function_is(ident: str, code: str, address: str, kind: str | None) -> None:
    found = observed(pci(address, ident, code, driver="some"))
    assert [device.kind for device in found] == ([kind] if kind else [])


def test_a_driver_makes_an_unknown_function_an_npu() -> None:
    (device,) = observed(pci("0000:c5:00.1", "1022:ffff", "1180", driver="amdxdna"))
    assert (device.kind, device.vendor, device.driver, device.memory_kind) == ("npu", "amd", "amdxdna", "shared")


@pytest.mark.parametrize(("driver", "why"), [(None, "no kernel driver"), ("vfio-pci", "virtual machine")])
def test_a_device_without_a_serving_driver_is_unusable_and_says_why(driver: str | None, why: str) -> None:
    (device,) = observed(pci("0000:01:00.0", "10de:2684", "0300", driver=driver))
    assert device.attributes["usable"] is False and why in device.attributes["why_unusable"]


def test_a_served_device_says_nothing_of_usability() -> None:
    (device,) = observed(pci("0000:01:00.0", "10de:2684", "0300", driver="nvidia"))
    assert "usable" not in device.attributes and device.driver == "nvidia"


def test_single_files_and_the_driver_link_serve_where_uevent_is_missing() -> None:
    folder = f"{BUS}/0000:04:00.0"
    files = {f"{folder}/vendor": "0x8086\n", f"{folder}/device": "0x56a2\n", f"{folder}/class": "0x030000\n"}
    (device,) = observed(files, links={f"{folder}/driver": "../../../../bus/pci/drivers/i915"})
    assert (device.identifiers["pci"], device.driver, device.memory_kind) == ("8086:56a2", "i915", "dedicated")


def test_lspci_gives_the_name_and_sys_the_rest() -> None:
    listing = "0000:01:00.0 VGA compatible controller [0300]: NVIDIA Corporation AD102 [GeForce RTX 4090] [10de:2684] (rev a1)\n"
    (device,) = observed(pci("0000:01:00.0", "10de:2684", "0300", "nvidia"), commands={"lspci -Dnnk": {"stdout": listing}})
    assert (device.name, device.driver) == ("NVIDIA Corporation AD102 [GeForce RTX 4090]", "nvidia")


@pytest.mark.parametrize("argv", ["lspci -vmmnD", "lspci -nn", "lspci"])
def test_a_recording_may_hold_any_listing(argv: str) -> None:
    line = "0000:01:00.0 VGA compatible controller: NVIDIA Corporation AD102 [GeForce RTX 4090] (rev a1)\n"
    (device,) = observed(commands={argv: {"stdout": line}})
    assert (device.vendor, device.attributes["pci_address"]) == ("nvidia", "0000:01:00.0")


def test_two_equal_cards_are_two() -> None:
    found = observed(pci("0000:01:00.0", "10de:2684", "0300", "nvidia"), pci("0000:02:00.0", "10de:2684", "0300", "nvidia"))
    assert len({device.id for device in found}) == 2


@pytest.mark.parametrize(
    ("line", "vendor", "ident", "kind"),
    [
        ("01:00.0 0300: 10de:2684 (rev a1)", "nvidia", "10de:2684", "gpu"),
        ("01:00.0 Class 0302: 10de:28b9 (rev a1)", "nvidia", "10de:28b9", "gpu"),
        ("0000:01:00.0 3D controller: NVIDIA Corporation GA100 [A100 SXM4 40GB] (rev a1)", "nvidia", None, "gpu"),
        ("c5:00.1 Signal processing controller: Advanced Micro Devices, Inc. [AMD] AMD IPU Device", "amd", None, "npu"),
        ("00:0b.0 Processing accelerators: Intel Corporation Meteor Lake NPU (rev 04)", "intel", None, "npu"),
        (
            "c1:00.0 Processing accelerators: Advanced Micro Devices, Inc. [AMD/ATI] Aqua Vanjaram [Instinct MI300X]",
            "amd",
            None,
            "gpu",
        ),
    ],
)
def test_layouts_of_one_line(line: str, vendor: str, ident: str | None, kind: str) -> None:
    (device,) = probe.parse({"lspci": line}).devices
    assert (device.vendor, device.identifiers.get("pci"), device.kind) == (vendor, ident, kind)


@pytest.mark.parametrize(
    "line",
    [
        "00:0f.0 VGA compatible controller: VMware SVGA II Adapter",
        "02:00.0 VGA compatible controller: ASPEED Technology, Inc. ASPEED Graphics Family (rev 41)",
        "8756:00:00.0 3D controller: Microsoft Corporation Device 008e",
        "00:1f.3 Audio device: Intel Corporation Device 51ca",
    ],
)
def test_lines_that_are_no_gpu(line: str) -> None:
    assert probe.parse({"lspci": line}).devices == ()


def test_a_subsystem_line_is_no_second_device() -> None:
    text = "09:00.0 System peripheral [0880]: Coral Edge TPU [1ac1:089a]\n\tSubsystem: Coral Edge TPU [1ac1:089a]\n"
    assert len(parse_lspci(text)) == 1


def test_the_machine_readable_layout_with_words_and_driver() -> None:
    text = (
        "Slot:\t00:02.0\nClass:\tVGA compatible controller [0300]\nVendor:\tIntel Corporation [8086]\n"
        "Device:\tLunar Lake [Intel Arc Graphics 130V / 140V] [64a0]\nDriver:\txe\n\n"
        "Slot:\t00:1f.0\nClass:\tISA bridge [0601]\nVendor:\tIntel Corporation [8086]\nDevice:\tDevice [a807]\n"
    )
    (device,) = probe.parse({"lspci": text}).devices
    assert (device.identifiers["pci"], device.driver, device.memory_kind) == ("8086:64a0", "xe", "shared")
    assert device.name == "Intel Corporation Lunar Lake [Intel Arc Graphics 130V / 140V]"


def test_lshw_with_numbers_and_several_nodes() -> None:
    text = """
        *-display
             description: VGA compatible controller
             product: AD103 [GeForce RTX 4080 SUPER] [10DE:2702]
             vendor: NVIDIA Corporation [10DE]
             bus info: pci@0000:01:00.0
             configuration: driver=nvidia latency=0
        *-network
             description: Ethernet interface
             product: RTL8125 [10EC:8125]
             bus info: pci@0000:05:00.0
             configuration: driver=r8169
    """
    (device,) = probe.parse({"lshw": text}).devices
    assert (device.identifiers["pci"], device.name, device.driver) == ("10de:2702", "AD103 [GeForce RTX 4080 SUPER]", "nvidia")
