"""macOS names of instruction-set features in Linux spelling (Linux: arch/arm64 hwcap names and x86 cpufeature names)."""

from __future__ import annotations

import re
from collections.abc import Mapping

# sysctl hw.optional.* key (last part, lower case) -> Linux hwcap names
_ARM = {
    "floatingpoint": ("fp",),
    "neon": ("asimd",),
    "advsimd": ("asimd",),
    "arm64": ("fp", "asimd"),  # AArch64 on macOS always has both
    "neon_fp16": ("fphp", "asimdhp"),
    "feat_fp16": ("fphp", "asimdhp"),
    "armv8_crc32": ("crc32",),
    "feat_crc32": ("crc32",),
    "armv8_1_atomics": ("atomics",),
    "feat_lse": ("atomics",),
    "armv8_2_fhm": ("asimdfhm",),
    "feat_fhm": ("asimdfhm",),
    "armv8_2_sha512": ("sha512",),
    "feat_sha512": ("sha512",),
    "armv8_2_sha3": ("sha3",),
    "feat_sha3": ("sha3",),
    "armv8_3_compnum": ("fcma",),
    "feat_fcma": ("fcma",),
    "feat_dotprod": ("asimddp",),
    "feat_i8mm": ("i8mm",),
    "feat_bf16": ("bf16",),
    "feat_ebf16": ("ebf16",),
    "feat_sme": ("sme",),
    "feat_sme2": ("sme2",),
    "feat_sme2p1": ("sme2p1",),
    "sme_f32f32": ("smef32f32",),
    "sme_bi32i32": ("smebi32i32",),
    "sme_b16f32": ("smeb16f32",),
    "sme_f16f32": ("smef16f32",),
    "sme_i8i32": ("smei8i32",),
    "sme_i16i32": ("smei16i32",),
    "feat_sme_f64f64": ("smef64f64",),
    "feat_sme_i16i64": ("smei16i64",),
    "feat_sme_f16f16": ("smef16f16",),
    "feat_sme_b16b16": ("smeb16b16",),
    "feat_sve": ("sve",),
    "feat_sve2": ("sve2",),
    "feat_rdm": ("asimdrdm",),
    "feat_aes": ("aes",),
    "feat_pmull": ("pmull",),
    "feat_sha1": ("sha1",),
    "feat_sha256": ("sha2",),
    "feat_jscvt": ("jscvt",),
    "feat_lrcpc": ("lrcpc",),
    "feat_lrcpc2": ("ilrcpc",),
    "feat_dpb": ("dcpop",),
    "feat_dpb2": ("dcpodp",),
    "feat_flagm": ("flagm",),
    "feat_flagm2": ("flagm2",),
    "feat_frintts": ("frint",),
    "feat_sb": ("sb",),
    "feat_ssbs": ("ssbs",),
    "feat_bti": ("bti",),
    "feat_dit": ("dit",),
    "feat_lse2": ("uscat",),
    "feat_ecv": ("ecv",),
    "feat_pauth": ("paca", "pacg"),
    "feat_afp": ("afp",),
    "feat_rpres": ("rpres",),
    "feat_wfxt": ("wfxt",),
    "feat_cssc": ("cssc",),
}
# words of machdep.cpu.*features whose Linux flag is not just the lower-case word
_X86 = {
    "sse3": "pni",
    "pclmulqdq": "pclmulqdq",
    "mon": "monitor",
    "dscpl": "ds_cpl",
    "sse4.1": "sse4_1",
    "sse4.2": "sse4_2",
    "avx1.0": "avx",
    "tpr": "xtpr",
    "clfsh": "clflush",
    "htt": "ht",
    "lahf": "lahf_lm",
    "em64t": "lm",
    "xd": "nx",
    "1gbpage": "pdpe1gb",
    "lzcnt": "abm",
    "prefetchw": "3dnowprefetch",
    "rdwrfsgs": "fsgsbase",
    "clfsopt": "clflushopt",
    "ipt": "intel_pt",
    "avx512vpopcntdq": "avx512_vpopcntdq",
    "avx512vnni": "avx512_vnni",
    "avx512bitalg": "avx512_bitalg",
    "avx512vbmi2": "avx512_vbmi2",
    "avx512bf16": "avx512_bf16",
    "vaes": "vaes",
    "vpclmulqdq": "vpclmulqdq",
    "osxsave": "osxsave",
    "tsc_thread_offset": "tsc_adjust",
}
# hw.optional.* of Intel Macs; machdep.cpu.*features says more where it is printed
_X86_OPTIONAL = {
    "mmx": "mmx",
    "sse": "sse",
    "sse2": "sse2",
    "sse3": "pni",
    "supplementalsse3": "ssse3",
    "sse4_1": "sse4_1",
    "sse4_2": "sse4_2",
    "x86_64": "lm",
    "aes": "aes",
    "avx1_0": "avx",
    "rdrand": "rdrand",
    "f16c": "f16c",
    "fma": "fma",
    "avx2_0": "avx2",
    "bmi1": "bmi1",
    "bmi2": "bmi2",
    "adx": "adx",
    "avx512f": "avx512f",
    "avx512cd": "avx512cd",
    "avx512dq": "avx512dq",
    "avx512bw": "avx512bw",
    "avx512vl": "avx512vl",
    "avx512ifma": "avx512ifma",
    "avx512vbmi": "avx512vbmi",
}


def features_of(sysctl: Mapping[str, str]) -> tuple[str, ...]:
    """Features that the printed keys of `sysctl` show, sorted; a key that is absent or 0 gives none."""
    found: set[str] = set()
    for key, value in sysctl.items():
        if key.startswith("hw.optional.") and value not in ("", "0"):
            word = key.rpartition(".")[2].lower()
            found.update(_ARM.get(word, ()))
            found.update([_X86_OPTIONAL[word]] if word in _X86_OPTIONAL and not key.startswith("hw.optional.arm.") else [])
        elif re.fullmatch(r"machdep\.cpu\.(leaf7_|ext)?features", key):
            found.update(_X86.get(word, word) for word in value.lower().split())
    return tuple(sorted(found))
