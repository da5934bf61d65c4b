"""Adapters to frameworks and services, one folder each. No folder imports another; a framework is imported inside functions only."""
