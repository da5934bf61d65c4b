"""Conformance suites that plug-in authors subclass; our own probes pass the same ones."""
