"""Take out of recorded text what tells one owner's machine from another of its kind.

Everything below the line of equals signs is also part of the stand-alone recorder, word for word; a test holds them equal.
"""

from __future__ import annotations

import getpass
import re
import socket
from collections.abc import Mapping, Sequence
from typing import Any

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
