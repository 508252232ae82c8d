import sys
from argparse import ArgumentParser, Namespace
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from recommender.evaluation.images import add_arguments, run
from recommender.types import DataError


class Command(BaseCommand):
    help = "Measure whether images that look alike are of one class. Needs no database."
    requires_system_checks = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        add_arguments(parser)

    def handle(self, *_args: Any, **options: Any) -> None:
        try:
            run(Namespace(**options), out=self.stdout, progress=sys.stderr)
        except DataError as fault:
            raise CommandError(str(fault)) from fault
