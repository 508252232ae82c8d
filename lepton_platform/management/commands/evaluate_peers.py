"""`manage.py evaluate_peers`: our transformer beside other libraries, on one split in one run."""

from __future__ import annotations

import json
from argparse import ArgumentParser, ArgumentTypeError, Namespace
from pathlib import Path

from lepton_platform.management.files import FileCommand
from recommender.algorithms.sequence import SequenceConfig
from recommender.dataset.items import read_item_texts
from recommender.dataset.readers import read_interactions
from recommender.dataset.splits import SPLITS


class Command(FileCommand):
    help = "Trains implicit's ALS and BPR, our transformer and rectools' SASRec on one split and compares quality and time."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--data", type=Path, required=True, help="as for evaluate")
        parser.add_argument(
            "--items", type=Path, help="as for evaluate; only our transformer reads texts of items"
        )
        parser.add_argument("--protocol", choices=list(SPLITS), default="leave-last-out")
        parser.add_argument(
            "--epochs", type=_positive, default=SequenceConfig().epochs, help="of our transformer"
        )
        parser.add_argument(
            "--times", type=float, default=5.0, help="how many times our training time rectools may take"
        )
        parser.add_argument("--k", type=_positive, default=10)
        parser.add_argument("--seed", type=int, default=0)
        parser.add_argument("--json", type=Path, help="where to write the figures")

    def work(self, options: Namespace) -> None:
        # Torch belongs to this command, not to every start of manage.py.
        from recommender.evaluation import peers  # noqa: PLC0415

        texts = read_item_texts(options.items) if options.items else None
        split = SPLITS[options.protocol](read_interactions(options.data, texts))
        asked = {"k": options.k, "seed": options.seed}
        standings: list[peers.Standing] = []

        def heard(standing: peers.Standing) -> None:
            standings.append(standing)
            self.stdout.write(
                f"{standing.model:16} {standing.epochs:3} rounds  {standing.seconds:8.1f} s of processor  "
                f"nDCG@{options.k} {standing.ndcg:.4f}  recall@{options.k} {standing.recall:.4f}"
            )

        try:
            heard(peers.implicit_als(split, **asked))
            heard(peers.implicit_bpr(split, **asked))
            ours = peers.our_transformer(split, SequenceConfig(epochs=options.epochs), **asked)
            heard(ours)
            for standing in peers.rectools_sasrec(split, most_seconds=ours.seconds * options.times, **asked):
                heard(standing)
        finally:
            if options.json:
                options.json.write_text(json.dumps([each.to_json() for each in standings], indent=2) + "\n")


def _positive(text: str) -> int:
    value = int(text)
    if value < 1:
        raise ArgumentTypeError("must be at least 1")
    return value
