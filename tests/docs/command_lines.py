"""The parsers of all commands, and the table of docs/commands.md that is made from them.

`python -m tests.docs.command_lines` rewrites the tables of docs/commands.md.
"""

from __future__ import annotations

import argparse
import importlib
import os
import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "commands.md"
MANAGE_FOLDER = ROOT / "lepton_platform" / "management" / "commands"
# Packages that can be run with `python -m` and have sub-commands.
COMMAND_PACKAGES = tuple(
    ".".join(path.parent.relative_to(ROOT).parts)
    for path in sorted((ROOT / "recommender").rglob("__main__.py"))
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


def load_module_commands(package: str) -> dict[str, CommandLine]:
    """Sub-commands of `python -m package` by name."""
    module = importlib.import_module(f"{package}.__main__")
    commands = {}
    for name, subcommand in module.SUBCOMMANDS.items():
        parser = module.build_parser(name)
        choices = next(a for a in parser._actions if isinstance(a, argparse._SubParsersAction)).choices
        commands[name] = CommandLine(name, subcommand.help, choices[name])
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
