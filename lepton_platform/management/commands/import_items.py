"""Loads a file of items into a tenant's catalogue."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from lepton_platform.imports.cli import add_import_arguments, run_import
from lepton_platform.imports.loading import get_item_format


class Command(BaseCommand):
    help = (
        "Loads items from CSV, TSV, JSONL or Parquet; columns: id, title, description, categories, price, ..."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        add_import_arguments(parser)

    def handle(self, **options: Any) -> None:
        """Prints the numbers of rows by outcome. Raises CommandError."""
        run_import(self, options, get_item_format())
