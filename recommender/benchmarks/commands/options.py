"""Arguments, parsers and file handling shared by the sub-commands."""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from recommender.algorithms.ensemble.registry import RELATIVE_COST
from recommender.dataset import Dataset
from recommender.dataset.interaction_files import read_interactions
from recommender.dataset.item_files import read_item_texts
from recommender.dataset.splits import VALIDATION_PROTOCOLS
from recommender.types import DataError


def add_dataset_arguments(parser: argparse.ArgumentParser) -> None:
    """--data and --items, the arguments of `read_dataset`."""
    parser.add_argument(
        "--data",
        type=Path,
        required=True,
        help="lines `user item item ...`, or .csv/.parquet/.inter",
    )
    parser.add_argument(
        "--items", type=Path, help=".csv/.parquet with item_id and texts, or .json {item: [attribute]}"
    )


def add_protocol_argument(parser: argparse.ArgumentParser, *, default: str = "leave-last-out") -> None:
    """--protocol: which events are hidden."""
    parser.add_argument("--protocol", choices=list(VALIDATION_PROTOCOLS), default=default)


def add_profile_argument(parser: argparse.ArgumentParser, *, default: str = "full") -> None:
    """--profile: how much work a training may take."""
    parser.add_argument("--profile", choices=["fast", "full"], default=default)


def add_models_argument(parser: argparse.ArgumentParser) -> None:
    """--models: model names instead of those of the training profile."""
    parser.add_argument(
        "--models",
        type=parse_model_names,
        default=(),
        help=f"comma-separated names instead of the profile's models: {', '.join(RELATIVE_COST)}",
    )


def add_json_argument(parser: argparse.ArgumentParser) -> None:
    """--json: output file of the metrics."""
    parser.add_argument("--json", type=Path, help="output file for the metrics")


def read_dataset(options: argparse.Namespace) -> Dataset:
    """Reads --data and, where it is set, --items. Raises DataError."""
    texts = None
    if options.items:
        texts = read_item_texts(options.items)
    return read_interactions(options.data, texts)


def require_parent_folder(path: Path | None) -> None:
    """Checks before a long run that its output can be written. Raises DataError."""
    if path and not path.resolve().parent.is_dir():
        raise DataError(f"There is no folder {path.parent} for the metrics.")


def write_json(path: Path | None, value: Mapping[str, Any] | list[Any]) -> None:
    """Writes indented JSON; does nothing without a path."""
    if path:
        path.write_text(json.dumps(value, indent=2) + "\n", encoding="utf-8")


def parse_model_names(text: str) -> tuple[str, ...]:
    """Comma-separated model names. Raises ArgumentTypeError for a name without a model."""
    names = tuple(name.strip() for name in text.split(","))
    for name in names:
        if name not in RELATIVE_COST:
            raise argparse.ArgumentTypeError(f"there is no model {name!r}")
    return names


def parse_positive_int(text: str) -> int:
    """An integer of at least 1. Raises ArgumentTypeError."""
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError("must be at least 1")
    return value


def parse_positive_float(text: str) -> float:
    """A number above 0. Raises ArgumentTypeError."""
    value = float(text)
    # `not value > 0` also rejects NaN.
    if not value > 0:
        raise argparse.ArgumentTypeError("must be greater than 0")
    return value


def parse_fraction(text: str) -> float:
    """A number between 0 and 1, both excluded. Raises ArgumentTypeError."""
    value = float(text)
    if not 0 < value < 1:
        raise argparse.ArgumentTypeError("must be between 0 and 1")
    return value
