"""`manage.py evaluate_peers`: our transformer beside other libraries, on one split in one run."""

from __future__ import annotations

import json
from argparse import ArgumentParser, ArgumentTypeError, Namespace
from pathlib import Path

from lepton_platform.management.offline_command import OfflineCommand
from recommender.algorithms.sequential.sasrec import SASRecConfig
from recommender.dataset.interaction_files import read_interactions
from recommender.dataset.item_files import read_item_texts
from recommender.dataset.splits import VALIDATION_PROTOCOLS


class Command(OfflineCommand):
    help = "Trains implicit's ALS and BPR, our transformer and rectools' SASRec on one split and compares quality and time."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--data", type=Path, required=True, help="as for evaluate")
        parser.add_argument(
            "--items", type=Path, help="as for evaluate; only our transformer reads texts of items"
        )
        parser.add_argument("--protocol", choices=list(VALIDATION_PROTOCOLS), default="leave-last-out")
        parser.add_argument(
            "--epochs", type=_parse_positive, default=SASRecConfig().epochs, help="of our transformer"
        )
        parser.add_argument(
            "--times", type=float, default=5.0, help="how many times our training time rectools may take"
        )
        parser.add_argument("--k", type=_parse_positive, default=10)
        parser.add_argument("--seed", type=int, default=0)
        parser.add_argument("--json", type=Path, help="where to write the figures")

    def run(self, options: Namespace) -> None:
        # Torch belongs to this command, not to every start of manage.py.
        from recommender.benchmarks import library_comparison  # noqa: PLC0415

        texts = read_item_texts(options.items) if options.items else None
        split = VALIDATION_PROTOCOLS[options.protocol](read_interactions(options.data, texts))
        asked = {"k": options.k, "seed": options.seed}
        standings: list[library_comparison.LibraryBenchmarkResult] = []

        def report_result(result: library_comparison.LibraryBenchmarkResult) -> None:
            standings.append(result)
            self.stdout.write(
                f"{result.model:16} {result.epochs:3} rounds  {result.seconds:8.1f} s of processor  "
                f"nDCG@{options.k} {result.ndcg:.4f}  recall@{options.k} {result.recall:.4f}"
            )

        try:
            report_result(library_comparison.evaluate_implicit_als(split, **asked))
            report_result(library_comparison.evaluate_implicit_bpr(split, **asked))
            ours = library_comparison.evaluate_lepton_sasrec(
                split, SASRecConfig(epochs=options.epochs), **asked
            )
            report_result(ours)
            for standing in library_comparison.evaluate_rectools_sasrec(
                split, max_seconds=ours.seconds * options.times, **asked
            ):
                report_result(standing)
        finally:
            if options.json:
                options.json.write_text(json.dumps([each.to_json() for each in standings], indent=2) + "\n")


def _parse_positive(text: str) -> int:
    value = int(text)
    if value < 1:
        raise ArgumentTypeError("must be at least 1")
    return value
