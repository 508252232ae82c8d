import sys
from argparse import ArgumentParser, Namespace

from lepton_platform.management.files import FileCommand
from recommender.evaluation.cold import add_arguments, run


class Command(FileCommand):
    help = "Measure what is recommended of items that nobody chose in training. Needs no database."

    def add_arguments(self, parser: ArgumentParser) -> None:
        add_arguments(parser)

    def work(self, options: Namespace) -> None:
        run(options, out=self.stdout, progress=sys.stderr)
