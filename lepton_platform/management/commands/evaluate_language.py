from argparse import ArgumentParser, Namespace

from lepton_platform.management.files import FileCommand
from recommender.language.evaluation_command import add_arguments, run


class Command(FileCommand):
    help = "Judge sentiment, aspects and intents on labelled texts that were not learned from. Needs no database."

    def add_arguments(self, parser: ArgumentParser) -> None:
        add_arguments(parser)

    def work(self, options: Namespace) -> None:
        run(options, out=self.stdout)
