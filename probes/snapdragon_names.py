"""Qualcomm's names: chip codes, Adreno, Oryon and Kryo, Hexagon, and the numbers under which Linux knows the chips."""

from __future__ import annotations

import re

_CODE = re.compile(
    r"\b((?:SM|SC|QCM|QCS|QRB|SA|MSM|SDM|SDA|SDX|APQ|SXR|SSG|IQ|SW)\d{3,4}[A-Z]{0,3})(?:-[0-9]?-?[A-Z]{1,3})?\b", re.IGNORECASE
)
_COMPUTE = re.compile(r"\bX(\d)([EP]?)-?(\d{2})-?(\d{3})(?:-[A-Z0-9]+)?\b", re.IGNORECASE)
_OLD = re.compile(r"MSM|APQ|SDM|SDA", re.IGNORECASE)
# Number in /sys/devices/soc0/soc_id -> chip, from Linux include/dt-bindings/arm/qcom,ids.h.
_NUMBERS = {
    "246": "MSM8996",
    "292": "MSM8998",
    "317": "SDM660",
    "321": "SDM845",
    "339": "SM8150",
    "356": "SM8250",
    "425": "SC7180",
    "434": "SM6350",
    "439": "SM8350",
    "444": "SM6115",
    "449": "SC8280XP",
    "455": "QRB5165",
    "457": "SM8450",
    "459": "SM7225",
    "475": "SM7325",
    "480": "SM8450",
    "482": "SM8450",
    "487": "SC7280",
    "497": "QCM6490",
    "498": "QCS6490",
    "507": "SM6375",
    "519": "SM8550",
    "530": "SM8475",
    "555": "X1E80100",
    "557": "SM8650",
}


def soc_of(text: str) -> str | None:
    """The chip code in `text` without its speed grade: `SM8550-AB` -> `SM8550`, `X1E-80-100` -> `X1E80100`."""
    found = _COMPUTE.search(text)
    if found:
        return f"X{found[1]}{found[2]}{found[3]}{found[4]}".upper()
    found = _CODE.search(text)
    return found[1].upper() if found else None


def soc_of_number(number: str) -> str | None:
    """The chip by the number that the kernel prints; None where the number is not in its list."""
    return _NUMBERS.get(number.strip())


def adreno_of(text: str) -> str | None:
    """`Adreno (TM) 740`, `qcom,adreno-643.0`, `Adreno(TM) X1-85 GPU`, `S8Adreno540_70` -> `Adreno 740`, and so on.

    `Adreno` alone when no number is said, None when the text names no Adreno.
    """
    found = re.search(r"adreno[\s-]*(?:\(tm\))?[\s-]*(X\d-\d{2}|\d{3})?", text, re.IGNORECASE)
    if not found:
        return None
    return f"Adreno {found[1].upper()}" if found[1] else "Adreno"


def has_tensor_unit(soc: str) -> bool:
    """Chips named before 2019 carry a Hexagon signal processor only; those since are sold with the tensor unit (Hexagon NPU)."""
    return not _OLD.match(soc)
