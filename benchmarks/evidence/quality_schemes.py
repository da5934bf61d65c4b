"""Spellings of quantization in published quality tables -> (scheme in our spelling, bits per weight, bits of activations, method)."""

from __future__ import annotations

import re
from typing import NamedTuple


class Spelled(NamedTuple):
    """`scheme` is a catalogue key where the catalogue has it. Bits are None where the spelling does not say."""

    scheme: str
    bits: float | None = None
    activation_bits: float = 16
    method: str = ""


_GGUF = re.compile(r"(?:UD-)?(I?Q\d\w*?|TQ\d\w*|MXFP4)(?: \(.*\))?$")
_GGUF_ROUND = {"q2ks": "Q2_K_S", "q3ks": "Q3_K_S", "q4km": "Q4_K_M", "q3ks-opt-rtn": "Q3_K_S", "opt-rtn (2bit)": "Q2_K_S", "opt-rtn (4bit)": "Q4_K_M"}
_FLOATS = {
    "fp8": ("fp8", 8, 8), "fp8_e4m3": ("fp8", 8, 16), "fp8_e5m2": ("fp8-e5m2", 8, 16), "fp6": ("fp6", 6, 16), "float8_rowwise w+a": ("fp8", 8, 8),
    "mxfp8": ("MXFP8", 8.25, 8), "nvfp4": ("NVFP4", 4.5, 4), "fp4": ("FP4", 4.5, 16), "4bitfp4": ("FP4", 4.5, 16), "bf16": ("BF16", 16, 16), "fp16": ("F16", 16, 16),
}  # fmt: skip
_PATTERNS: tuple[tuple[str, str], ...] = (
    # spelling -> kind; the groups are read by `_read`
    (r"(?P<method>AWQ|AutoRound|GPTQ\*?|HQQ|Omniquant|RTN) W(?P<bits>\d)G(?P<group>-?\d+)", "group"),
    (r"w(?P<bits>\d)g(?P<group>\d+)", "group"),
    (r"(?P<method>GPTQ|RTN) (?P<bits>\d)-bit(?: g(?P<group>\d+))?", "group"),
    (r"(?P<method>GPTQ)-(?P<group>128)g", "group"),
    (r"int(?P<bits>4)_a?sym_g(?P<group>\d+)(?:_r(?P<ratio>\d+))?(?P<method>\w*)", "group"),
    (r"int(?P<bits>4)_sym_r100_gs(?P<group>\d+)(?P<method>\w*)", "group"),
    (r"(?P<method>)8da(?P<bits>4)w g(?P<group>\d+)", "group8"),
    (r"INT(?P<bits>[48]) (?P<method>AWQ|RTN)", "onnx"),
    (r"mlx q(?P<bits>\d)(?: g(?P<group>\d+))?", "mlx"),
    (r"(?P<method>\w+[-\w]*) W(?P<bits>\d)A(?P<activation>\d+)KV(?P<kv>\d+)", "wa"),
    (r"W(?P<bits>\d)A(?P<activation>\d+)(?: (?P<method>AWQ))?", "wa"),
    (r"linear INT (?P<bits>[48]) bits per block, block size (?P<group>\d+)", "group"),
    (r"linear INT (?P<bits>[48]) bits per (?P<method>channel|tensor)", "group"),
    (r"(?P<method>palettized) (?P<bits>\d)[- ]bits? .*", "palette"),
    (r"(?P<bits>\d)[- ]bit (?P<method>palettized).*", "palette"),
    (r"palettized (?P<bits>\d)-bit (?P<method>.*)", "palette"),
    (r"dynamic INT(?P<bits>4) block(?P<group>\d+)", "group"),
    (r"(?:mxfp4|nvfp4) g\d+ (?P<method>.*)", "mx"),
    (r"nf(?P<bits>4)(?:_ov)?_?.*|4bitnf4", "nf4"),
    (r"CQ(?P<bits>[\d.]+)", "codebook"),
)  # fmt: skip
_EXACT = {
    "int8_rowwise weight-only": Spelled("int8-weights", 8.01), "int8_asym": Spelled("int8-weights", 8.01, method="RTN"), "int8_rowwise w+a": Spelled("int8-dynamic", 8.01, 8),
    "dynamic int8": Spelled("int8-dynamic", 8.01, 8), "8bit": Spelled("int8-weights", 8.01), "int8 (cpu)": Spelled("int8-weights", 8.01), "int4 (cpu)": Spelled("int4-weights-g32", 4.5),
    "int4 (gpu)": Spelled("int4-weights-g32", 4.5), "int8 weight-only (ptq)": Spelled("int8-weights", 8.01), "int8 (per-tensor/qdq)": Spelled("int8-static", 8, 8, "per-tensor"),
    "int8 block-wise weights": Spelled("int8-weights", 8.25), "int8": Spelled("int8-static", 8, 8), "qat: int8": Spelled("int8-static", 8, 8, "QAT"),
    "int8 weight & activation (qat)": Spelled("int8-static", 8, 8, "QAT"), "w8a8 symmetric per-channel (linearquantizer)": Spelled("w8a8", 8, 8),
    "sym_int4": Spelled("int4-weights-g64", 4.25),
    "codebook-4-64": Spelled("codebook-4-g64", 4.25),
}  # fmt: skip


def spelled(quant: str, framework: str = "", bits: float | None = None) -> Spelled | None:
    """What a table's spelling means; None: not a quantization of the weights that we can name (embedding or cache only, mixtures without figures)."""
    text = quant.strip()
    key = text.lower()
    if framework == "Exl2":
        return Spelled(f"exl2-{bits:.4g}", bits, method="Exl2") if bits else None
    if key in _GGUF_ROUND:
        return Spelled(_GGUF_ROUND[key], method="AutoRound" if key in ("q2ks", "q3ks", "q4km") else "RTN")
    if found := re.fullmatch(r"(AutoRound\+alg_ext|Optimized RTN) (q\d_k_[sm])", text):
        return Spelled(found[2].upper(), method=found[1].split("+")[0])
    if key in _FLOATS:
        return Spelled(*_FLOATS[key])
    if key in _EXACT:
        return _EXACT[key]
    if found := re.fullmatch(r"mixed INT4/INT8 (\w+)", text):
        return Spelled("int4-int8-mixed", 6, method=found[1])
    if found := _GGUF.fullmatch(text.replace("q4_k", "Q4_K")):
        is_dynamic = text.startswith("UD-")
        return Spelled(found[1], bits, 8, "UD" if is_dynamic else "")
    for pattern, kind in _PATTERNS:
        if found := re.fullmatch(pattern, text, re.IGNORECASE):
            return _read(kind, found.groupdict(), text)
    return None


def _read(kind: str, part: dict[str, str | None], text: str) -> Spelled:
    width = part.get("bits") or "4"
    method = (part.get("method") or "").strip("_ *")
    group = part.get("group")
    if kind == "palette":
        return Spelled(f"palette-{width}", float(width), method=method if method != "palettized" else "")
    if kind == "mx":
        return Spelled(text[:5].upper(), 4.25 if text.startswith("mx") else 4.5, 4, method)
    if kind == "nf4":
        return Spelled("NF4", 4.5 if "_r" not in text else 5.6)
    if kind == "codebook":
        return Spelled(f"codebook-{width}", float(width))
    if kind == "mlx":
        size = group or "64"
        return Spelled(f"int{width}-mlx-g{size}", int(width) + 32 / int(size))
    if kind == "wa":
        cache = part.get("kv") or "16"
        suffix = "" if cache == "16" else f"-kv{cache}"
        return Spelled(f"w{width}a{part['activation']}{suffix}", float(width), float(part["activation"] or 16), method)
    if kind == "onnx":
        return Spelled("int8-weights" if width == "8" else "int4-weights-g128", int(width) + (0.25 if width == "4" else 0.01), method=method)
    if width == "8":
        return Spelled("int8-weights", 8.01, method="" if method == "channel" else method)
    if group in (None, "-1"):
        return Spelled(f"int{width}-weights-tensor" if method == "tensor" else f"int{width}-weights-channel", float(width), method="" if method in ("tensor", "channel") else method)
    ratio = part.get("ratio")
    share = int(ratio) / 100 if ratio else 1.0
    stored = int(width) + 16 / int(group) + int(width) / int(group)
    mixed = f"-r{share:g}" if share < 1 else ""
    return Spelled(f"int{width}-weights-g{group}{mixed}", share * stored + (1 - share) * 8, 8 if kind == "group8" else 16, method)
