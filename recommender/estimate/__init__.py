"""PURE: demand x capability -> numbers with intervals and basis."""
