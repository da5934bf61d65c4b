"""Device-tree strings: `model` and `compatible` -> chip, board and maker. Pure."""

from __future__ import annotations

import re

from probes.snapdragon_names import soc_of

# Prefix of a compatible string -> maker of chips (True) or of boards (False), and the name to print.
_MAKERS: dict[str, tuple[bool, str]] = {
    "brcm": (True, "Broadcom"),
    "rockchip": (True, "Rockchip"),
    "nvidia": (True, "NVIDIA"),
    "qcom": (True, "Qualcomm"),
    "amlogic": (True, "Amlogic"),
    "allwinner": (True, "Allwinner"),
    "mediatek": (True, "MediaTek"),
    "fsl": (True, "NXP"),
    "nxp": (True, "NXP"),
    "ti": (True, "Texas Instruments"),
    "starfive": (True, "StarFive"),
    "spacemit": (True, "SpacemiT"),
    "ky": (True, "Ky"),
    "sophgo": (True, "Sophgo"),
    "samsung": (True, "Samsung"),
    "hisilicon": (True, "HiSilicon"),
    "apple": (True, "Apple"),
    "renesas": (True, "Renesas"),
    "st": (True, "STMicroelectronics"),
    "xlnx": (True, "AMD Xilinx"),
    "google": (True, "Google"),
    "thead": (True, "T-Head"),
    "realtek": (True, "Realtek"),
    "axera": (True, "Axera"),
    "raspberrypi": (False, "Raspberry Pi"),
    "radxa": (False, "Radxa"),
    "xunlong": (False, "Xunlong"),
    "hardkernel": (False, "Hardkernel"),
    "friendlyarm": (False, "FriendlyElec"),
    "friendlyelec": (False, "FriendlyElec"),
    "khadas": (False, "Khadas"),
    "pine64": (False, "Pine64"),
    "firefly": (False, "Firefly"),
    "libretech": (False, "Libre Computer"),
    "turing": (False, "Turing Machines"),
    "asus": (False, "ASUS"),
    "toradex": (False, "Toradex"),
    "seeed": (False, "Seeed"),
    "sinovoip": (False, "Banana Pi"),
    "bananapi": (False, "Banana Pi"),
    "beagle": (False, "BeagleBoard"),
    "milkv": (False, "Milk-V"),
    "lenovo": (False, "Lenovo"),
    "dell": (False, "Dell"),
    "hp": (False, "HP"),
}
# tegra23x, arm-platform, g12b: a family or a design, not the chip as sold
_FAMILY_WORDS = re.compile(r"^tegra\d+x$|platform$|^arm|-soc$|^g12|^gx[lmb]|^meson-gx|^sm1$|^axg$|^p\d{4}-\d{4}")
_SPLIT = re.compile(r"(?=(?:" + "|".join(sorted(_MAKERS, key=len, reverse=True)) + r"),)")


def compatibles(text: str) -> tuple[str, ...]:
    """The `maker,product` strings in `text`, whatever stands between them; also where a report lost the NUL bytes between."""
    found: list[str] = []
    for word in re.findall(r"[^\s\0\"']+", text):
        for part in _SPLIT.split(word) if word.count(",") > 1 else [word]:
            if re.fullmatch(r"[a-z][a-z0-9]+,[A-Za-z0-9][\w.+-]*", part) and part not in found:
                found.append(part)
    return tuple(found)


def chip_of(entries: tuple[str, ...]) -> str | None:
    """The chip in catalogue spelling (`BCM2712`, `RK3588`, `TEGRA234`): the last entry of a chip maker that names one."""
    for entry in reversed(entries):
        maker, _, product = entry.partition(",")
        is_chip_maker = _MAKERS.get(maker, (False, ""))[0]
        if is_chip_maker and re.search(r"\d", product) and not _FAMILY_WORDS.search(product):
            if maker == "qcom":
                return soc_of(product) or product.upper()
            return re.sub(r"^(sun\d+i|meson|r8a)-", "", product).upper()
    return None


def maker_of(entries: tuple[str, ...]) -> str | None:
    """Maker of the board by the first entry, None where its prefix is not one that we know."""
    return _MAKERS[entries[0].partition(",")[0]][1] if entries and entries[0].partition(",")[0] in _MAKERS else None


def chip_vendor(entries: tuple[str, ...]) -> str | None:
    """Short name of the chip's maker (`nvidia`, `rockchip`, `broadcom`)."""
    for entry in reversed(entries):
        is_chip_maker, name = _MAKERS.get(entry.partition(",")[0], (False, ""))
        if is_chip_maker:
            return "ti" if name.startswith("Texas") else name.split()[0].lower()
    return None
