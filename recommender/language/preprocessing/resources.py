"""Data files of this package: word lists, labelled sentences and trained classifiers."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path


def read_resource(name: str) -> str:
    """Returns the text of a file in `resources/`."""
    path = files("recommender.language") / "resources" / name
    return path.read_text(encoding="utf-8")


def read_word_list(name: str) -> frozenset[str]:
    """Returns the words of a file in `resources/`: separated by white space; lines that begin with # are comments."""
    words = set[str]()
    for line in read_resource(name).splitlines():
        if not line.startswith("#"):
            words.update(line.split())
    return frozenset(words)


def read_resource_rows(name: str) -> list[list[str]]:
    """Returns the tab-separated fields of each line in a file of `resources/`, without empty lines and # comments."""
    rows = []
    for line in read_resource(name).splitlines():
        if line and not line.startswith("#"):
            rows.append(line.split("\t"))
    return rows


def get_heads_folder() -> Path:
    """The folder of the classifiers that are distributed with this package."""
    return Path(str(files("recommender.language"))) / "heads"
