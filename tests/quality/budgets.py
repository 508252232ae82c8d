"""The size budgets: a function of at most 60 lines, a file of at most 300."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

FUNCTION_LINES = 60
FILE_LINES = 300
_FORBIDDEN_NAMES = {"utils.py", "helpers.py"}
_SKIPPED = {"migrations", "node_modules", "static"}


def python_files(*roots: Path) -> list[Path]:
    found = [path for root in roots for path in sorted(root.rglob("*.py"))]
    return [path for path in found if not _SKIPPED & set(path.parts)]


def overruns(path: Path) -> Iterator[str]:
    """One sentence for each budget that the file exceeds."""
    text = path.read_text(encoding="utf-8")
    lines = text.count("\n")
    if lines > FILE_LINES:
        yield f"{path} has {lines} lines; {FILE_LINES} is the limit."
    if path.name in _FORBIDDEN_NAMES:
        yield f"{path} says nothing about what it holds; name it after that."
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            length = (node.end_lineno or node.lineno) - node.lineno + 1
            if length > FUNCTION_LINES:
                yield f"{path}:{node.lineno} {node.name} has {length} lines; {FUNCTION_LINES} is the limit."
