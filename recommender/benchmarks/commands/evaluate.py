"""`evaluate`: fits an ensemble on a data set in files, prints a table and writes the metrics."""

from __future__ import annotations

import argparse
import json
import math
from datetime import UTC, datetime
from pathlib import Path
from typing import TextIO

from recommender.benchmarks.commands.options import (
    add_dataset_arguments,
    add_json_argument,
    add_models_argument,
    add_profile_argument,
    add_protocol_argument,
    parse_positive_float,
    parse_positive_int,
    read_dataset,
    require_parent_folder,
    write_json,
)
from recommender.benchmarks.evaluation_report import evaluate_dataset
from recommender.benchmarks.evaluation_table import format_evaluation_table
from recommender.console import ProgressPrinter
from recommender.dataset.cleaning import Cleaner
from recommender.dataset.cleaning_report import CleaningReport
from recommender.fitting.fit_options import FitOptions
from recommender.fitting.training_profiles import NO_OVERRIDES, ParameterOverrides
from recommender.types import DataError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the evaluation."""
    add_dataset_arguments(parser)
    add_protocol_argument(parser)
    add_profile_argument(parser)
    add_models_argument(parser)
    parser.add_argument(
        "--k",
        type=parse_positive_int,
        default=10,
        help="length of the evaluated lists",
    )
    parser.add_argument(
        "--serving-ms",
        type=parse_positive_float,
        default=math.inf,
        help="time budget of all models together for one history; slow models that add little are dropped",
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--clean",
        action="store_true",
        help="remove repetitions, bursts and bots first, as a tenant's training does",
    )
    parser.add_argument("--tuned", type=Path, help="hyper-parameters that `tune --json` wrote")
    add_json_argument(parser)


def run_command(
    options: argparse.Namespace,
    *,
    out: TextIO,
    progress: TextIO,
) -> None:
    """Prints the table to `out` and the phases to `progress`. Raises DataError."""
    dataset = read_dataset(options)
    require_parent_folder(options.json)
    cleaning = None
    if options.clean:
        dataset, cleaning = Cleaner().clean(dataset, now=datetime.now(UTC))
    overrides = NO_OVERRIDES
    if options.tuned:
        overrides = read_overrides(options.tuned)
    report = evaluate_dataset(
        dataset,
        FitOptions(
            profile=options.profile,
            model_names=options.models,
            protocol=options.protocol,
            k=options.k,
            overrides=overrides,
            serving_budget_ms=options.serving_ms,
        ),
        seed=options.seed,
        report=ProgressPrinter(progress).print_progress,
    )
    metrics = report.to_json()
    out.write(format_evaluation_table(report) + "\n")
    if cleaning:
        out.write(f"{_format_cleaning(cleaning)}\n")
        metrics["cleaning"] = cleaning.to_json()
    write_json(options.json, metrics)


def read_overrides(path: Path) -> ParameterOverrides:
    """Hyper-parameters by model name from a file that `tune --json` wrote. Raises DataError."""
    try:
        overrides = json.loads(path.read_text(encoding="utf-8"))["overrides"]
        return {str(name): dict(settings) for name, settings in overrides.items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise DataError(f"{path.name} does not hold settings that tune wrote.") from error


def _format_cleaning(report: CleaningReport) -> str:
    counts = report.count_removed_events()
    summary = ", ".join(f"{rule} {count:,}" for rule, count in counts.items())
    return f"removed events: {summary or 'none'}"
