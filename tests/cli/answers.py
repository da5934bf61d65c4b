"""One real answer of each kind, asked once, and a whole process of the program. For tests only."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

from recommender.compose import resolve_target
from recommender.domain.catalog import Catalog
from recommender.domain.recommendation import Wishes
from recommender.recommend import combined, decide, largest_usable

ROOT = Path(__file__).resolve().parents[2]
TODAY = "2026-11-24"
PI = ("--model", "llama-3.2-1b", "--target", "raspberry-pi-5", "--today", TODAY)


def answer(catalog: Catalog, model: str = "llama-3.2-1b", target: str = "raspberry-pi-5", *, full: bool = False, needs: tuple[str, ...] = ()) -> dict[str, Any]:
    return decide(
        catalog.models[model], resolve_target(target, catalog, print), catalog, workload_key=None, workload_overrides={}, needs=needs,
        wishes=Wishes(), beside=(), today=TODAY, full_trace=full,
    )


def of_each_class(catalog: Catalog) -> dict[str, Any]:
    answers = [answer(catalog, "llama-3.2-1b"), answer(catalog, "mobilenet-v2")]
    return combined(answers, {"language": largest_usable(resolve_target("raspberry-pi-5", catalog, print), catalog, Wishes())})


def process(*words: str, env: dict[str, str], stdin: str | None = None) -> subprocess.CompletedProcess[str]:
    """`python -m recommender WORDS` with exactly this environment (and what Windows needs to start)."""
    kept = {name: os.environ[name] for name in ("PATH", "SYSTEMROOT") if name in os.environ}
    return subprocess.run([sys.executable, "-m", "recommender", *words], env={**kept, **env}, input=stdin, capture_output=True, text=True, timeout=120)


def environment(folder: Path) -> dict[str, str]:
    """A home, caches and data of its own, no network, and the project's probes whether or not the package is installed."""
    plugins = folder / "plugins"
    info = plugins / "recommender_under_test-0.dist-info"
    info.mkdir(parents=True, exist_ok=True)
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["entry-points"]["recommender.probes"]
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: recommender-under-test\nVersion: 0\n", "utf-8")
    (info / "entry_points.txt").write_text("[recommender.probes]\n" + "".join(f"{name} = {module}\n" for name, module in declared.items()), "utf-8")
    return {
        "PYTHONPATH": os.pathsep.join([str(plugins), str(ROOT)]), "HOME": str(folder / "home"), "HF_HOME": str(folder / "hf"), "HF_HUB_OFFLINE": "1",
        "RECOMMEND_CACHE_DIR": str(folder / "cache"), "RECOMMEND_DATA_DIR": str(folder / "data"),
    }
