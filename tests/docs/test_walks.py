"""The three walks of the README: their files exist, are few, and each is used by one before it."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from tests.docs.markdown import ROOT, open_document

MAX_FILES = {"event": 9, "recommendation": 12, "training": 15}


def list_walk(name: str) -> list[Path]:
    text = open_document("README.md").text
    paragraph = next(part for part in text.split("\n\n") if part.startswith(f"**One {name}**"))
    return [ROOT / path for path in re.findall(r"`([\w/]+\.py)`", paragraph)]


def list_imported_modules(path: Path) -> set[str]:
    """Dotted names of what a file imports, modules and names of modules alike."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom):
            names.add(str(node.module))
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    # What a package's __init__ imports is reached through the package.
    for name in list(names):
        package = ROOT / name.replace(".", "/") / "__init__.py"
        if package.exists() and package != path:
            names |= list_imported_modules(package)
    return names


def is_task_module(path: Path) -> bool:
    return "@shared_task" in path.read_text(encoding="utf-8")


@pytest.mark.parametrize("name", list(MAX_FILES))
def test_a_walk_is_short(name: str) -> None:
    files = list_walk(name)
    assert 5 <= len(files) <= MAX_FILES[name]
    assert len(set(files)) == len(files)


@pytest.mark.parametrize("name", list(MAX_FILES))
def test_each_file_of_a_walk_is_used_by_one_before_it(name: str) -> None:
    files = list_walk(name)
    reached = list_imported_modules(files[0])
    for path in files[1:]:
        module = ".".join(path.relative_to(ROOT).with_suffix("").parts)
        is_entry = path.name == "dispatch.py" or is_task_module(path)
        assert is_entry or module in reached, f"{module} is not imported by a file before it"
        reached |= list_imported_modules(path)


def test_the_map_of_folders_is_twelve_lines_of_existing_folders() -> None:
    rows = open_document("README.md").get_table("folder")
    assert len(rows) == 12
    for row in rows:
        for path in re.findall(r"`([\w/.]+)`", row[0]):
            assert (ROOT / path).exists(), path
