import sys
from argparse import ArgumentParser, Namespace

from lepton_platform.management.offline_command import OfflineCommand
from recommender.benchmarks.cli import add_evaluation_arguments, run_evaluation


class Command(OfflineCommand):
    help = "Judge the recommender on a data set: full catalogue, hidden events. Needs no database."

    def add_arguments(self, parser: ArgumentParser) -> None:
        add_evaluation_arguments(parser)

    def run(self, options: Namespace) -> None:
        run_evaluation(options, out=self.stdout, progress=sys.stderr)
