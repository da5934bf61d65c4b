"""An executor that does nothing, fast: what is left of a measurement of it is our own overhead. It can also misbehave on request."""
