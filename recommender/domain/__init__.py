"""Frozen types of the domain. Standard library only; no I/O; nothing here knows how it is stored or shown."""
