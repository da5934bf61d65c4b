from __future__ import annotations

from pathlib import Path

import pytest

from recommender.domain.errors import ModelFileError
from recommender.intake.model_files import read_model
from tests.graph_files import CONV_MACS, CONV_PARAMS, compressed_ir, conv_net


def test_ir_made_by_openvino_agrees_with_its_onnx(tmp_path: Path) -> None:
    pytest.importorskip("onnx")
    openvino = pytest.importorskip("openvino")
    openvino.save_model(openvino.convert_model(conv_net(tmp_path / "net.onnx")), tmp_path / "net.xml")
    spec = read_model(str(tmp_path / "net.xml"))
    assert (spec.n_params, spec.macs, spec.structure, spec.task, spec.input) == (
        CONV_PARAMS,
        CONV_MACS,
        "cnn",
        "image-classification",
        "1x3x8x8",
    )
    assert spec.artifact is not None and (spec.artifact.scheme, spec.artifact.is_quantized) == ("fp16", False)
    assert spec.artifact.size == sum((tmp_path / f"net.{end}").stat().st_size for end in ("xml", "bin"))
    assert read_model(str(tmp_path / "net.bin")).n_params == CONV_PARAMS
    (tmp_path / "net.bin").write_bytes(b"\0" * 10)
    with pytest.raises(ModelFileError, match="bytes missing in net.bin"):
        read_model(str(tmp_path / "net.xml"))
    (tmp_path / "net.bin").unlink()
    with pytest.raises(ModelFileError, match="net.bin is not beside it"):
        read_model(str(tmp_path / "net.xml"))


@pytest.mark.parametrize(
    ("info", "scheme"),
    [
        ("", "int4-weights-g64"),
        ('<nncf><weight_compression><ratio value="0.8"/></weight_compression></nncf>', "int4-weights-g64-r0.8"),
    ],
)
def test_compressed_weights_count_without_scales(tmp_path: Path, info: str, scheme: str) -> None:
    (tmp_path / "c.xml").write_text(compressed_ir(info))
    (tmp_path / "c.bin").write_bytes(b"\0" * 1104)
    spec = read_model(str(tmp_path / "c.xml"))
    assert spec.n_params == 2048 and spec.n_operators == 1 and spec.artifact is not None
    assert (spec.artifact.scheme, spec.artifact.is_quantized) == (scheme, True)
    assert spec.artifact.bits_per_weight == pytest.approx(4 + (32 * 4 + 32 * 16) / 2048, abs=1e-4)


BOMB = '<?xml version="1.0"?><!DOCTYPE net [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;">]><net>&b;</net>'


@pytest.mark.parametrize(
    ("text", "because"),
    [
        (BOMB.encode(), "document type"),
        (BOMB.encode("utf-16"), ""),
        (b'<?xml version="1.0"?><html></html>', "not an OpenVINO model"),
        (b'<?xml version="1.0"?><net><layers>', "broken XML"),
        (b"<net>" + b"<a>" * 1_000_000, "nested too deeply"),
        (b"<net></net>", "no layers"),
        (b"\xff\xd8\xff\xe0", "JPEG"),
        (b"", "OpenVINO"),
    ],
)
def test_bad_ir(tmp_path: Path, text: bytes, because: str) -> None:
    path = tmp_path / "bad.xml"
    path.write_bytes(text)
    with pytest.raises(ModelFileError) as caught:
        read_model(str(path))
    assert str(path) in caught.value.message and because in caught.value.message and caught.value.hints
