"""Olive quantizes trained models."""
