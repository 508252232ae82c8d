import sys
from argparse import ArgumentParser, Namespace

from lepton_platform.management.offline_command import OfflineCommand
from recommender.language.commands.evaluate import add_arguments, run_evaluation


class Command(OfflineCommand):
    help = "Judge sentiment, aspects and intents on labelled texts that were not learned from. Needs no database."

    def add_arguments(self, parser: ArgumentParser) -> None:
        add_arguments(parser)

    def run(self, options: Namespace) -> None:
        run_evaluation(options, out=sys.stdout)
