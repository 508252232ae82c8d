"""Repeats recorded erasures after a data database was restored from a backup."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from tenants.errors import DomainError
from tenants.privacy.replay import replay_erasures
from tenants.scope import Actor

ACTOR = Actor("system", "replay_erasures")


class Command(BaseCommand):
    help = (
        "Run after a data database was restored and before it serves requests: erases every profile that the keys "
        "database has recorded as erased. May be interrupted and repeated."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--region", metavar="CODE", help="without it, every region that this machine serves"
        )

    def handle(self, **options: Any) -> None:
        """Prints the numbers of tenants, profiles and rows for each region. Raises CommandError."""
        regions = [options["region"]] if options["region"] else sorted(settings.LEPTON_SERVED_REGIONS)
        try:
            for region in regions:
                self._replay_region(region)
        except DomainError as error:
            raise CommandError(error.detail) from error

    def _replay_region(self, region: str) -> None:
        n_tenants = n_profiles = n_rows = 0
        for replay in replay_erasures(region, actor=ACTOR):
            n_tenants += 1
            n_profiles += replay.erased
            n_rows += replay.rows
            # Only exceptions are listed; most tenants have nothing to repeat.
            if replay.erased:
                self.stdout.write(
                    f"Tenant {replay.tenant.id}: profiles erased again: {replay.erased}; rows: {replay.rows}."
                )
        self.stdout.write(
            f"Region {region}: tenants: {n_tenants}; profiles erased again: {n_profiles}; rows: {n_rows}."
        )
