"""Loads a file of events into a tenant's timeline."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from lepton_platform.imports import cli
from lepton_platform.imports.loading import load_events


class Command(BaseCommand):
    help = "Loads events from CSV, TSV, JSONL or Parquet; columns: profile_id, item_id, kind, at, value, ..."

    def add_arguments(self, parser: ArgumentParser) -> None:
        cli.add_import_arguments(parser)
        parser.add_argument("--kind", default="view", help="for rows without a kind (default: view)")

    def handle(self, **options: Any) -> None:
        cli.run_import(
            self,
            options,
            lambda tenant, path, reject, report: load_events(
                tenant, path, kind=options["kind"], actor=cli.ACTOR, reject=reject, report=report
            ),
        )
