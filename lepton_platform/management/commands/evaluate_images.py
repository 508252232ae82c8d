import sys
from argparse import ArgumentParser, Namespace

from lepton_platform.management.offline_command import OfflineCommand
from recommender.benchmarks.image_similarity import add_image_arguments, run_image_evaluation


class Command(OfflineCommand):
    help = "Measure whether images that look alike are of one class. Needs no database."

    def add_arguments(self, parser: ArgumentParser) -> None:
        add_image_arguments(parser)

    def run(self, options: Namespace) -> None:
        run_image_evaluation(options, out=self.stdout, progress=sys.stderr)
