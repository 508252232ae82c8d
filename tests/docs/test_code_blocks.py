"""Code blocks are valid, and the commands in them exist with the options that they use."""

from __future__ import annotations

import ast
import re
import shlex
import shutil
import subprocess

import pytest

from tests.docs.command_lines import COMMAND_PACKAGES, CommandLine, load_manage_commands, load_module_commands
from tests.docs.markdown import ROOT, CodeBlock, Document, list_documents

LANGUAGES = {"sh", "python", "html", "csv", "math"}
BLOCKS = [(document, block) for document in list_documents() for block in document.list_blocks()]
_MAKE_TARGET = re.compile(r"^([a-z][\w -]*):", re.MULTILINE)
_MANAGE = re.compile(r"manage\.py (\w+)(.*)")
_MODULE = re.compile(r"python -m ((?:recommender|lepton_platform|tests)[\w.]*) ?([a-z-]*)(.*)")


def name_block(value: object) -> str:
    return value.name if isinstance(value, Document) else ""


@pytest.fixture(scope="module")
def manage_commands() -> dict[str, CommandLine]:
    return load_manage_commands()


@pytest.mark.parametrize(("document", "block"), BLOCKS, ids=name_block)
def test_a_block_names_a_known_language(document: Document, block: CodeBlock) -> None:
    assert block.language in LANGUAGES


@pytest.mark.parametrize(
    ("document", "block"), [row for row in BLOCKS if row[1].language == "python"], ids=name_block
)
def test_python_can_be_parsed(document: Document, block: CodeBlock) -> None:
    ast.parse(block.code)


@pytest.mark.parametrize(
    ("document", "block"), [row for row in BLOCKS if row[1].language == "sh"], ids=name_block
)
def test_shell_can_be_parsed(document: Document, block: CodeBlock) -> None:
    shell = shutil.which("bash") or "sh"
    done = subprocess.run([shell, "-n"], input=block.code, capture_output=True, text=True, check=False)
    assert done.stderr == ""


def list_shell_text(document: Document) -> list[str]:
    """Lines of shell blocks and inline code."""
    lines = [line for block in document.list_blocks("sh") for line in block.code.splitlines()]
    return lines + document.list_inline_code()


def list_unknown_options(command: CommandLine, arguments: str) -> list[str]:
    options = {option for action in command.parser._actions for option in action.option_strings}
    used = [word.partition("=")[0] for word in shlex.split(arguments, comments=True) if word.startswith("--")]
    return [option for option in used if option not in options]


@pytest.mark.parametrize("document", list_documents(), ids=lambda document: document.name)
def test_every_manage_command_exists_with_its_options(
    document: Document, manage_commands: dict[str, CommandLine]
) -> None:
    wrong = []
    for line in list_shell_text(document):
        for name, arguments in _MANAGE.findall(line):
            if name in manage_commands:
                wrong += list_unknown_options(manage_commands[name], arguments)
            elif name not in {"check", "compilemessages", "shell"}:
                wrong.append(name)
    assert wrong == []


@pytest.mark.parametrize("document", list_documents(), ids=lambda document: document.name)
def test_every_module_command_exists_with_its_options(document: Document) -> None:
    wrong = []
    for line in list_shell_text(document):
        for package, name, arguments in _MODULE.findall(line):
            if package in COMMAND_PACKAGES:
                commands = load_module_commands(package)
                if "" in commands or not name:
                    continue
                wrong += list_unknown_options(commands[name], arguments) if name in commands else [name]
            elif not (ROOT / (package.replace(".", "/") + ".py")).exists() and package != "recommender...":
                wrong.append(package)
    assert wrong == []


@pytest.mark.parametrize("document", list_documents(), ids=lambda document: document.name)
def test_every_make_target_exists(document: Document) -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = {word for line in _MAKE_TARGET.findall(makefile) for word in line.split()}
    used = set()
    for line in list_shell_text(document):
        if match := re.match(r"make ((?:[a-z][a-z-]*(?: |$))+)", line):
            used |= set(match[1].split())
    assert used <= targets


@pytest.mark.parametrize("document", list_documents(), ids=lambda document: document.name)
def test_prose_is_wrapped_at_120_columns(document: Document) -> None:
    lines = [line for line in document.prose.splitlines() if not line.startswith(("|", "![", "<!--"))]
    assert [line for line in lines if len(line) > 120] == []
