from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from lepton_platform.demo import education
from lepton_platform.demo.findings import as_text
from recommender.types import silent


class Command(BaseCommand):
    help = "The education data on a time split: the blend against popularity and the next assessment of the course."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--profile", choices=("fast", "full"), default="fast")
        parser.add_argument("--share", type=float, default=0.1, help="of the events, after the cut")
        parser.add_argument("--k", type=int, default=10)
        parser.add_argument("--seed", type=int, default=0)

    def handle(self, **options: Any) -> None:
        dataset, courses = education.read()
        finding = education.evaluate(
            dataset,
            courses,
            profile=options["profile"],
            share=options["share"],
            k=options["k"],
            seed=options["seed"],
            report=silent,
        )
        self.stdout.write(as_text(finding, options["k"]))
