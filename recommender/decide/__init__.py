"""PURE: the decision. Values in, values out; no file, process, clock or device name in here."""
