import sys
from argparse import ArgumentParser, Namespace

from lepton_platform.management.files import FileCommand
from recommender.evaluation.command import add_arguments, run


class Command(FileCommand):
    help = "Judge the recommender on a data set: full catalogue, hidden events. Needs no database."

    def add_arguments(self, parser: ArgumentParser) -> None:
        add_arguments(parser)

    def work(self, options: Namespace) -> None:
        run(options, out=self.stdout, progress=sys.stderr)
