"""The rules of names and of density that CONTRIBUTING.md states, measured over the whole source."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from tests.quality.budgets import python_files
from tests.quality.readability import (
    MAX_MODULES,
    SourceCounts,
    count_modules,
    find_empty_function_names,
    find_repeated_classes,
    introduced_names,
    is_participle,
    measure_source,
)

ROOT = Path(__file__).resolve().parents[2]
SOURCE_ROOTS = [ROOT / name for name in ("lepton_platform", "recommender", "tenants")]
SOURCE_FILES = python_files(*SOURCE_ROOTS)
PACKAGES = sorted({path.parent for path in SOURCE_FILES})


@pytest.fixture(scope="module")
def counts() -> SourceCounts:
    return measure_source(SOURCE_FILES)


def test_function_names_start_with_a_verb(counts: SourceCounts) -> None:
    percent = counts.percent_of_functions(counts.verb_functions)
    assert percent >= 85, f"{percent:.1f} % start with a verb: name functions `load_reviews`, not `reviews`."


def test_function_names_have_an_object(counts: SourceCounts) -> None:
    percent = counts.percent_of_functions(counts.one_word_functions)
    assert percent <= 20, (
        f"{percent:.1f} % are one word: write verb and noun, `evaluate_scorer`, not `measure`."
    )


def test_variables_carry_nouns(counts: SourceCounts) -> None:
    percent = 100 * counts.empty_names / counts.introduced_names
    assert percent <= 0.8, (
        f"{percent:.2f} % of the names say nothing (`found`, `given`, `one`): write what they hold."
    )


def test_a_line_holds_one_thought(counts: SourceCounts) -> None:
    density = counts.nodes_per_line
    assert density <= 7.8, f"{density:.2f} syntax nodes a line: name intermediate values."


def test_comprehensions_are_rare(counts: SourceCounts) -> None:
    rate = counts.per_hundred_lines(counts.comprehensions)
    assert rate <= 2.2, f"{rate:.2f} comprehensions in 100 lines: unfold nested ones into loops."


def test_conditional_expressions_are_rare(counts: SourceCounts) -> None:
    rate = counts.per_hundred_lines(counts.conditional_expressions)
    assert rate <= 0.9, f"{rate:.2f} conditional expressions in 100 lines: write if-statements."


def test_comments_give_reasons(counts: SourceCounts) -> None:
    rate = counts.per_hundred_lines(counts.comments)
    assert rate >= 2.0, f"{rate:.2f} comments in 100 lines: say why at every trick."


def test_public_functions_have_docstrings(counts: SourceCounts) -> None:
    percent = 100 * counts.documented_functions / counts.public_functions
    assert percent >= 75, f"{percent:.1f} % have a docstring: say what it does, returns and raises."


@pytest.mark.parametrize("path", SOURCE_FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_function_is_named_by_a_preposition_or_participle(path: Path) -> None:
    assert list(find_empty_function_names(path)) == []


@pytest.mark.parametrize("root", SOURCE_ROOTS, ids=lambda root: root.name)
def test_a_class_name_is_used_once(root: Path) -> None:
    repeated = find_repeated_classes(root)
    assert len(repeated) <= 2, f"{repeated}: a name that is used twice can't be told apart in a trace."


@pytest.mark.parametrize("package", PACKAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_package_has_few_modules(package: Path) -> None:
    modules = count_modules(package)
    assert modules <= MAX_MODULES, f"{modules} modules: group them into packages by what they hold."


def write_module(folder: Path, text: str) -> Path:
    path = folder / "example.py"
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize("name", ["of", "_with", "by", "compressed", "_settled", "told"])
def test_an_empty_function_name_is_reported(name: str, tmp_path: Path) -> None:
    path = write_module(tmp_path, f"def {name}(x):\n    return x\n")
    assert len(list(find_empty_function_names(path))) == 1


@pytest.mark.parametrize("name", ["load_reviews", "embed", "open", "_seed"])
def test_a_verb_is_not_reported(name: str, tmp_path: Path) -> None:
    path = write_module(tmp_path, f"def {name}(x):\n    return x\n")
    assert list(find_empty_function_names(path)) == []


def test_a_property_may_be_a_participle(tmp_path: Path) -> None:
    text = "class Version:\n    @property\n    def promoted(self):\n        return True\n"
    assert list(find_empty_function_names(write_module(tmp_path, text))) == []


def test_counts_of_a_small_module(tmp_path: Path) -> None:
    text = '"""Doc."""\n# Because.\nfound = [x for x in y]  # noqa\ndef load_rows(a):\n    """Doc."""\n    return 1 if a else 2\n'
    counts = measure_source([write_module(tmp_path, text)])
    assert (counts.code_lines, counts.comments, counts.comprehensions, counts.conditional_expressions) == (
        3,
        1,
        1,
        1,
    )
    assert (counts.functions, counts.verb_functions, counts.documented_functions) == (1, 1, 1)
    assert (counts.introduced_names, counts.empty_names) == (4, 1)


def test_names_are_found_wherever_they_are_introduced() -> None:
    tree = ast.parse("class A:\n    def f(self, told):\n        for one in told:\n            made = one\n")
    assert {name for _line, name in introduced_names(tree)} == {"A", "f", "self", "told", "one", "made"}


def test_repeated_classes_are_found(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("class Report: ...\nclass Meta: ...\n", encoding="utf-8")
    (tmp_path / "b.py").write_text("class Report: ...\nclass Meta: ...\n", encoding="utf-8")
    assert find_repeated_classes(tmp_path) == {"Report": 2}


def test_a_word_with_two_parts_is_no_participle() -> None:
    assert is_participle("sealed")
    assert not is_participle("seal_stored")
