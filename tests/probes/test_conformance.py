"""Our own probes pass the suite that plug-in authors subclass."""

from __future__ import annotations

import importlib
import tomllib
from pathlib import Path

from recommender.testing.probe import ProbeSuite

PROJECT = Path(__file__).resolve().parents[2]
ENTRIES = tomllib.loads((PROJECT / "pyproject.toml").read_text("utf-8"))["project"]["entry-points"]["recommender.probes"]

for _name, _module in ENTRIES.items():
    globals()[f"Test_{_name}"] = type(f"Test_{_name}", (ProbeSuite,), {"probe": importlib.import_module(_module)})


def test_every_probe_module_is_registered_under_its_name():
    modules = {path.stem if path.name != "__init__.py" else path.parent.name for path in (*PROJECT.glob("probes/*.py"), *PROJECT.glob("probes/*/__init__.py"))}
    found = {}
    for stem in sorted(modules - {"probes", "__init__"}):
        module = importlib.import_module(f"probes.{stem}")
        if hasattr(module, "name") and hasattr(module, "read") and hasattr(module, "parse"):
            found[module.name] = f"probes.{stem}"
    assert found == ENTRIES
