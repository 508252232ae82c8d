"""Loads a file of events into a tenant's timeline."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from lepton_platform.imports.cli import add_import_arguments, run_import
from lepton_platform.imports.loading import get_event_format


class Command(BaseCommand):
    help = "Loads events from CSV, TSV, JSONL or Parquet; columns: profile_id, item_id, kind, at, value, ..."

    def add_arguments(self, parser: ArgumentParser) -> None:
        add_import_arguments(parser)
        parser.add_argument("--kind", default="view", help="for rows without a kind (default: view)")

    def handle(self, **options: Any) -> None:
        """Prints the numbers of rows by outcome. Raises CommandError."""
        run_import(self, options, get_event_format(options["kind"]))
