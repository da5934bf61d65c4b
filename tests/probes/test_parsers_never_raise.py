"""A parser returns an Observation whatever it is given: junk, other types, and lines that look almost right."""

from __future__ import annotations

import importlib
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recommender.domain.fingerprint import Observation
from recommender.ports import PROBE_API

PROBES = ("apple_silicon", "windows", "snapdragon", "android", "boards")
KEYS = (
    "hw.memsize",
    "machdep.cpu.brand_string",
    "Chip",
    "Total Number of Cores",
    "AdapterRAM",
    "PNPDeviceID",
    "Name",
    "Card name",
    "ro.soc.model",
    "ro.board.platform",
    "DT compat",
    "Mem",
    "SoC guess",
    "GLES",
    "Driver",
    "VRAM (Total)",
    "Chipset Model",
    "NumberOfCores",
)
VALUES = (
    "",
    "0",
    "-1",
    "9" * 30,
    "Apple M4",
    "16 GB",
    "1,2,3",
    "[",
    "(",
    "nvidia,p3767-0003",
    "0x",
    "SM8550",
    "PCI\\VEN_8086&DEV_",
    "١٢",
    "\0",
    "{}",
)
LINES = st.lists(
    st.tuples(st.sampled_from(KEYS), st.sampled_from((": ", "=", " : ", "\t", "]: [")), st.sampled_from(VALUES)), max_size=8
).map(lambda rows: "\n".join(key + mark + value for key, mark, value in rows))
JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.sampled_from(VALUES),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from((*KEYS, "SPHardwareDataType", "gpu", "cpu", "npu")), inner, max_size=3)
    ),
    max_leaves=8,
)


@pytest.mark.parametrize("probe", PROBES)
@settings(max_examples=60, deadline=None)
@given(
    raw=st.dictionaries(
        st.text(max_size=8), st.none() | st.integers() | st.text() | st.binary() | LINES | JSON_VALUES, max_size=3
    )
)
def test_any_input_gives_an_observation(probe: str, raw: dict[str, object]) -> None:
    assert isinstance(importlib.import_module(f"probes.{probe}").parse(raw), Observation)


@pytest.mark.parametrize("probe", PROBES)
@settings(max_examples=60, deadline=None)
@given(document=JSON_VALUES)
def test_any_json_gives_an_observation(probe: str, document: object) -> None:
    assert isinstance(importlib.import_module(f"probes.{probe}").parse({"output": json.dumps(document)}), Observation)


@pytest.mark.parametrize("probe", PROBES)
@pytest.mark.parametrize(
    "text", [" " * 200_000, "\n" * 200_000, "a" * 200_000, "[" * 100_000, "{" * 5_000 + "}" * 5_000, "1 " * 50_000]
)
def test_long_junk_is_read_in_time(probe: str, text: str) -> None:
    assert isinstance(importlib.import_module(f"probes.{probe}").parse({"output": text}), Observation)


@pytest.mark.parametrize("probe", PROBES)
def test_a_probe_says_what_it_is(probe: str) -> None:
    module = importlib.import_module(f"probes.{probe}")
    assert (module.name, module.api) == (probe, PROBE_API)
    assert isinstance(module.volatile, bool) and module.platforms
