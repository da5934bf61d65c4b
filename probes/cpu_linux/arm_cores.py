"""Names and sizes of Arm cores by implementer and part number, as the kernel prints them in /proc/cpuinfo.

Numbers are public constants: Linux `arch/arm64/include/asm/cputype.h` and util-linux `sys-utils/lscpu-arm.c`.
"""

from __future__ import annotations

LITTLE, MIDDLE, BIG = "little", "middle", "big"
SIZES = (LITTLE, MIDDLE, BIG)  # small to big

IMPLEMENTERS: dict[int, str] = {
    0x41: "arm", 0x42: "broadcom", 0x43: "cavium", 0x44: "dec", 0x46: "fujitsu", 0x48: "hisilicon", 0x4D: "motorola",
    0x4E: "nvidia", 0x50: "apm", 0x51: "qualcomm", 0x53: "samsung", 0x56: "marvell", 0x61: "apple", 0x66: "faraday",
    0x69: "intel", 0x6D: "microsoft", 0x70: "phytium", 0xC0: "ampere",
}

# implementer -> size -> part -> name; size None: it never stands beside other cores, or its place is not known
_CORES: dict[int, dict[str | None, dict[int, str]]] = {
    0x41: {
        LITTLE: {
            0xC05: "Cortex-A5", 0xC07: "Cortex-A7", 0xD01: "Cortex-A32", 0xD02: "Cortex-A34", 0xD03: "Cortex-A53",
            0xD04: "Cortex-A35", 0xD05: "Cortex-A55", 0xD46: "Cortex-A510", 0xD80: "Cortex-A520", 0xD88: "Cortex-A520AE",
            0xD8F: "Cortex-A320", 0xD8A: "C1-Nano",
        },
        MIDDLE: {
            0xC0D: "Cortex-A17", 0xC0E: "Cortex-A17", 0xC0F: "Cortex-A15", 0xD06: "Cortex-A65", 0xD07: "Cortex-A57",
            0xD08: "Cortex-A72", 0xD09: "Cortex-A73", 0xD0A: "Cortex-A75", 0xD0B: "Cortex-A76", 0xD0D: "Cortex-A77",
            0xD0E: "Cortex-A76AE", 0xD41: "Cortex-A78", 0xD42: "Cortex-A78AE", 0xD43: "Cortex-A65AE", 0xD4B: "Cortex-A78C",
            0xD47: "Cortex-A710", 0xD4D: "Cortex-A715", 0xD81: "Cortex-A720", 0xD89: "Cortex-A720AE", 0xD87: "Cortex-A725",
            0xD8B: "C1-Pro",
        },
        BIG: {
            0xD44: "Cortex-X1", 0xD4C: "Cortex-X1C", 0xD48: "Cortex-X2", 0xD4E: "Cortex-X3", 0xD82: "Cortex-X4",
            0xD85: "Cortex-X925", 0xD8C: "C1-Ultra", 0xD90: "C1-Premium",
        },
        None: {
            0x926: "ARM926", 0xB02: "ARM11 MPCore", 0xB36: "ARM1136", 0xB56: "ARM1156", 0xB76: "ARM1176", 0xC08: "Cortex-A8",
            0xC09: "Cortex-A9", 0xD0C: "Neoverse-N1", 0xD40: "Neoverse-V1", 0xD49: "Neoverse-N2", 0xD4A: "Neoverse-E1",
            0xD4F: "Neoverse-V2", 0xD83: "Neoverse-V3AE", 0xD84: "Neoverse-V3", 0xD8E: "Neoverse-N3",
        },
    },
    0x42: {None: {0x00F: "Brahma-B15", 0x100: "Brahma-B53", 0x516: "ThunderX2"}},
    0x43: {None: {0x0A1: "ThunderX-88XX", 0x0A2: "ThunderX-81XX", 0x0A3: "ThunderX-83XX", 0x0AF: "ThunderX2-99xx"}},
    0x46: {None: {0x001: "A64FX"}},
    0x48: {None: {0xD01: "Kunpeng-920"}, MIDDLE: {0xD40: "Cortex-A76"}},
    0x4E: {None: {0x000: "Denver", 0x003: "Denver 2", 0x004: "Carmel", 0x010: "Olympus"}},
    0x50: {None: {0x000: "X-Gene"}},
    0x51: {
        LITTLE: {0x801: "Kryo-2XX-Silver", 0x803: "Kryo-3XX-Silver", 0x805: "Kryo-4XX-Silver"},
        MIDDLE: {0x800: "Kryo-2XX-Gold", 0x802: "Kryo-3XX-Gold", 0x804: "Kryo-4XX-Gold"},
        BIG: {0x001: "Oryon"},
        None: {
            0x00F: "Scorpion", 0x02D: "Scorpion", 0x04D: "Krait", 0x06F: "Krait", 0x201: "Kryo", 0x205: "Kryo", 0x211: "Kryo",
            0xC00: "Falkor", 0xC01: "Saphira",
        },
    },
    0x53: {BIG: {0x001: "Exynos-M1", 0x002: "Exynos-M3", 0x003: "Exynos-M4", 0x004: "Exynos-M5"}},
    0x61: {
        LITTLE: {
            0x020: "Icestorm-A14", 0x022: "Icestorm-M1", 0x024: "Icestorm-M1-Pro", 0x028: "Icestorm-M1-Max",
            0x030: "Blizzard-A15", 0x032: "Blizzard-M2", 0x034: "Blizzard-M2-Pro", 0x038: "Blizzard-M2-Max",
        },
        BIG: {
            0x021: "Firestorm-A14", 0x023: "Firestorm-M1", 0x025: "Firestorm-M1-Pro", 0x029: "Firestorm-M1-Max",
            0x031: "Avalanche-A15", 0x033: "Avalanche-M2", 0x035: "Avalanche-M2-Pro", 0x039: "Avalanche-M2-Max",
        },
    },
    0x6D: {None: {0xD49: "Azure-Cobalt-100"}},
    0x70: {None: {0x660: "FTC660", 0x661: "FTC661", 0x662: "FTC662", 0x663: "FTC663"}},
    0xC0: {None: {0xAC3: "Ampere-1", 0xAC4: "Ampere-1a"}},
}

_BY_PART: dict[tuple[int, int], tuple[str, str | None]] = {
    (implementer, part): (name, size)
    for implementer, sizes in _CORES.items()
    for size, parts in sizes.items()
    for part, name in parts.items()
}


def part_id(part: tuple[int, int]) -> str:
    """(0x41, 0xd0b) -> `0x41:0xd0b`."""
    return f"0x{part[0]:02x}:0x{part[1]:03x}"


def core_name(part: tuple[int, int]) -> str | None:
    """Name of a core, None when the table lacks it."""
    return _BY_PART.get(part, (None, None))[0]


def core_size(part: tuple[int, int]) -> str | None:
    """little, middle, big: its place among the cores of one chip; None where that is not known."""
    return _BY_PART.get(part, (None, None))[1]
