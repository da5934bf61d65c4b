"""Endings that mark words as a model file, known without importing any reader."""

from __future__ import annotations

CLOSED_ENDINGS = (".engine", ".plan", ".trt", ".hef", ".rknn", ".dlc", ".serialized")
PICKLES = (".bin", ".pt", ".pth", ".pkl", ".ckpt", ".pickle")
MODEL_ENDINGS = (
    ".gguf",
    ".onnx",
    ".xml",
    ".tflite",
    ".lite",
    ".pte",
    ".mlmodel",
    ".mlpackage",
    ".param",
    ".safetensors",
    ".json",
    *CLOSED_ENDINGS,
    *PICKLES,
)
