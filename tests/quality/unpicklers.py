"""Finds code that may unpickle: pickle, marshal, libraries on top of them, and unsafe options of numpy, torch, YAML."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from pathlib import Path

MODULES = frozenset(
    {
        "pickle",
        "_pickle",
        "cPickle",
        "cloudpickle",
        "dill",
        "joblib",
        "jsonpickle",
        "marshal",
        "shelve",
        "pickletools",
    }
)
NAMES = frozenset(
    {
        "PickleSerializer",
        "PicklingError",
        "read_pickle",
        "to_pickle",
        "load_module",
        "UnpicklingError",
        "Unpickler",
    }
)
_IMPORTERS = frozenset({"import_module", "__import__"})
_SERIALISER_WORDS = frozenset({"pickle", "application/x-python-serialize", "dill"})
_SAFE_YAML = frozenset({"SafeLoader", "CSafeLoader", "BaseLoader"})


def findings(source: str) -> list[tuple[int, str]]:
    """(line, problem) pairs."""
    return sorted(finding for node in ast.walk(ast.parse(source)) for finding in _check_node(node))


def in_folder(folder: Path) -> list[str]:
    return [
        f"{path.relative_to(folder.parent)}:{line}: {what}"
        for path in sorted(folder.rglob("*.py"))
        for line, what in findings(path.read_text(encoding="utf-8"))
    ]


def _check_node(node: ast.AST) -> Iterator[tuple[int, str]]:
    for check in _CHECKS:
        if what := check(node):
            yield getattr(node, "lineno", 0), what


def _check_import(node: ast.AST) -> str:
    names: list[str] = []
    if isinstance(node, ast.Import):
        names = [alias.name for alias in node.names]
    elif isinstance(node, ast.ImportFrom):
        names = [node.module or "", *(f"{node.module}.{alias.name}" for alias in node.names)]
    parts = {part for name in names for part in name.split(".")}
    return f"imports {', '.join(sorted(parts & MODULES))}" if parts & MODULES else ""


def _check_name(node: ast.AST) -> str:
    name = node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""
    return f"uses {name}" if name in NAMES else ""


def _check_string(node: ast.AST) -> str:
    """A serialiser chosen by its name, in settings or in a call."""
    text = node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""
    chosen = text in _SERIALISER_WORDS or text.rpartition(".")[2] in NAMES
    return f"names {text!r}" if chosen else ""


def _check_call(node: ast.AST) -> str:
    if not isinstance(node, ast.Call):
        return ""
    function = ast.unparse(node.func)
    keywords = {keyword.arg: keyword.value for keyword in node.keywords}
    if function.rpartition(".")[2] in _IMPORTERS and any(
        isinstance(argument, ast.Constant) and str(argument.value).split(".")[0] in MODULES
        for argument in node.args
    ):
        return "imports by name"
    if "allow_pickle" in keywords and not _is_constant(keywords["allow_pickle"], False):
        return "lets numpy unpickle"
    if function.endswith("torch.load") and not _is_constant(keywords.get("weights_only"), True):
        return "torch.load without weights_only=True"
    if function in ("yaml.load", "yaml.load_all") and not _is_safe(keywords.get("Loader"), node.args):
        return "yaml.load without a safe loader"
    return "yaml that makes objects" if function in ("yaml.unsafe_load", "yaml.full_load") else ""


def _is_constant(value: ast.AST | None, expected: bool) -> bool:
    return isinstance(value, ast.Constant) and value.value is expected


def _is_safe(loader: ast.AST | None, positional: list[ast.expr]) -> bool:
    chosen = loader or (positional[1] if len(positional) > 1 else None)
    return chosen is not None and ast.unparse(chosen).rpartition(".")[2] in _SAFE_YAML


_CHECKS: tuple[Callable[[ast.AST], str], ...] = (_check_import, _check_name, _check_string, _check_call)
