"""Figures that other tools measured: their files to rows of the evidence store, and back out of it."""
