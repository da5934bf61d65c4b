"""Every environment variable that we read, documented once."""

from __future__ import annotations

VARIABLES = {
    "RECOMMEND_CACHE_DIR": "Folder for caches (static facts, microbenchmark, compiled catalogue, artifacts). Default: the platform's cache folder.",
    "RECOMMEND_DATA_DIR": "Folder for past answers and measurements. Default: the platform's data folder.",
    "RECOMMEND_ENVIRONMENTS_DIR": "Folder for the side environments of converters. Default: beside this Python where it is a virtual environment, else in the cache folder.",
    "RECOMMEND_EVIDENCE_URL": "postgresql://user:password@host/database: a team's store of measurements. Default: a file in the data folder.",
    "RECOMMEND_CATALOG": "Overlay folders, as --catalog; separated like PATH.",
    "RECOMMEND_PROBES": "Comma-separated names: only these probes are loaded.",
    "NO_COLOR": "Any value: no colours.",
    "HF_HUB_OFFLINE": "1: never ask the Hugging Face hub.",
    "HF_HOME": "Hugging Face cache that is searched for models.",
    "HF_TOKEN": "Token for gated repositories; never shown or stored.",
}
