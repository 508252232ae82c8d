import sys
from argparse import ArgumentParser, Namespace

from lepton_platform.management.offline_command import OfflineCommand
from recommender.benchmarks.cold_start import add_cold_start_arguments, run_cold_start_evaluation


class Command(OfflineCommand):
    help = "Measure what is recommended of items that nobody chose in training. Needs no database."

    def add_arguments(self, parser: ArgumentParser) -> None:
        add_cold_start_arguments(parser)

    def run(self, options: Namespace) -> None:
        run_cold_start_evaluation(options, out=self.stdout, progress=sys.stderr)
