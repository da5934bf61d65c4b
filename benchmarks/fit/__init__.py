"""What `knowledge/calibration/*.json` is fitted with: from the evidence in `knowledge/`, and from nothing else."""
