"""ONNX Runtime: exporting and quantizing graphs and language models, and running both."""
