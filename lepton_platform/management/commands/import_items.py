"""Loads a file of items into a tenant's catalogue."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from lepton_platform.imports import cli
from lepton_platform.imports.loading import load_items


class Command(BaseCommand):
    help = (
        "Loads items from CSV, TSV, JSONL or Parquet; columns: id, title, description, categories, price, ..."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        cli.add_import_arguments(parser)

    def handle(self, **options: Any) -> None:
        cli.run_import(
            self,
            options,
            lambda tenant, path, reject, report: load_items(
                tenant, path, actor=cli.ACTOR, reject=reject, report=report
            ),
        )
