"""Evaluates the education data set on a temporal split; the protocol is described in `lepton_platform.demo.education`."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from lepton_platform.demo import education
from lepton_platform.demo.education_report import format_result
from recommender.types import ignore_progress


class Command(BaseCommand):
    help = "Compares the blend with popularity and with the rule 'next assessment of the course' on the education data."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--profile", choices=("fast", "full"), default="fast")
        parser.add_argument(
            "--test-fraction", type=float, default=0.1, help="fraction of events after the cut-off"
        )
        parser.add_argument("--k", type=int, default=10)
        parser.add_argument("--seed", type=int, default=0)

    def handle(self, **options: Any) -> None:
        dataset, courses = education.load_education_data()
        result = education.evaluate_education(
            dataset,
            courses,
            profile=options["profile"],
            test_fraction=options["test_fraction"],
            k=options["k"],
            seed=options["seed"],
            report=ignore_progress,
        )
        self.stdout.write(format_result(result, options["k"]))
