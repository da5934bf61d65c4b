"""Which maker a printed device name belongs to. Not a probe; pure."""

from __future__ import annotations

import re

_WORDS = {
    "nvidia": r"nvidia|geforce|quadro|\btesla\b",
    "amd": r"\bamd\b|advanced micro devices|radeon|\bati\b|ryzen|instinct|xdna",
    "apple": r"\bapple",
    "qualcomm": r"qualcomm|adreno|hexagon|qcom_|\bqnn\b",
    "hailo": r"hailo",
    "google": r"coral edge tpu|global unichip|google",
    "huawei": r"huawei|ascend",
    "intel": r"\bintel|\barc\(tm\)|movidius",
    "samsung": r"samsung|xclipse",
    "imagination": r"powervr|imagination technologies",
    "broadcom": r"broadcom|videocore|\bv3d\b",
    "arm": r"\bmali\b|mali-|immortalis|\barm\b",
    "moore-threads": r"moore threads",
    "axera": r"axera",
    "deepx": r"deepx",
    "habana": r"habana",
    "rockchip": r"rockchip",
}
_SOFTWARE = re.compile(r"llvmpipe|lavapipe|swiftshader|basic render|softpipe|\bpocl\b|software rasterizer", re.IGNORECASE)


def vendor_in(*texts: str | None) -> str | None:
    """The maker named in the first text that names one (lower-case short name), else None."""
    for text in texts:
        for vendor, words in _WORDS.items():
            if text and re.search(words, text, re.IGNORECASE):
                return vendor
    return None


def is_software_renderer(name: str | None) -> bool:
    """A renderer that runs on the CPU and must not count as a GPU."""
    return bool(name and _SOFTWARE.search(name))
