"""Qualcomm: graphs for the Hexagon NPU by ONNX Runtime's QNN plug-in (emulated where there is no such chip), and jobs on real devices by AI Hub."""
