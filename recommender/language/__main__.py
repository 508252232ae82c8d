"""`python -m recommender.language evaluate|train-sentiment`: command-line tools that need no database."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from typing import TextIO

from recommender.language.commands import evaluate, train_sentiment
from recommender.types import DataError


def run_command(arguments: Sequence[str], *, out: TextIO) -> None:
    """Parses and runs a command; its output goes to `out`. Raises SystemExit with one sentence for unusable data."""
    parser = argparse.ArgumentParser(prog="python -m recommender.language")
    subparsers = parser.add_subparsers(dest="command", required=True)
    evaluate.add_arguments(
        subparsers.add_parser(
            "evaluate",
            help="evaluate sentiment, aspects and intents on labelled texts",
        )
    )
    train_sentiment.add_arguments(
        subparsers.add_parser(
            "train-sentiment",
            help="train a sentiment classifier from labelled reviews",
        )
    )
    options = parser.parse_args(arguments)
    try:
        if options.command == "evaluate":
            evaluate.run_evaluation(options, out=out)
        else:
            train_sentiment.run_training(options, out=out)
    except DataError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    run_command(sys.argv[1:], out=sys.stdout)
