import json
import sys
from argparse import ArgumentParser, Namespace
from pathlib import Path

from lepton_platform.management.offline_command import OfflineCommand
from recommender.benchmarks.cli import TrainingProgressPrinter
from recommender.dataset.interaction_files import read_interactions
from recommender.dataset.item_files import read_item_texts
from recommender.dataset.splits import VALIDATION_PROTOCOLS
from recommender.fitting.warm_start import compare_refresh


class Command(OfflineCommand):
    help = "A refresh against a full training, on hidden events of a data set: quality and seconds. Needs no database."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--data", type=Path, required=True, help="as for evaluate")
        parser.add_argument("--items", type=Path, help="as for evaluate")
        parser.add_argument("--protocol", choices=list(VALIDATION_PROTOCOLS), default="time-split")
        parser.add_argument("--profile", choices=["fast", "full"], default="fast")
        parser.add_argument("--seed", type=int, default=0)
        parser.add_argument("--json", type=Path, help="where to write the figures")

    def run(self, options: Namespace) -> None:
        texts = read_item_texts(options.items) if options.items else None
        figures = compare_refresh(
            read_interactions(options.data, texts),
            protocol=options.protocol,
            profile=options.profile,
            seed=options.seed,
            report=TrainingProgressPrinter(sys.stderr).print_progress,
        )
        if options.json:
            options.json.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
        for name, gain in figures["ndcg@10"].items():
            self.stdout.write(f"{name:10} nDCG@10 {gain:.4f}  {figures['seconds'][name]:8.1f} s")
        mean, low, high = figures["refresh_gain"]
        told = f"{figures['cases']:,} cases, {figures['new_events']:,} new events"
        self.stdout.write(f"refreshed over full {mean:+.4f} [{low:+.4f}, {high:+.4f}]; {told}")
