"""A residual network that reads handwritten digits (scikit-learn's, enlarged to 32x32), as ONNX of batch 1, with data it has not been trained on.

    python make_cnn.py OUT_FOLDER

46 M multiplications an inference: enough to be timed. Needs torch, onnxscript and scikit-learn; about half a minute on two cores.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import numpy as np
import torch
from sklearn.datasets import load_digits
from torch import nn

EPOCHS, BATCH, SIZE = 6, 32, 32
TEST, CALIBRATION = 400, 100  # samples; the rest is for training


class Residual(nn.Module):
    """Two 3x3 convolutions and a way around them; halves the picture where the channels change."""

    def __init__(self, entering: int, leaving: int):
        super().__init__()
        stride = 1 if entering == leaving else 2
        self.first, self.first_norm = nn.Conv2d(entering, leaving, 3, stride, 1, bias=False), nn.BatchNorm2d(leaving)
        self.second, self.second_norm = nn.Conv2d(leaving, leaving, 3, 1, 1, bias=False), nn.BatchNorm2d(leaving)
        self.around = nn.Identity() if stride == 1 else nn.Conv2d(entering, leaving, 1, stride, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        inner = self.second_norm(self.second(torch.relu(self.first_norm(self.first(x)))))
        return torch.relu(inner + self.around(x))


def network() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(1, 32, 3, 1, 1), nn.ReLU(), Residual(32, 32), Residual(32, 64), Residual(64, 128), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(128, 10),
    )


def digits() -> tuple[torch.Tensor, torch.Tensor]:
    """Pictures float32 [n, 1, 32, 32] in 0..1, shuffled, and their labels."""
    data = load_digits()
    order = np.random.default_rng(1).permutation(len(data.images))
    pictures = torch.tensor(data.images[order] / 16.0, dtype=torch.float32)[:, None]
    return nn.functional.interpolate(pictures, size=(SIZE, SIZE), mode="bilinear"), torch.tensor(data.target[order])


def train(model: nn.Module, pictures: torch.Tensor, labels: torch.Tensor) -> None:
    steps = EPOCHS * (len(pictures) // BATCH)
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=3e-3, total_steps=steps)
    for _ in range(EPOCHS):
        for chosen in torch.randperm(len(pictures))[: len(pictures) // BATCH * BATCH].split(BATCH):
            nn.functional.cross_entropy(model(pictures[chosen]), labels[chosen]).backward()
            optimizer.step()
            optimizer.zero_grad()
            schedule.step()


def main(out: Path) -> None:
    torch.manual_seed(1)
    torch.set_num_threads(2)
    started = time.monotonic()
    pictures, labels = digits()
    model = network()
    train(model, pictures[TEST + CALIBRATION :], labels[TEST + CALIBRATION :])
    model.eval()
    with torch.no_grad():
        accuracy = float((model(pictures[:TEST]).argmax(1) == labels[:TEST]).float().mean())
    facts = {"accuracy": accuracy, "seconds": round(time.monotonic() - started), "parameters": sum(each.numel() for each in model.parameters())}
    torch.onnx.export(
        model, (pictures[:1],), out / "model.onnx", input_names=["image"], output_names=["scores"], dynamo=True, opset_version=18, external_data=False,
    )
    np.savez(out / "test.npz", image=pictures[:TEST].numpy(), labels=labels[:TEST].numpy())
    np.savez(out / "calibration.npz", image=pictures[TEST : TEST + CALIBRATION].numpy())
    (out / "facts.json").write_text(json.dumps(facts), "utf-8")
    print(facts)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
