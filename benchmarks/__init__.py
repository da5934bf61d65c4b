"""Clients of the engine: what its numbers are worth. Nothing imports this."""
