"""PURE: estimators fitted to evidence. `benchmarks/fit/` fits them, `knowledge/calibration/*.json` holds what they learned."""
