"""`scaling`: prints one measurement as JSON. Its process measures nothing else, so that peak memory is its own."""

from __future__ import annotations

import argparse
import json
from typing import TextIO

from recommender.benchmarks.commands.options import add_profile_argument, parse_positive_int
from recommender.benchmarks.scaling import ENSEMBLE_NAME, measure_model_cost


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of one measurement."""
    parser.add_argument("model", help=f"name of a model, or {ENSEMBLE_NAME}")
    parser.add_argument("events", type=parse_positive_int)
    parser.add_argument("items", type=parse_positive_int)
    add_profile_argument(parser, default="fast")


def run_command(
    options: argparse.Namespace,
    *,
    out: TextIO,
    progress: TextIO,  # noqa: ARG001 - the interface of all sub-commands
) -> None:
    """Prints the measurement as one line of JSON. Raises DataError for a name without a model."""
    measurement = measure_model_cost(
        options.model,
        events=options.events,
        items=options.items,
        profile=options.profile,
    )
    out.write(json.dumps(measurement) + "\n")
