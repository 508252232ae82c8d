"""`refresh`: compares a warm-started refresh with a full training on hidden events of a data set."""

from __future__ import annotations

import argparse
from typing import TextIO

from recommender.benchmarks.commands.options import (
    add_dataset_arguments,
    add_json_argument,
    add_profile_argument,
    add_protocol_argument,
    read_dataset,
    write_json,
)
from recommender.benchmarks.refresh_comparison import compare_refresh
from recommender.console import ProgressPrinter


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the comparison."""
    add_dataset_arguments(parser)
    add_protocol_argument(parser, default="time-split")
    add_profile_argument(parser, default="fast")
    parser.add_argument("--seed", type=int, default=0)
    add_json_argument(parser)


def run_command(
    options: argparse.Namespace,
    *,
    out: TextIO,
    progress: TextIO,
) -> None:
    """Prints nDCG@10 and seconds of each training, and the gain of the refresh over the full training."""
    metrics = compare_refresh(
        read_dataset(options),
        protocol=options.protocol,
        profile=options.profile,
        seed=options.seed,
        report=ProgressPrinter(progress).print_progress,
    )
    write_json(options.json, metrics)
    for name, ndcg in metrics["ndcg@10"].items():
        out.write(f"{name:10} nDCG@10 {ndcg:.4f}  {metrics['seconds'][name]:8.1f} s\n")
    mean, low, high = metrics["refresh_gain"]
    sizes = f"{metrics['cases']:,} cases, {metrics['new_events']:,} new events"
    out.write(f"refreshed over full {mean:+.4f} [{low:+.4f}, {high:+.4f}]; {sizes}\n")
