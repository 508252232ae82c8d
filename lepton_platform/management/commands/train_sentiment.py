from argparse import ArgumentParser, Namespace

from lepton_platform.management.files import FileCommand
from recommender.language.training_command import add_arguments, run


class Command(FileCommand):
    help = "Learn a sentiment head from labelled reviews of your own. Needs no database."

    def add_arguments(self, parser: ArgumentParser) -> None:
        add_arguments(parser)

    def work(self, options: Namespace) -> None:
        run(options, out=self.stdout)
