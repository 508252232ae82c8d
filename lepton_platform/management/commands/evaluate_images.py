import sys
from argparse import ArgumentParser, Namespace

from lepton_platform.management.files import FileCommand
from recommender.evaluation.images import add_arguments, run


class Command(FileCommand):
    help = "Measure whether images that look alike are of one class. Needs no database."

    def add_arguments(self, parser: ArgumentParser) -> None:
        add_arguments(parser)

    def work(self, options: Namespace) -> None:
        run(options, out=self.stdout, progress=sys.stderr)
