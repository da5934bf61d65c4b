"""Write small knowledge folders for tests."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from textwrap import dedent

from recommender.loader.files import Layer


def folder(root: Path, content: Mapping[str, str]) -> Path:
    """Files by their path below the root."""
    for name, text in content.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(dedent(text), "utf-8")
    return root


def layer(root: Path, content: Mapping[str, str], name: str = "overlay") -> Layer:
    """A layer of these files."""
    return Layer(name=name, root=folder(root, content))
