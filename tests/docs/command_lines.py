"""The parsers of all commands, and the table of docs/commands.md that is made from them.

`python -m tests.docs.command_lines` rewrites the tables of docs/commands.md.
"""

from __future__ import annotations

import argparse
import os
import re
import runpy
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from unittest import mock

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "commands.md"
MANAGE_FOLDER = ROOT / "lepton_platform" / "management" / "commands"
# Packages that can be run with `python -m`.
COMMAND_PACKAGES = tuple(
    ".".join(path.parent.relative_to(ROOT).parts)
    for root in ("lepton_platform", "recommender")
    for path in sorted((ROOT / root).rglob("__main__.py"))
)
_MARKER = re.compile(r"<!-- (?P<name>[\w. ]+) -->\n.*?<!-- end -->", re.DOTALL)


@dataclass(frozen=True, slots=True)
class CommandLine:
    """One command as its parser describes it."""

    name: str
    help: str
    parser: argparse.ArgumentParser

    def list_options(self) -> list[str]:
        """Option strings and names of positional arguments, with `*` behind what is required."""
        options = []
        for action in self.parser._actions:
            if isinstance(action, argparse._HelpAction | argparse._SubParsersAction):
                continue
            if set(action.option_strings) & _DJANGO_OPTIONS:
                continue
            label = action.option_strings[-1] if action.option_strings else action.dest.upper()
            options.append(f"`{label}`*" if action.required and action.option_strings else f"`{label}`")
        return options

    def to_row(self) -> str:
        text = " ".join(self.help.split()).replace("|", "\\|")
        return f"| `{self.name}` | {' '.join(self.list_options())} | {text} |"


def load_manage_commands() -> dict[str, CommandLine]:
    """Commands of this project by name."""
    from django.core.management import load_command_class

    commands = {}
    for path in sorted(MANAGE_FOLDER.glob("[a-z]*.py")):
        command = load_command_class("lepton_platform", path.stem)
        parser = command.create_parser("manage.py", path.stem)
        commands[path.stem] = CommandLine(path.stem, command.help, parser)
    return commands


class _ParserFound(Exception):
    """Carries the parser of a program that was about to parse its arguments."""

    def __init__(self, parser: argparse.ArgumentParser) -> None:
        super().__init__()
        self.parser = parser


def _capture_parser(package: str, *arguments: str) -> argparse.ArgumentParser:
    """The parser of `python -m package arguments...`, which is stopped before it parses."""

    def stop(parser: argparse.ArgumentParser, *_arguments: object, **_options: object) -> None:
        raise _ParserFound(parser)

    # runpy warns about a module that is already imported, as other tests import it.
    name = f"{package}.__main__"
    imported = sys.modules.pop(name, None)
    try:
        with (
            mock.patch.object(sys, "argv", [package, *arguments]),
            mock.patch.object(argparse.ArgumentParser, "parse_args", stop),
        ):
            runpy.run_module(package, run_name="__main__")
    except _ParserFound as captured:
        return captured.parser
    finally:
        if imported is not None:
            sys.modules[name] = imported
    raise RuntimeError(f"{package} has no parser.")


def _find_subparsers(
    parser: argparse.ArgumentParser,
) -> argparse._SubParsersAction[argparse.ArgumentParser] | None:
    actions = [action for action in parser._actions if isinstance(action, argparse._SubParsersAction)]
    return actions[0] if actions else None


def load_module_commands(package: str) -> dict[str, CommandLine]:
    """Sub-commands of `python -m package` by name; a program without any is one command with an empty name."""
    parser = _capture_parser(package)
    subparsers = _find_subparsers(parser)
    if subparsers is None:
        return {"": CommandLine(f"python -m {package}", parser.description or "", parser)}
    commands = {}
    for choice in subparsers._choices_actions:
        # A program may add the options of the chosen sub-command only.
        chosen = _find_subparsers(_capture_parser(package, choice.dest))
        assert chosen is not None
        commands[choice.dest] = CommandLine(choice.dest, choice.help or "", chosen.choices[choice.dest])
    return commands


def build_tables() -> Mapping[str, str]:
    """Markdown tables by the name of their place in docs/commands.md."""
    groups = {"manage.py": load_manage_commands()}
    groups |= {package: load_module_commands(package) for package in COMMAND_PACKAGES}
    return {name: "\n".join(_iter_table_lines(commands)) for name, commands in groups.items()}


def update_page(text: str, tables: Mapping[str, str]) -> str:
    """The page with the tables of today's parsers."""
    return _MARKER.sub(
        lambda match: f"<!-- {match['name']} -->\n\n{tables[match['name']]}\n\n<!-- end -->", text
    )


def _iter_table_lines(commands: Mapping[str, CommandLine]) -> Iterator[str]:
    yield "| command | options (`*`: required) | does |"
    yield "|---|---|---|"
    for command in commands.values():
        yield command.to_row()


def _list_django_options() -> frozenset[str]:
    from django.core.management.base import BaseCommand

    parser = BaseCommand().create_parser("manage.py", "none")
    return frozenset(option for action in parser._actions for option in action.option_strings) | {
        "--skip-checks"
    }


_DJANGO_OPTIONS = _list_django_options()


def main() -> None:
    os.environ.setdefault("LEPTON_ROLE", "build")
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "lepton_platform.settings")
    import django

    django.setup()
    PAGE.write_text(update_page(PAGE.read_text(encoding="utf-8"), build_tables()), encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
