from __future__ import annotations

from typing import Any

import pytest

from recommender.domain.catalog import Catalog, MatchRow
from recommender.domain.facts import MachineFacts
from recommender.domain.quantity import Sourced
from recommender.intake.identify import find_machine, identify, match_device, normalise_name, target_of_machine
from tests.invented import GIB, device, facts, fingerprint
from tests.invented import catalog as invented_catalog


@pytest.mark.parametrize(("text", "expected"), [
    ("Intel(R) Core(TM) i7-1185G7 @ 3.00GHz", "intel core i7-1185g7"),
    ("Intel(R) Core(TM) i9-12900K CPU @ 3.20GHz", "intel core i9-12900k"),
    ("AMD Ryzen 9 7950X 16-Core Processor", "amd ryzen 9 7950x 16-core"),
    ("  Apple   M4 Max ", "apple m4 max"),
    ("Qualcomm® Adreno™ GPU", "qualcomm adreno gpu"),
    ("", ""),
])
def test_names_lose_their_decoration(text: str, expected: str) -> None:
    assert normalise_name(text) == expected
    assert normalise_name(normalise_name(text)) == expected


def row(key: str, *match: dict[str, str], kind: str = "cpu", generic: bool = False) -> MatchRow:
    return MatchRow(key=key, kind=kind, generic=generic, match=match)


def matched(seen: Any, *rows: MatchRow, architecture: str | None = "x86_64") -> str | None:
    found = match_device(seen, rows, architecture)
    assert found == match_device(seen, tuple(reversed(rows)), architecture), "the order of the entries must not matter"
    return found.key if found else None


EXACT, NAME = row("exact", {"cpuid": "GenuineIntel:6:140:1"}), row("name", {"name": "intel core i7"})
PATTERN, LONGER = row("pattern", {"name_pattern": "intel core *"}), row("longer", {"name_pattern": "intel core i7*"})
GENERIC = row("generic", {"architecture": "x86_64"}, generic=True)


@pytest.mark.parametrize(("rows", "expected"), [
    ((EXACT, PATTERN, LONGER, GENERIC), "exact"),
    ((NAME, PATTERN, LONGER, GENERIC), "name"),
    ((PATTERN, LONGER, GENERIC), "longer"),
    ((PATTERN, GENERIC), "pattern"),
    ((GENERIC,), "generic"),
    ((), None),
])
def test_exact_before_pattern_before_generic(rows: tuple[MatchRow, ...], expected: str | None) -> None:
    seen = device(name="Intel(R) Core(TM) i7 @ 3GHz", identifiers={"cpuid": "GenuineIntel:6:140:1"})
    assert matched(seen, *rows) == expected


def test_more_identifiers_beat_fewer() -> None:
    assert matched(device(identifiers={"soc": "X1", "board": "b"}), row("one", {"soc": "X1"}), row("two", {"soc": "X1", "board": "b"})) == "two"


@pytest.mark.parametrize("seen", [device("gpu0", identifiers={"soc": "X1"}), device(identifiers={"soc": "X2"}), device(identifiers={}), device(name=None)])
def test_what_does_not_fit_is_not_matched(seen: Any) -> None:
    assert matched(seen, row("one", {"soc": "X1"}), row("empty", {"name_pattern": "*"} if seen.name else {"name": "x"})) is None


def test_all_of_a_match_set_must_fit() -> None:
    assert matched(device(identifiers={"soc": "X1"}), row("both", {"soc": "X1", "board": "b"})) is None


@pytest.mark.parametrize(("told", "known"), [("X1E80100", "X1E-80-100"), ("apple m4 max", "Apple M4 Max"), ("SM8750", "sm8750")])
def test_chips_compare_without_case_spaces_and_hyphens(told: str, known: str) -> None:
    assert matched(device(identifiers={"soc": told}), row("one", {"soc": known})) == "one"


@pytest.mark.parametrize(("name", "pci", "key"), [
    ("NVIDIA GeForce RTX 4060 Laptop GPU", None, "nvidia.rtx-4060-laptop.gpu"),
    ("NVIDIA GeForce RTX 4060", None, "nvidia.rtx-4060.gpu"),
    ("NVIDIA GeForce RTX 4060 Ti", None, "nvidia.rtx-4060-ti.gpu"),
    (None, "10de:28e0", "nvidia.rtx-4060-laptop.gpu"),
])
def test_a_laptop_chip_is_not_its_desktop_namesake(name: str | None, pci: str | None, key: str, catalog: Catalog) -> None:
    seen = device("gpu0", vendor="nvidia", name=name, identifiers={"pci": pci} if pci else {})
    found = match_device(seen, catalog.matches, "x86_64")
    assert found is not None and found.key == key


def test_unknown_silicon_is_said_as_an_assumption(catalog: Catalog) -> None:
    seen = fingerprint(device(vendor=None, name="Zhongda X9000", identifiers={}), device("npu0", vendor="zhongda", name="Zhongda N1"))
    found = identify(seen, catalog, kind="recording", name="r")
    assert found.unmatched == ("cpu0", "npu0")
    assert found.matched["cpu0"].generic and "npu0" not in found.matched
    assert [line.partition(":")[0] for line in found.assumptions] == ["cpu0 (Zhongda X9000)", "npu0 (Zhongda N1)"]
    assert found.matched["cpu0"].name in found.assumptions[0]


def test_known_silicon_needs_no_assumption(catalog: Catalog) -> None:
    seen = fingerprint(device(vendor="broadcom", identifiers={"soc": "BCM2712"}), architecture="aarch64")
    found = identify(seen, catalog, kind="recording", name="r")
    assert found.matched["cpu0"].key == "broadcom.bcm2712.cpu" and found.assumptions == () and found.unmatched == ()


def machine(key: str, **values: Any) -> MachineFacts:
    return MachineFacts(**{"key": key, "name": key.title(), "class_": "sbc", "os": "linux", "architecture": "aarch64", "devices": ("acme.one.cpu",), **values})


def knowing(*machines: MachineFacts) -> Catalog:
    known = {"acme.one.cpu": facts(), "acme.card.gpu": facts("gpu", memory_kind="dedicated", capability={"memory_capacity": Sourced(value=8 * GIB)})}
    return invented_catalog(devices=known, machines={row.key: row for row in machines})


@pytest.mark.parametrize(("machines", "expected"), [
    ((machine("a", match=({"model": "Board Five"},)),), "a"),
    ((machine("a", match=({"model": "board-five"},)), machine("b", match=({"model": "other"},))), "a"),
    ((machine("a", match=({"model": "Board Five"},)), machine("b", match=({"model": "Board Five"},))), None),
    ((machine("a", match=({"model": "Board Five", "vendor": "x"},)),), None),
    ((machine("a", match=({},)),), None),
])
def test_a_machine_is_named_when_exactly_one_fits(machines: tuple[MachineFacts, ...], expected: str | None) -> None:
    found = identify(fingerprint(device(), machine={"model": "Board Five"}), knowing(*machines), kind="recording", name="r")
    assert (found.machine.key if found.machine else None) == expected


@pytest.mark.parametrize("words", ["raspberry-pi-5", "Raspberry Pi 5", "raspberry pi 5", "rpi5", "RPI 5", "Pi 5"])
def test_machines_are_found_as_people_write_them(words: str, catalog: Catalog) -> None:
    found = find_machine(words, catalog)
    assert found is not None and found.key == "raspberry-pi-5"


def test_an_unknown_machine_is_none(catalog: Catalog) -> None:
    assert find_machine("no such machine", catalog) is None


def test_names_and_aliases_are_unambiguous(catalog: Catalog) -> None:
    for entry in catalog.machines.values():
        for words in (entry.key, entry.name, *entry.aliases):
            found = find_machine(words, catalog)
            assert found is entry, f"`{words}` of {entry.key} finds {found and found.key}"


@pytest.mark.parametrize(("memory", "options", "total", "said"), [
    (None, (8 * GIB, 4 * GIB), 4 * GIB, 1), (16 * GIB, (4 * GIB, 8 * GIB), 16 * GIB, 0), (None, (), None, 0),
])
def test_the_smallest_sold_memory_is_assumed_and_said(memory: int | None, options: tuple[int, ...], total: int | None, said: int) -> None:
    entry = machine("a", memory_options=options)
    found = target_of_machine(entry, knowing(entry), memory=memory)
    assert found.fingerprint.memory.total == total
    assert len(found.assumptions) == said
    assert not said or "--memory" in found.assumptions[0]


def test_the_host_of_a_bare_card_is_said_and_its_memory_can_be_set() -> None:
    entry = machine("card", devices=("acme.one.cpu", "acme.card.gpu", "acme.card.gpu"), default_host="Assumed host: a desktop.")
    plain, larger = target_of_machine(entry, knowing(entry)), target_of_machine(entry, knowing(entry), vram=12 * GIB)
    assert plain.assumptions == ("Assumed host: a desktop.",)
    assert [(d.id, d.memory_total) for d in plain.fingerprint.devices] == [("cpu0", None), ("gpu0", 8 * GIB), ("gpu1", 8 * GIB)]
    assert [d.memory_total for d in larger.fingerprint.devices] == [None, 12 * GIB, 12 * GIB]


def test_every_machine_of_the_catalogue_becomes_a_target(catalog: Catalog) -> None:
    for entry in catalog.machines.values():
        found = target_of_machine(entry, catalog)
        assert [found.matched[d.id].key for d in found.fingerprint.devices] == list(entry.devices)
        assert len({d.id for d in found.fingerprint.devices}) == len(entry.devices)
