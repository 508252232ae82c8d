"""The files that come with this package."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path


def read_resource(name: str) -> str:
    return (files("recommender.language") / "resources" / name).read_text(encoding="utf-8")


def read_word_list(name: str) -> frozenset[str]:
    """Words between spaces; lines that begin with # are remarks."""
    return frozenset(
        word for line in read_resource(name).splitlines() if line[:1] != "#" for word in line.split()
    )


def get_heads_folder() -> Path:
    return Path(str(files("recommender.language"))) / "heads"
