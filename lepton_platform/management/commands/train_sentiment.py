from argparse import ArgumentParser, Namespace
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from recommender.language.training_command import add_arguments, run
from recommender.types import DataError


class Command(BaseCommand):
    help = "Learn a sentiment head from labelled reviews of your own. Needs no database."
    requires_system_checks = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        add_arguments(parser)

    def handle(self, *_args: Any, **options: Any) -> None:
        try:
            run(Namespace(**options), out=self.stdout)
        except DataError as fault:
            raise CommandError(str(fault)) from fault
