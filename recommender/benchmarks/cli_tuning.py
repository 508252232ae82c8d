"""Tuning on files: reads a data set, searches, prints and writes the settings that evaluate --tuned reads."""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TextIO

from recommender.benchmarks.cli import CommandOutput, TrainingProgressPrinter, parse_model_names
from recommender.dataset import Dataset
from recommender.dataset.interaction_files import read_interactions
from recommender.dataset.item_files import read_item_texts
from recommender.dataset.splits import VALIDATION_PROTOCOLS
from recommender.tuning.tuner import SearchLog, TuningBudget, TuningResult, tune_models
from recommender.types import DataError


def add_tuning_arguments(parser: argparse.ArgumentParser) -> None:
    """Those of a search; whose data it is comes from --data, or from the caller."""
    parser.add_argument("--data", type=Path, help="as for evaluate")
    parser.add_argument("--items", type=Path, help="as for evaluate")
    parser.add_argument("--protocol", choices=list(VALIDATION_PROTOCOLS), default="leave-last-out")
    parser.add_argument("--profile", choices=["fast", "full"], default="full")
    parser.add_argument("--members", type=parse_model_names, default=(), help="instead of the profile's own")
    parser.add_argument("--seconds", type=float, help="for all members together")
    parser.add_argument("--trials", type=int, help="of each member, in each of its two stages")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--log", type=Path, help="every trial is written here; a search broken off goes on")
    parser.add_argument("--json", type=Path, help="where to write the settings, for evaluate --tuned")


def run_tuning(options: argparse.Namespace, *, out: CommandOutput, progress: TextIO) -> None:
    """The test events of the data set stay hidden: the search sees what evaluate would learn from. Raises DataError."""
    texts = read_item_texts(options.items) if options.items else None
    found = tune_dataset(read_interactions(options.data, texts), options, progress)
    out.write(format_tuning_table(found.report) + "\n")
    if options.json:
        settings = {"changes": found.overrides, "card": found.report}
        options.json.write_text(json.dumps(settings, indent=2) + "\n", encoding="utf-8")


def tune_dataset(dataset: Dataset, options: argparse.Namespace, progress: TextIO) -> TuningResult:
    split = VALIDATION_PROTOCOLS[options.protocol](VALIDATION_PROTOCOLS[options.protocol](dataset).train)
    return tune_models(
        split,
        profile=options.profile,
        budget=TuningBudget(options.seconds or 600.0, options.trials or 20),
        model_names=options.members,
        seed=options.seed,
        report=TrainingProgressPrinter(progress).print_progress,
        log=_open_search_log(options.log),
    )


def _open_search_log(path: Path | None) -> SearchLog:
    if path is None:
        return SearchLog()

    def save_checkpoint(checkpoint: Mapping[str, Any]) -> None:
        part = path.with_suffix(path.suffix + ".part")
        part.write_text(json.dumps(checkpoint), encoding="utf-8")
        part.replace(path)

    try:
        return SearchLog.from_checkpoint(
            json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}, save_checkpoint
        )
    except (ValueError, TypeError, AttributeError) as error:
        raise DataError(f"{path.name} is not the log of a search.") from error


def format_tuning_table(report: Mapping[str, Any]) -> str:
    """A row for each member: trials, figures of both halves, and what is kept."""
    rows = [f"{'':16}  trials  nDCG@10 searched    nDCG@10 held out    settings"]
    for name, found in report["members"].items():
        figures = "  ".join(
            f"{half['defaults']:.4f} -> {half['best']:.4f}  " for half in (found["ndcg"], found["held_out"])
        )
        settings = ", ".join(f"{key} {_format_value(value)}" for key, value in found["settings"].items())
        rows.append(f"{name:16}  {found['trials']:6}  {figures}  {settings or 'as they were'}")
    if together := report["together"]:
        rows.append(
            f"their blend, held out: {together['defaults']:.4f} -> {together['tuned']:.4f}; {report['seconds']:.0f} s"
        )
    return "\n".join(rows)


def _format_value(value: object) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)
