"""`tune`: searches hyper-parameters on a data set in files; `evaluate --tuned` reads what it writes."""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TextIO

from recommender.benchmarks.commands.options import (
    add_dataset_arguments,
    add_models_argument,
    add_profile_argument,
    add_protocol_argument,
    parse_positive_float,
    parse_positive_int,
    read_dataset,
    write_json,
)
from recommender.console import ProgressPrinter
from recommender.dataset import Dataset
from recommender.dataset.splits import VALIDATION_PROTOCOLS
from recommender.tuning.search_log import SearchLog
from recommender.tuning.tuner import TuningBudget, TuningOptions, TuningResult, tune_models
from recommender.types import DataError
from tenants.common.atomic_files import write_atomically


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the search."""
    add_dataset_arguments(parser)
    add_protocol_argument(parser)
    add_profile_argument(parser)
    add_models_argument(parser)
    parser.add_argument(
        "--seconds",
        type=parse_positive_float,
        default=600.0,
        help="time budget of all models together",
    )
    parser.add_argument(
        "--trials",
        type=parse_positive_int,
        default=20,
        help="trials of each model in each of its two stages",
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--log", type=Path, help="file of all trials; an interrupted search resumes from it")
    parser.add_argument("--json", type=Path, help="output file for the settings, for evaluate --tuned")


def run_command(
    options: argparse.Namespace,
    *,
    out: TextIO,
    progress: TextIO,
) -> None:
    """Prints a row for each model and writes the settings. Raises DataError."""
    result = tune_dataset(read_dataset(options), options, progress)
    out.write(format_tuning_table(result.report) + "\n")
    write_json(options.json, {"overrides": result.overrides, "report": result.report})


def tune_dataset(dataset: Dataset, options: argparse.Namespace, progress: TextIO) -> TuningResult:
    """Tunes on the events that `evaluate` would train on; its test events stay hidden from the search."""
    split_dataset = VALIDATION_PROTOCOLS[options.protocol]
    training_data = split_dataset(dataset).train
    return tune_models(
        split_dataset(training_data),
        TuningOptions(
            profile=options.profile,
            budget=TuningBudget(options.seconds, options.trials),
            model_names=options.models,
            seed=options.seed,
        ),
        report=ProgressPrinter(progress).print_progress,
        log=_open_search_log(options.log),
    )


def _open_search_log(path: Path | None) -> SearchLog:
    if path is None:
        return SearchLog()

    def save_checkpoint(checkpoint: Mapping[str, Any]) -> None:
        # An interruption leaves the previous checkpoint intact.
        write_atomically(path, json.dumps(checkpoint).encode())

    checkpoint = {}
    try:
        if path.exists():
            checkpoint = json.loads(path.read_text(encoding="utf-8"))
        return SearchLog.from_checkpoint(checkpoint, save_checkpoint)
    except (ValueError, TypeError, AttributeError) as error:
        raise DataError(f"{path.name} is not the log of a search.") from error


def format_tuning_table(report: Mapping[str, Any]) -> str:
    """A row for each model: number of trials, nDCG on both halves of the cases, and the selected settings."""
    rows = [f"{'':16}  trials  nDCG@10 searched    nDCG@10 held out    settings"]
    for name, summary in report["models"].items():
        searched = _format_gain(summary["ndcg"])
        held_out = _format_gain(summary["held_out_ndcg"])
        settings = ", ".join(f"{key} {_format_value(value)}" for key, value in summary["settings"].items())
        rows.append(f"{name:16}  {summary['trials']:6}  {searched}  {held_out}  {settings or 'defaults'}")
    blend = report["blend"]
    if blend:
        rows.append(
            f"blend, held out: {blend['defaults']:.4f} -> {blend['tuned']:.4f}; {report['seconds']:.0f} s"
        )
    return "\n".join(rows)


def _format_gain(ndcg: Mapping[str, float]) -> str:
    return f"{ndcg['defaults']:.4f} -> {ndcg['best']:.4f}  "


def _format_value(value: object) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)
