"""`compare-libraries`: SASRec of this project, implicit's ALS and BPR, and RecTools' SASRec on one split."""

from __future__ import annotations

import argparse
from typing import TextIO

from recommender.algorithms.sequential.sasrec import SASRecConfig
from recommender.benchmarks.commands.options import (
    add_dataset_arguments,
    add_json_argument,
    add_protocol_argument,
    parse_positive_float,
    parse_positive_int,
    read_dataset,
    write_json,
)
from recommender.benchmarks.library_comparison import (
    LibraryBenchmarkResult,
    evaluate_implicit_als,
    evaluate_implicit_bpr,
    evaluate_lepton_sasrec,
    evaluate_rectools_sasrec,
)
from recommender.dataset.splits import VALIDATION_PROTOCOLS


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the comparison."""
    add_dataset_arguments(parser)
    add_protocol_argument(parser)
    parser.add_argument(
        "--epochs",
        type=parse_positive_int,
        default=SASRecConfig().epochs,
        help="of this project's SASRec",
    )
    parser.add_argument(
        "--max-time-ratio",
        type=parse_positive_float,
        default=5.0,
        help="training time of RecTools' SASRec as a multiple of this project's",
    )
    parser.add_argument("--k", type=parse_positive_int, default=10)
    parser.add_argument("--seed", type=int, default=0)
    add_json_argument(parser)


def run_command(
    options: argparse.Namespace,
    *,
    out: TextIO,
    progress: TextIO,  # noqa: ARG001 - the interface of all sub-commands
) -> None:
    """Prints a line for each result; results so far are written to --json even when a library is missing."""
    split = VALIDATION_PROTOCOLS[options.protocol](read_dataset(options))
    k, seed = options.k, options.seed
    results: list[LibraryBenchmarkResult] = []

    def report_result(result: LibraryBenchmarkResult) -> None:
        results.append(result)
        out.write(
            f"{result.model:16} {result.epochs:3} epochs  {result.seconds:8.1f} s of processor  "
            f"nDCG@{k} {result.ndcg:.4f}  recall@{k} {result.recall:.4f}\n"
        )

    try:
        report_result(evaluate_implicit_als(split, k=k, seed=seed))
        report_result(evaluate_implicit_bpr(split, k=k, seed=seed))
        config = SASRecConfig(epochs=options.epochs)
        lepton = evaluate_lepton_sasrec(
            split,
            config,
            k=k,
            seed=seed,
        )
        report_result(lepton)
        max_seconds = lepton.seconds * options.max_time_ratio
        for result in evaluate_rectools_sasrec(
            split,
            k=k,
            seed=seed,
            max_seconds=max_seconds,
        ):
            report_result(result)
    finally:
        write_json(options.json, [result.to_json() for result in results])
