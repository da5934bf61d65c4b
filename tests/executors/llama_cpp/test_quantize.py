"""Every level of the catalogue is made, does what its name says, and what cannot be made is refused with a reason."""

from __future__ import annotations

import math
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from recommender.domain.catalog import Catalog
from recommender.executors.llama_cpp.quantize import LEVELS
from tests.executors.llama_cpp.conftest import Step

FLOATS = ("F32", "F16", "BF16")
# Most divergence (nats per token) of a small trained model by nominal bits: several times what is found, to catch a wrong level and not luck.
MOST = {16: 1e-4, 8: 1e-3, 6: 2e-3, 5: 4e-3, 4: 1e-2, 3: 5e-2, 2: 0.15, 1: 0.4}


@pytest.fixture(scope="session")
def schemes(catalog: Catalog) -> dict[str, dict[str, Any]]:
    """The GGUF levels of the catalogue that a dense model can have."""
    return {key: asdict(scheme) for key, scheme in catalog.schemes.items() if "gguf" in scheme.formats and key not in ("F32", "MXFP4")}


@pytest.fixture(scope="session")
def made_levels(tiny_llama: Any, schemes: dict[str, dict[str, Any]], inside: Step, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    texts = {"test": str(tiny_llama.test), "calibration": str(tiny_llama.calibration)}
    told = [{"key": key, "needs_calibration": scheme["needs_calibration"]} for key, scheme in schemes.items()]
    found: dict[str, Any] = inside("levels", model=str(tiny_llama.model), texts=texts, schemes=told, out=str(tmp_path_factory.mktemp("levels")))
    return found


@pytest.fixture(scope="session")
def refused(made: Path, tiny_llama: Any, made_levels: dict[str, Any], inside: Step, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    file = Path(made_levels["file"])
    found: dict[str, Any] = inside(
        "refusals", file=str(file), quantized=str(file.parents[1] / "Q4_0" / "model.gguf"), narrow=str(made / "models" / "llama"),
        calibration=str(tiny_llama.calibration), out=str(tmp_path_factory.mktemp("refused")),
    )  # fmt: skip
    return found


def test_every_level_of_the_catalogue_has_a_type(schemes: dict[str, dict[str, Any]]) -> None:
    assert set(schemes) <= set(LEVELS)


def test_every_level_holds_mostly_what_its_name_says(made_levels: dict[str, Any], schemes: dict[str, dict[str, Any]]) -> None:
    assert made_levels["levels"].keys() == schemes.keys()
    for key, found in made_levels["levels"].items():
        types = found["facts"]["tensor_types"]
        assert types[LEVELS[key]] == max(types.values()), key
        assert found["facts"]["fallbacks"] == {}, key
        # the embedding is a fifth of this model and stays better than the rest, so the whole lies above the level's own figure
        assert schemes[key]["weight_bits"] <= found["facts"]["bits_per_weight"] < schemes[key]["bits_per_weight"] + 1, key


def test_divergence_grows_as_bits_fall(made_levels: dict[str, Any], schemes: dict[str, dict[str, Any]]) -> None:
    by_bits: dict[int, list[float]] = {}
    for key, found in made_levels["levels"].items():
        bits = int(schemes[key]["weight_bits"])
        assert 0 <= found["kl"] < MOST[bits], key
        assert key in FLOATS or found["kl"] > 1e-7, f"{key} lost nothing"
        by_bits.setdefault(bits, []).append(found["kl"])
    typical = [math.exp(sum(map(math.log, by_bits[bits])) / len(by_bits[bits])) for bits in (8, 6, 4, 3, 2, 1)]
    assert typical == sorted(typical)


def test_an_importance_matrix_is_what_enters_the_layer(made_levels: dict[str, Any]) -> None:
    assert made_levels["first layer"] < 1e-3
    assert made_levels["levels"]["IQ2_XXS"]["facts"]["importance_matrix"] == 28  # seven matrices in each of four layers
    assert made_levels["levels"]["Q4_K_M"]["facts"]["importance_matrix"] == 0


def test_both_forms_of_a_matrix_file_are_read(made_levels: dict[str, Any], inside: Step, tmp_path: Path) -> None:
    found = inside("matrices", file=made_levels["matrix"], out=str(tmp_path / "old.dat"))
    assert len(found["names"]) == 28 and found["same names"]
    assert found["largest difference"] < 1e-5


@pytest.mark.parametrize(
    ("case", "error", "words"),
    [
        ("no matrix", "Unsupported", "importance matrix"),
        ("short text", "Unsupported", "512"),
        ("not a matrix", "ModelFileError", "not an importance matrix"),
        ("the same level", "WrongOutput", "nothing was quantized"),
        ("requantize", "Unsupported", "requantizing"),
        ("unknown", "Unsupported", "Q9_Z"),
        ("dense", "Unsupported", "mixtures of experts"),
        ("broken", "WrongOutput", "broken.gguf"),
    ],
)
def test_refusals_have_a_class_a_reason_and_leave_nothing(case: str, error: str, words: str, refused: dict[str, Any]) -> None:
    found = refused["refused"][case]
    assert found["error"] == error and words in found["message"]
    assert not found["left"]


def test_rows_that_do_not_divide_into_blocks_are_told(refused: dict[str, Any]) -> None:
    facts = refused["narrow"]
    assert facts["fallbacks"]["blk.0.attn_q.weight"] == "Q5_0"
    assert "blk.0.ffn_down.weight" not in facts["fallbacks"]  # rows of 256
    assert facts["tensor_types"]["Q4_K"] < facts["tensor_types"]["Q5_0"]
