from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from recommender.domain.catalog import Catalog
from recommender.loader import compiled
from recommender.loader.codec import load
from recommender.loader.files import layers
from recommender.loader.sections import SECTIONS
from tests.loader.overlay import folder

MACHINE = '[[machine]]\nkey = "my-board"\nname = "{}"\nclass_ = "sbc"\nos = "linux"\narchitecture = "aarch64"\ndevices = []\n'


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("compiled")


@pytest.fixture(scope="module")
def cold() -> Catalog:
    return load(layers())


@pytest.fixture(scope="module")
def warm(cache: Path) -> Catalog:
    compiled.load_catalog(cache_dir=cache)
    return compiled.load_catalog(cache_dir=cache)


@pytest.mark.parametrize("name", [section.name for section in SECTIONS])
def test_warm_equals_cold(cold: Catalog, warm: Catalog, name: str) -> None:
    validated, read = getattr(cold, name), getattr(warm, name)
    if isinstance(validated, dict):
        assert {key: read[key] for key in read} == validated
    else:
        assert read == validated


def test_warm_keeps_what_stands_beside_the_sections(cold: Catalog, warm: Catalog) -> None:
    assert (warm.version, warm.layers, warm.vocabulary, warm.overlaid) == (
        cold.version,
        cold.layers,
        cold.vocabulary,
        cold.overlaid,
    )
    assert warm.evidence == cold.evidence


def test_second_load_reads_the_compiled_file(cache: Path, warm: Catalog, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("validated again")

    monkeypatch.setattr("recommender.loader.codec.load", refuse)
    assert isinstance(compiled.load_catalog(cache_dir=cache).models, compiled.LazyEntries)


@pytest.mark.parametrize("content", ["", "{}", "{}\n" * 3, "\x00\x01"], ids=["empty", "one line", "few lines", "junk"])
def test_corrupt_cache_is_made_again(tmp_path: Path, content: str, cold: Catalog) -> None:
    compiled.load_catalog(cache_dir=tmp_path)
    (path,) = tmp_path.glob("catalog-*.json")
    path.write_text(content)
    assert compiled.load_catalog(cache_dir=tmp_path).version == cold.version
    assert path.stat().st_size > 1000


def test_an_unfinished_cache_is_not_left_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cold: Catalog) -> None:
    def full(self: Path, target: Path) -> Path:
        raise OSError("no space left")

    monkeypatch.setattr(Path, "replace", full)
    assert compiled.load_catalog(cache_dir=tmp_path).version == cold.version
    assert list(tmp_path.iterdir()) == []


def test_a_link_back_to_its_own_folder_ends(tmp_path: Path) -> None:
    overlay = tmp_path / "overlay"
    (overlay / "machines").mkdir(parents=True)
    (overlay / "machines" / "again").symlink_to(overlay, target_is_directory=True)
    (overlay / "machines" / "self").symlink_to(overlay / "machines" / "self")
    assert compiled.load_catalog((str(overlay),), cache_dir=tmp_path / "cache").layers[-1] == str(overlay)


@pytest.mark.parametrize(
    "damage",
    [lambda body: body[: len(body) // 2], lambda body: body.replace(b"llama", b'"lama', 1)],
    ids=["truncated", "one place"],
)
def test_damaged_cache_is_made_again(tmp_path: Path, damage: Callable[[bytes], bytes], cold: Catalog) -> None:
    compiled.load_catalog(cache_dir=tmp_path)
    (path,) = tmp_path.glob("catalog-*.json")
    path.write_bytes(damage(path.read_bytes()))
    assert dict(compiled.load_catalog(cache_dir=tmp_path).models) == cold.models


def test_changed_file_is_read_again(tmp_path: Path) -> None:
    root = folder(tmp_path / "mine", {"machines/m.toml": MACHINE.format("Old")})
    assert compiled.load_catalog((str(root),), cache_dir=tmp_path / "cache").machines["my-board"].name == "Old"
    path = root / "machines/m.toml"
    before = path.stat().st_mtime_ns
    path.write_text(MACHINE.format("New"))
    os.utime(path, ns=(before + 1, before + 1))
    found = compiled.load_catalog((str(root),), cache_dir=tmp_path / "cache")
    assert found.machines["my-board"].name == "New"
    assert found.overlaid == {"machines:my-board": str(root)}
    assert len(list((tmp_path / "cache").glob("catalog-*"))) == 1


def test_folder_that_cannot_be_written_is_no_reason_to_stop(tmp_path: Path, cold: Catalog) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("")
    assert compiled.load_catalog(cache_dir=blocked / "cache").version == cold.version
