"""The evaluate command: reads files, evaluates, prints and writes. Needs no database and no service."""

from __future__ import annotations

import argparse
import json
import math
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol, TextIO

from recommender.dataset.cleaning import Cleaner, CleaningReport
from recommender.dataset.items import read_item_texts
from recommender.dataset.readers import read_interactions
from recommender.dataset.splits import SPLITS
from recommender.evaluation.profiles import NO_CHANGES, SHARES, Changes
from recommender.evaluation.report import evaluate, table
from recommender.types import DataError


class Writer(Protocol):
    """A stream, or what Django gives a command for one."""

    def write(self, text: str, /) -> Any: ...


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--data", type=Path, required=True, help="lines `user item item ...`, or .csv/.parquet/.inter"
    )
    parser.add_argument(
        "--items", type=Path, help=".csv/.parquet with item_id and texts, or .json {item: [attribute]}"
    )
    parser.add_argument("--protocol", choices=list(SPLITS), default="leave-last-out")
    parser.add_argument("--profile", choices=["fast", "full"], default="full")
    parser.add_argument(
        "--members",
        type=names_of,
        default=(),
        help=f"names with commas between, instead of the profile's own: {', '.join(SHARES)}",
    )
    parser.add_argument("--k", type=positive, default=10)
    parser.add_argument(
        "--serving-ms",
        type=_milliseconds,
        default=math.inf,
        help="what the members may take together for one history; the dearest that add little are not served",
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--clean", action="store_true", help="first take out repetitions, bursts and bots, as training does"
    )
    parser.add_argument("--tuned", type=Path, help="members' settings as tune wrote them")
    parser.add_argument("--json", type=Path, help="where to write the figures")


def run(options: argparse.Namespace, *, out: Writer, progress: TextIO) -> None:
    """Prints the table to `out` and the phases to `progress`. Raises DataError for what cannot be read."""
    texts = read_item_texts(options.items) if options.items else None
    dataset = read_interactions(options.data, texts)
    require_folder(options.json)
    cleaning = None
    if options.clean:
        dataset, cleaning = Cleaner().clean(dataset, now=datetime.now(UTC))
    report = evaluate(
        dataset,
        protocol=options.protocol,
        profile=options.profile,
        members=options.members,
        k=options.k,
        seed=options.seed,
        serving_ms=options.serving_ms,
        changes=read_settings(options.tuned) if options.tuned else NO_CHANGES,
        report=Printer(progress).report,
    )
    out.write(table(report) + "\n" + (f"{_cleaned(cleaning)}\n" if cleaning else ""))
    if options.json:
        figures = report.to_json() | ({"cleaning": cleaning.to_json()} if cleaning else {})
        options.json.write_text(json.dumps(figures, indent=2) + "\n")


def require_folder(figures: Path | None) -> None:
    """Before the work, not after it. Raises DataError."""
    if figures and not figures.resolve().parent.is_dir():
        raise DataError(f"There is no folder {figures.parent} for the figures.")


def _cleaned(report: CleaningReport) -> str:
    parts = [f"{name} {report.rules[name].events:,}" for name in report.removed()]
    return f"cleaned out, in events: {', '.join(parts) or 'nothing'}"


def read_settings(path: Path) -> Changes:
    """What tune --json wrote. Raises DataError."""
    try:
        changes = json.loads(path.read_text(encoding="utf-8"))["changes"]
        return {str(name): dict(settings) for name, settings in changes.items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise DataError(f"{path.name} does not hold settings that tune wrote.") from error


def names_of(text: str) -> tuple[str, ...]:
    names = tuple(name.strip() for name in text.split(","))
    unknown = [name for name in names if name not in SHARES]
    if unknown:
        raise argparse.ArgumentTypeError(f"there is no member {unknown[0]!r}")
    return names


def positive(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError("must be at least 1")
    return value


def _milliseconds(text: str) -> float:
    value = float(text)
    if not value > 0:
        raise argparse.ArgumentTypeError("must be greater than 0")
    return value


class Printer:
    """A line for each phase and for each tenth of the whole."""

    def __init__(self, stream: TextIO) -> None:
        self.stream = stream
        self.started = time.perf_counter()
        self.last = ("", -1)

    def report(self, phase: str, fraction: float) -> None:
        now = (phase, int(fraction * 10))
        if now != self.last:
            self.last = now
            elapsed = time.perf_counter() - self.started
            self.stream.write(f"{elapsed:7.1f} s  {fraction:4.0%}  {phase}\n")
            self.stream.flush()
