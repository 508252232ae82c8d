"""The evaluate command: reads files, evaluates, prints and writes. Needs no database and no service."""

from __future__ import annotations

import argparse
import json
import math
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol, TextIO

from recommender.algorithms.ensemble.registry import RELATIVE_COST
from recommender.benchmarks.evaluation_report import evaluate_dataset, format_evaluation_table
from recommender.dataset.cleaning import Cleaner, CleaningReport
from recommender.dataset.interaction_files import read_interactions
from recommender.dataset.item_files import read_item_texts
from recommender.dataset.splits import VALIDATION_PROTOCOLS
from recommender.fitting.training_profiles import NO_OVERRIDES, ParameterOverrides
from recommender.types import DataError


class CommandOutput(Protocol):
    """A stream, or what Django gives a command for one."""

    def write(self, text: str, /) -> Any: ...


def add_evaluation_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--data", type=Path, required=True, help="lines `user item item ...`, or .csv/.parquet/.inter"
    )
    parser.add_argument(
        "--items", type=Path, help=".csv/.parquet with item_id and texts, or .json {item: [attribute]}"
    )
    parser.add_argument("--protocol", choices=list(VALIDATION_PROTOCOLS), default="leave-last-out")
    parser.add_argument("--profile", choices=["fast", "full"], default="full")
    parser.add_argument(
        "--members",
        type=parse_model_names,
        default=(),
        help=f"names with commas between, instead of the profile's own: {', '.join(RELATIVE_COST)}",
    )
    parser.add_argument("--k", type=parse_positive_int, default=10)
    parser.add_argument(
        "--serving-ms",
        type=_parse_milliseconds,
        default=math.inf,
        help="what the members may take together for one history; the dearest that add little are not served",
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--clean", action="store_true", help="first take out repetitions, bursts and bots, as training does"
    )
    parser.add_argument("--tuned", type=Path, help="members' settings as tune wrote them")
    parser.add_argument("--json", type=Path, help="where to write the figures")


def run_evaluation(options: argparse.Namespace, *, out: CommandOutput, progress: TextIO) -> None:
    """Prints the table to `out` and the phases to `progress`. Raises DataError for what cannot be read."""
    texts = read_item_texts(options.items) if options.items else None
    dataset = read_interactions(options.data, texts)
    require_parent_folder(options.json)
    cleaning = None
    if options.clean:
        dataset, cleaning = Cleaner().clean(dataset, now=datetime.now(UTC))
    report = evaluate_dataset(
        dataset,
        protocol=options.protocol,
        profile=options.profile,
        model_names=options.members,
        k=options.k,
        seed=options.seed,
        serving_budget_ms=options.serving_ms,
        overrides=read_overrides(options.tuned) if options.tuned else NO_OVERRIDES,
        report=TrainingProgressPrinter(progress).print_progress,
    )
    out.write(
        format_evaluation_table(report) + "\n" + (f"{_format_cleaning(cleaning)}\n" if cleaning else "")
    )
    if options.json:
        figures = report.to_json() | ({"cleaning": cleaning.to_json()} if cleaning else {})
        options.json.write_text(json.dumps(figures, indent=2) + "\n")


def require_parent_folder(path: Path | None) -> None:
    """Before the work, not after it. Raises DataError."""
    if path and not path.resolve().parent.is_dir():
        raise DataError(f"There is no folder {path.parent} for the figures.")


def _format_cleaning(report: CleaningReport) -> str:
    parts = [f"{name} {report.rules[name].events:,}" for name in report.count_removed_events()]
    return f"cleaned out, in events: {', '.join(parts) or 'nothing'}"


def read_overrides(path: Path) -> ParameterOverrides:
    """What tune --json wrote. Raises DataError."""
    try:
        changes = json.loads(path.read_text(encoding="utf-8"))["changes"]
        return {str(name): dict(settings) for name, settings in changes.items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise DataError(f"{path.name} does not hold settings that tune wrote.") from error


def parse_model_names(text: str) -> tuple[str, ...]:
    names = tuple(name.strip() for name in text.split(","))
    unknown = [name for name in names if name not in RELATIVE_COST]
    if unknown:
        raise argparse.ArgumentTypeError(f"there is no member {unknown[0]!r}")
    return names


def parse_positive_int(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError("must be at least 1")
    return value


def _parse_milliseconds(text: str) -> float:
    value = float(text)
    if not value > 0:
        raise argparse.ArgumentTypeError("must be greater than 0")
    return value


class TrainingProgressPrinter:
    """A line for each phase and for each tenth of the whole."""

    def __init__(self, stream: TextIO) -> None:
        self.stream = stream
        self.started = time.perf_counter()
        self.last_step = ("", -1)

    def print_progress(self, phase: str, fraction: float) -> None:
        now = (phase, int(fraction * 10))
        if now != self.last_step:
            self.last_step = now
            elapsed = time.perf_counter() - self.started
            self.stream.write(f"{elapsed:7.1f} s  {fraction:4.0%}  {phase}\n")
            self.stream.flush()
