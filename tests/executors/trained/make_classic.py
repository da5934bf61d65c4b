"""Two scikit-learn classifiers of handwritten digits, a perceptron and a forest, as ONNX (with ai.onnx.ml operators), with data apart.

    python make_classic.py OUT_FOLDER

Needs scikit-learn and skl2onnx; a few seconds.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
from skl2onnx import to_onnx
from sklearn.datasets import load_digits
from sklearn.ensemble import RandomForestClassifier
from sklearn.neural_network import MLPClassifier

TEST, CALIBRATION = 400, 100  # samples; the rest is for training


def main(out: Path) -> None:
    data = load_digits()
    order = np.random.default_rng(1).permutation(len(data.data))
    features, labels = (data.data[order] / 16.0).astype(np.float32), data.target[order].astype(np.int64)
    accuracy = {}
    for name, model in (
        ("mlp", MLPClassifier((256, 128), max_iter=40, early_stopping=True, random_state=1)),
        ("forest", RandomForestClassifier(60, max_depth=10, random_state=1)),
    ):
        model.fit(features[TEST + CALIBRATION :], labels[TEST + CALIBRATION :])
        accuracy[name] = float(model.score(features[:TEST], labels[:TEST]))
        graph = to_onnx(model, features[:1], target_opset={"": 18, "ai.onnx.ml": 3}, options={"zipmap": False})
        (out / f"{name}.onnx").write_bytes(graph.SerializeToString())
    np.savez(out / "test.npz", X=features[:TEST], labels=labels[:TEST])
    np.savez(out / "calibration.npz", X=features[TEST : TEST + CALIBRATION])
    (out / "facts.json").write_text(json.dumps({"accuracy": accuracy}), "utf-8")
    print(accuracy)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
