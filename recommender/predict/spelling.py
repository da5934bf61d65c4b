"""Free spellings of devices, models, schemes, frameworks and back ends -> catalogue keys.

What the catalogue itself calls a thing is looked up first, in normalised form; `knowledge/aliases/*.toml` holds what is left: spellings,
words that tell nothing (vendors, units) and words that tell two things apart. A spelling that could mean two things means none.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from recommender.domain.catalog import Catalog
from recommender.domain.facts import DeviceFacts
from recommender.domain.model import ModelSpec
from recommender.domain.quantization import QuantScheme
from recommender.estimate.learned.case import Silicon
from recommender.estimate.learned.silicon import silicon_of

_WORD = re.compile(r"[a-z0-9.+]+")
_NOISE = re.compile(r"\((?:r|tm|c)\)|[®™©]|@\s*[\d.]+\s*ghz", re.IGNORECASE)
_UNITS = re.compile(r"(?<=\d)[\s-]+(?=(?:gb|gib|core|cores|tops)\b)")
_PLURAL = re.compile(r"\bcores\b")
_MEMORY = re.compile(r"^\d+(?:gb|gib)$")
_PARENTHESES = re.compile(r"\s*\(([^()]*(?:\([^()]*\)[^()]*)*)\)")
_VERSION = re.compile(r"^v(?=\d)")
_QUANTIZATION = re.compile(r"[-_.:\s](?:ud[-_])?(?:i?q\d(?:[-_][a-z0-9]+)*|[2-8]-?bit|mxfp\d|nvfp\d|fp16|bf16|int[48]|awq|gptq)(?=[-_.:\s]|$)", re.IGNORECASE)
_AMBIGUOUS = ""

Words = frozenset[str]


@dataclass(frozen=True, kw_only=True, slots=True)
class Names:
    """Everything that resolves a spelling, built once. Lookups remember what they were asked.

    Attributes:
        catalog_schemes: scheme key -> scheme. families: kind -> families of units, as the vocabulary lists them.
        units: kind -> words of a name -> device key (empty: could be several). classes: device key -> class of the machine it is in.
        spelled: section -> normalised spelling -> key. noise, distinct: words that tell nothing about a device, and that tell two devices apart.
        active: name of a mixture that the catalogue lacks -> parameters used per token [10^9].
        suffixes: words of a model's name that do not change its speed. bits: scheme that the catalogue lacks -> bits per weight.
    """

    devices: Mapping[str, DeviceFacts]
    models: Mapping[str, ModelSpec]
    catalog_schemes: Mapping[str, QuantScheme]
    families: Mapping[str, tuple[str, ...]]
    units: Mapping[str, Mapping[Words, str]]
    classes: Mapping[str, str]
    spelled: Mapping[str, Mapping[str, str]]
    noise: Words
    distinct: Words
    suffixes: Words
    bits: Mapping[str, float]
    active: Mapping[str, float]
    memory: dict[tuple[str, ...], Any] = field(default_factory=dict, repr=False)

    def device(self, kind: str, *spellings: str) -> DeviceFacts | None:
        """The unit of that kind that the first telling spelling means (a unit, a chip or a machine), or None."""
        asked = ("device", kind, *spellings)
        if asked not in self.memory:
            found = (self._device(kind, text) for text in spellings if text)
            self.memory[asked] = next((device for device in found if device), None)
        return self.memory[asked]  # type: ignore[no-any-return]

    def model(self, text: str) -> ModelSpec | None:
        """The model of this name; quantization, publisher and instruction tuning in the name do not matter."""
        asked = ("model", text)
        if asked not in self.memory:
            known = self.spelled["models"]
            keys = (self._key("model", text), *(known.get(self.model_name(name), "") for name in (text, text.partition("_")[2]) if name))
            self.memory[asked] = self.models.get(next(filter(None, keys), ""))
        return self.memory[asked]  # type: ignore[no-any-return]

    def active_params(self, text: str) -> float | None:
        """Parameters per token of a mixture of experts that the catalogue lacks and whose name does not tell it."""
        found = self.active.get(self.model_name(text)) or self.active.get(self.model_name(text.partition("_")[2]))
        return found * 1e9 if found else None

    def scheme(self, text: str, framework: str = "") -> tuple[str, float | None]:
        """Scheme key and bits per weight. A scheme that the catalogue lacks keeps its spelling; bits are None where nothing tells them."""
        key = self._key("scheme", f"{framework} {text}") or self._key("scheme", text) or self.spelled["schemes"].get(_plain(text), "") or text.strip()
        known = self.catalog_schemes.get(key)
        return key, known.bits_per_weight if known else self.bits.get(_plain(key))

    def framework(self, text: str) -> str:
        """Framework key, or the spelling itself (normalised) for one that the catalogue does not have."""
        return self._key("framework", text) or _plain(text).replace(" ", "-")

    def provider(self, text: str, framework: str, *units: str) -> str:
        """Execution provider key of a back end's name; where none is named, the one that the framework uses on such a unit (family, then kind)."""
        named = (self._key("provider", text), *(self._key("provider", f"{framework} {unit}") for unit in units), "cpu" if "cpu" in units else "")
        return next(filter(None, named), "")

    def family(self, vendor: str, kind: str, text: str) -> str:
        """Family of a unit that the catalogue lacks, where vendor and kind, or a word of its name, leave only one."""
        plain, listed = _plain(text).split(), self.families.get(kind, ())
        named = self._key("family", f"{vendor} {kind}")
        return named or next((family for family in listed if family.partition("-")[0] in plain), "")

    def silicon(self, device: DeviceFacts) -> Silicon:
        """What estimators read of a catalogue device."""
        asked = ("silicon", device.key)
        if asked not in self.memory:
            found = silicon_of(device, group=self.group(device), machine_class=self.classes.get(device.key, ""))
            self.memory[asked] = found if found.memory_bandwidth else replace(found, memory_bandwidth=self._shared_bandwidth(device))
        return self.memory[asked]  # type: ignore[no-any-return]

    def group(self, device: DeviceFacts) -> str:
        """Devices that are the same silicon: those of one chip; for cards, what the alias files put together."""
        return self._key("group", device.key) or _plain(device.soc).replace(" ", "-") or device.key

    def _shared_bandwidth(self, device: DeviceFacts) -> float | None:
        """Units of one chip share its memory: what is known of one holds for the other."""
        others = (other for other in self.devices.values() if device.soc and other.soc == device.soc and "memory_bandwidth" in other.capability)
        return next((float(value) for value in (other.capability["memory_bandwidth"].value for other in others) if value), None)

    def model_name(self, text: str) -> str:
        """A model's name without what does not change its speed: `org_Name-3B-Instruct-Q4_K_M` -> `name3b`."""
        plain = _QUANTIZATION.sub("", text.rpartition("/")[2].lower())
        words = [_VERSION.sub("", word) for word in re.split(r"[\s_\-:/()]+", plain) if word]
        kept = [word for word in words if word not in self.suffixes]
        return "".join(kept).replace(".", "")

    def _key(self, section: str, text: str) -> str:
        return self.spelled.get(section, {}).get(_plain(text), "") if text else ""

    def _device(self, kind: str, text: str) -> DeviceFacts | None:
        if text in self.devices:
            return self.devices[text]
        names = self.units.get(kind, {})
        for words in self._readings(text):
            key = names.get(words)
            if key:
                return self.devices[key]
        return self._within(_words(text, self.noise), names)

    def _readings(self, text: str) -> Iterator[Words]:
        """Ways to read a spelling, the whole first: without memory sizes, without what stands in parentheses, only that, parts of it."""
        outside, inside = _PARENTHESES.sub(" ", text), _PARENTHESES.findall(text)
        parts = [part for piece in (outside, *inside) for part in re.split(r"\s/\s|,\s|;\s|\bw/|\bwith\b", piece)]
        for reading in (text, outside, *inside, *parts):
            words = _words(reading, self.noise)
            yield words
            yield frozenset(word for word in words if not _MEMORY.match(word))

    def _within(self, words: Words, names: Mapping[Words, str]) -> DeviceFacts | None:
        """The longest name that the spelling contains, if what is left over could not mean another device."""
        found = [(len(name), key) for name, key in names.items() if key and len(name) > 1 and name <= words and not (words - name) & self.distinct]
        longest = {key for size, key in found if size == max(found)[0]}
        return self.devices[longest.pop()] if len(longest) == 1 else None


def names_of(catalog: Catalog, aliases: Mapping[str, Mapping[str, Any]]) -> Names:
    """The lookups of a catalogue and the alias tables (section -> spelling -> key, as `read_aliases` returns them)."""
    lists = aliases.get("words", {})
    noise = frozenset(lists.get("noise", ()))
    suffixes = frozenset(lists.get("model_suffixes", ()))
    spelled = {
        section: {_plain(spelling): str(key) for spelling, key in table.items()}
        for section, table in aliases.items() if section not in ("words", "bits", "device", "active_params")
    }
    names = Names(
        devices=catalog.devices, models=catalog.models, catalog_schemes=catalog.schemes,
        families={kind: tuple(found) for kind, found in catalog.vocabulary.get("families", {}).items()},
        units=_units(catalog, aliases.get("device", {}), noise), classes={key: machine.class_ for machine in catalog.machines.values() for key in machine.devices},
        active={}, spelled=spelled, noise=noise, distinct=frozenset(lists.get("distinct", ())), suffixes=suffixes,
        bits={_plain(name): float(bits) for name, bits in aliases.get("bits", {}).items()},
    )
    names = replace(names, active={names.model_name(name): float(billions) for name, billions in aliases.get("active_params", {}).items()})
    spelled["schemes"] = {_plain(name): key for key, scheme in catalog.schemes.items() for name in (scheme.name, key)}
    spelled["models"] = _unique(
        (names.model_name(name), key)
        for key, model in catalog.models.items() for name in (key, model.name, model.repository or "", *model.aliases) if name
    )
    return names


def read_aliases(folder: Path) -> dict[str, dict[str, Any]]:
    """The tables of all alias files in a folder, merged."""
    merged: dict[str, dict[str, Any]] = {}
    for path in sorted(folder.glob("*.toml")):
        for section, table in tomllib.loads(path.read_text("utf-8")).items():
            merged.setdefault(section, {}).update(table)
    return merged


def _units(catalog: Catalog, aliases: Mapping[str, str], noise: Words) -> dict[str, dict[Words, str]]:
    """Kind -> words of a name -> device key. An alias wins over a unit's own name, that over a machine's, that over a chip's."""
    found: dict[str, dict[Words, str]] = {}
    chips = list(_chip_names(catalog))
    for names in (_alias_names(catalog, aliases), _unit_names(catalog), _machine_names(catalog), chips):
        fresh: dict[str, dict[Words, str]] = {}
        for kind, name, key in names:
            words = _words(name, noise)
            table = fresh.setdefault(kind, {})
            if words and table.setdefault(words, key) != key and names is not chips:  # of one chip's variants the first stands for all
                table[words] = _AMBIGUOUS
        for kind, table in fresh.items():
            known = found.setdefault(kind, {})
            for words, key in table.items():
                if not known.get(words):
                    known[words] = key
    return found


def _alias_names(catalog: Catalog, aliases: Mapping[str, str]) -> Iterator[tuple[str, str, str]]:
    """An alias leads to one unit, or, where it leaves out the unit, to each unit of a chip."""
    for name, key in aliases.items():
        whole = [key] if key in catalog.devices else [f"{key}.{kind}" for kind in ("cpu", "gpu", "npu")]
        yield from ((catalog.devices[unit].kind, name, unit) for unit in whole if unit in catalog.devices)


def _unit_names(catalog: Catalog) -> Iterator[tuple[str, str, str]]:
    for key, device in catalog.devices.items():
        if not device.generic:
            own = [wanted[name].replace("*", " ") for wanted in device.match for name in ("name", "name_pattern") if name in wanted and len(wanted) == 1]
            for name in (key.replace(".", " "), device.name, _PARENTHESES.sub(" ", device.name), *own):
                yield device.kind, name, key


def _chip_names(catalog: Catalog) -> Iterator[tuple[str, str, str]]:
    for key, device in catalog.devices.items():
        for chip in (device.soc, *(wanted["soc"] for wanted in device.match if set(wanted) == {"soc"})):
            yield device.kind, chip, key


def _machine_names(catalog: Catalog) -> Iterator[tuple[str, str, str]]:
    for machine in catalog.machines.values():
        for key in machine.devices:
            device = catalog.devices[key]
            if not device.generic:
                for name in (machine.key.replace(".", " "), machine.name, *machine.aliases):
                    yield device.kind, name, key


def _unique(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Name -> key; names that lead to several keys are left out."""
    found: dict[str, str] = {}
    for name, key in pairs:
        if found.setdefault(name, key) != key:
            found[name] = _AMBIGUOUS
    return {name: key for name, key in found.items() if key}


def _plain(text: str) -> str:
    """Lower case, one space between words; every other sign but `.` and `+` separates words."""
    return " ".join(_WORD.findall(_NOISE.sub(" ", text).lower()))


def _words(text: str, noise: Words) -> Words:
    """The words of a device's name that tell which it is."""
    plain = _PLURAL.sub("core", _UNITS.sub("", _NOISE.sub(" ", text).lower().replace("-", " ")))
    return frozenset(_WORD.findall(plain)) - noise
