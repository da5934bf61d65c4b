"""What must be settled in a process before ONNX Runtime is imported."""

from __future__ import annotations

# From 1.32 on its Linux builds write an identity of the device and a store of events into the user's cache, to be sent to their maker.
# The variable is looked at when the library is loaded (onnxruntime/core/platform/telemetry_1ds.cc); onnxruntime-genai heeds it too.
NO_REPORTS = {"ORT_DISABLE_TELEMETRY": "1"}
