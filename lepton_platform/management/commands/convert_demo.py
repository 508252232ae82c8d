from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand

from lepton_platform.demo.convert import convert_datasets


class Command(BaseCommand):
    help = "Rebuilds the demo's Parquet files from the published data sets; same sources, same bytes."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("source", type=Path, help="a folder with one folder for each data set")
        parser.add_argument("out", type=Path)

    def handle(self, **options: Any) -> None:
        for line in convert_datasets(options["source"], options["out"]):
            self.stdout.write(line)
