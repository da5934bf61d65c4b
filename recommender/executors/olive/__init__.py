"""Microsoft Olive: quantizing ONNX files by its workflows."""
