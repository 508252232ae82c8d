"""`python -m recommender.benchmarks COMMAND`: benchmarks on files, without Django, a database or a service."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Protocol, TextIO, cast

from recommender.types import DataError, InsufficientDataError


class CommandModule(Protocol):
    """What each module of `recommender.benchmarks.commands` defines."""

    def add_arguments(self, parser: argparse.ArgumentParser) -> None: ...

    def run_command(
        self,
        options: argparse.Namespace,
        *,
        out: TextIO,
        progress: TextIO,
    ) -> None:
        """Writes results to `out` and phases to `progress`. Raises DataError or InsufficientDataError."""


@dataclass(frozen=True)
class Subcommand:
    """`module` is a module name within `recommender.benchmarks.commands`."""

    module: str
    help: str

    def import_command(self) -> CommandModule:
        """Imports the module of this sub-command."""
        module = import_module(f"recommender.benchmarks.commands.{self.module}")
        return cast(CommandModule, module)


SUBCOMMANDS = {
    "evaluate": Subcommand("evaluate", "evaluate all models and the blend on hidden events of a data set"),
    "cold-start": Subcommand("cold_start", "evaluate recommendations of items without any training event"),
    "images": Subcommand("images", "check whether similar images are of the same class"),
    "tune": Subcommand("tune", "search hyper-parameters on validation events of a data set"),
    "refresh": Subcommand("refresh", "compare a warm-started refresh with a full training"),
    "scaling": Subcommand("scaling", "measure time and memory of one model on a synthetic data set"),
    "compare-libraries": Subcommand("compare_libraries", "compare SASRec with implicit and RecTools"),
}


def build_parser(selected: str) -> argparse.ArgumentParser:
    """A parser of all sub-commands, with the arguments of the selected one."""
    parser = argparse.ArgumentParser(prog="python -m recommender.benchmarks")
    subparsers = parser.add_subparsers(dest="command", required=True)
    for name, subcommand in SUBCOMMANDS.items():
        subparser = subparsers.add_parser(name, help=subcommand.help)
        # The modules of other sub-commands are not imported: `scaling` measures the memory of its own process.
        if name == selected:
            subcommand.import_command().add_arguments(subparser)
    return parser


def run_benchmark(
    arguments: Sequence[str],
    *,
    out: TextIO,
    progress: TextIO,
) -> None:
    """Runs one sub-command.

    Args:
        arguments: command line without the program name; the first word is the sub-command.
        out: stream for tables and other results.
        progress: stream for phases.

    Raises:
        SystemExit: the command line is not valid, or asks for help.
        DataError: a file cannot be read, or its data cannot be evaluated.
        InsufficientDataError: a model cannot learn from the data, or an optional library is missing.
    """
    selected = arguments[0] if arguments else ""
    options = build_parser(selected).parse_args(arguments)
    module = SUBCOMMANDS[options.command].import_command()
    module.run_command(options, out=out, progress=progress)


def main() -> None:
    """Entry point: an error in the data is one line on stderr and exit status 1."""
    try:
        run_benchmark(sys.argv[1:], out=sys.stdout, progress=sys.stderr)
    except (DataError, InsufficientDataError) as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
