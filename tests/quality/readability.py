"""Measures how the source reads: names, density, comments and docstrings, package sizes."""

from __future__ import annotations

import ast
import io
import tokenize
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tests.quality.budgets import python_files
from tests.quality.word_lists import (
    EMPTY_FUNCTION_NAMES,
    EMPTY_VARIABLE_NAMES,
    NO_PARTICIPLES,
    PARTICIPLES,
    VERBS,
)

MAX_MODULES = 18
# Comments for tools are no explanation for a reader.
_TOOL_COMMENTS = ("# noqa", "# type:", "# pragma", "#!", "# ruff:", "# fmt:")
_LAYOUT_TOKENS = (
    tokenize.NL,
    tokenize.NEWLINE,
    tokenize.INDENT,
    tokenize.DEDENT,
    tokenize.ENDMARKER,
    tokenize.COMMENT,
)
_COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
_DOCUMENTED_NODES = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)


@dataclass
class SourceCounts:
    """Sums over files, from which the ratios of a code base follow."""

    code_lines: int = 0
    comments: int = 0
    nodes: int = 0
    comprehensions: int = 0
    conditional_expressions: int = 0
    functions: int = 0
    verb_functions: int = 0
    one_word_functions: int = 0
    public_functions: int = 0
    documented_functions: int = 0
    introduced_names: int = 0
    empty_names: int = 0
    classes: Counter[str] = field(default_factory=Counter)

    @property
    def nodes_per_line(self) -> float:
        return self.nodes / self.code_lines

    def per_hundred_lines(self, count: int) -> float:
        return 100 * count / self.code_lines

    def percent_of_functions(self, count: int) -> float:
        return 100 * count / self.functions


def measure_source(paths: list[Path]) -> SourceCounts:
    counts = SourceCounts()
    for path in paths:
        text = path.read_text(encoding="utf-8")
        tree = ast.parse(text)
        _count_lines(text, tree, counts)
        _count_nodes(tree, counts)
        _count_names(tree, counts)
    return counts


def _count_lines(text: str, tree: ast.Module, counts: SourceCounts) -> None:
    lines: set[int] = set()
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.COMMENT:
            counts.comments += not token.string.startswith(_TOOL_COMMENTS)
        elif token.type not in _LAYOUT_TOKENS:
            lines.update(range(token.start[0], token.end[0] + 1))
    for node in ast.walk(tree):
        if isinstance(node, _DOCUMENTED_NODES) and ast.get_docstring(node) is not None:
            docstring = node.body[0]
            lines.difference_update(range(docstring.lineno, (docstring.end_lineno or docstring.lineno) + 1))
    counts.code_lines += len(lines)


def _count_nodes(tree: ast.Module, counts: SourceCounts) -> None:
    for node in ast.walk(tree):
        counts.nodes += 1
        counts.comprehensions += isinstance(node, _COMPREHENSIONS)
        counts.conditional_expressions += isinstance(node, ast.IfExp)


def _count_names(tree: ast.Module, counts: SourceCounts) -> None:
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef):
            counts.classes[node.name] += 1
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and not node.name.startswith("__"):
            words = node.name.strip("_").split("_")
            counts.functions += 1
            counts.one_word_functions += len(words) == 1
            counts.verb_functions += words[0] in VERBS
            if not node.name.startswith("_"):
                counts.public_functions += 1
                counts.documented_functions += ast.get_docstring(node) is not None
    names = [name for _line, name in introduced_names(tree)]
    counts.introduced_names += len(names)
    counts.empty_names += sum(name.strip("_") in EMPTY_VARIABLE_NAMES for name in names)


def introduced_names(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """(line, name) of each variable that is assigned, parameter, function and class."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.lineno, node.id
        elif isinstance(node, ast.arg):
            yield node.lineno, node.arg
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.lineno, node.name


def find_empty_function_names(path: Path) -> Iterator[str]:
    """One sentence for each function whose name is a preposition, a pronoun, an auxiliary or a participle alone."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) or is_property(node):
            continue
        name = node.name.strip("_")
        where = f"{path}:{node.lineno} {node.name}"
        if name in EMPTY_FUNCTION_NAMES:
            yield f"{where}: write what it does to what, for example `load_{name}_...` with a verb and a noun."
        elif is_participle(name):
            yield f"{where} is a participle: write the verb and its object, `compress_model` instead of `compressed`."


def is_participle(name: str) -> bool:
    if "_" in name or name in NO_PARTICIPLES:
        return False
    return name in PARTICIPLES or (name.endswith("ed") and len(name) > 4)


def is_property(node: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    names = {decorator.id for decorator in node.decorator_list if isinstance(decorator, ast.Name)}
    return bool(names & {"property", "cached_property"})


def find_repeated_classes(root: Path) -> dict[str, int]:
    """Names of public classes that stand more than once below `root`; Django's inner classes apart."""
    counts = measure_source(python_files(root)).classes
    return {
        name: count
        for name, count in counts.items()
        if count > 1 and not name.startswith("_") and name not in ("Meta", "Command", "Migration")
    }


def count_modules(package: Path) -> int:
    return sum(path.name != "__init__.py" for path in package.glob("*.py"))
