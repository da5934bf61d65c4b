"""One protocol for all frameworks: isolate, gate, time, compare."""
