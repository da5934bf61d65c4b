"""Search: sweeps over the run settings and schemes that the rules leave open."""
