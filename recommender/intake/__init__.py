"""From the world to values: hosts, probes, model files."""
