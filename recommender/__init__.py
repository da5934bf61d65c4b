"""Which format should I ship? A recommendation is a pure function of request, target, catalogue, evidence and date."""

__version__ = "0.1.0"
