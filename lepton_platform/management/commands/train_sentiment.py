import sys
from argparse import ArgumentParser, Namespace

from lepton_platform.management.offline_command import OfflineCommand
from recommender.language.commands.train_sentiment import add_arguments, run_training


class Command(OfflineCommand):
    help = "Learn a sentiment head from labelled reviews of your own. Needs no database."

    def add_arguments(self, parser: ArgumentParser) -> None:
        add_arguments(parser)

    def run(self, options: Namespace) -> None:
        run_training(options, out=sys.stdout)
