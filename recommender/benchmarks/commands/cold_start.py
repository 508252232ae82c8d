"""`cold-start`: recall among items that have no training event."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TextIO

import numpy as np

from recommender.benchmarks.cold_start import attach_triples, evaluate_cold_start
from recommender.benchmarks.cold_start_table import format_cold_start_table
from recommender.benchmarks.commands.options import (
    add_dataset_arguments,
    add_json_argument,
    parse_fraction,
    parse_positive_int,
    read_dataset,
    require_parent_folder,
    write_json,
)
from recommender.dataset.item_files import read_item_categories
from recommender.dataset.triples import read_triples
from recommender.types import DataError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the cold-start benchmark; --items needs a column of categories."""
    add_dataset_arguments(parser)
    parser.add_argument("--triples", type=Path, help=".csv/.parquet with head, relation, tail")
    parser.add_argument(
        "--cold-fraction",
        type=parse_fraction,
        default=0.1,
        help="fraction of the items hidden from training",
    )
    parser.add_argument(
        "--ensemble-profile",
        choices=["fast", "full"],
        help="also evaluate a full ensemble of this training profile",
    )
    parser.add_argument("--k", type=parse_positive_int, default=10)
    parser.add_argument("--seed", type=int, default=0)
    add_json_argument(parser)


def run_command(
    options: argparse.Namespace,
    *,
    out: TextIO,
    progress: TextIO,
) -> None:
    """Prints recall@k among cold items of each model and of the baselines. Raises DataError."""
    if options.items is None:
        raise DataError("The cold-start benchmark needs --items with categories.")
    require_parent_folder(options.json)
    dataset = read_dataset(options)
    if options.triples:
        dataset = attach_triples(dataset, read_triples(options.triples))
    categories = read_item_categories(options.items)
    metrics = evaluate_cold_start(
        dataset,
        [categories.get(item_id, []) for item_id in dataset.item_ids],
        ensemble_profile=options.ensemble_profile,
        cold_fraction=options.cold_fraction,
        k=options.k,
        rng=np.random.default_rng(options.seed),
        log=lambda line: progress.write(line + "\n"),
    )
    out.write(format_cold_start_table(metrics, options.k) + "\n")
    write_json(options.json, metrics)
