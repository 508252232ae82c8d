"""Erases again what a restored backup of the data brought back, and says what was found."""

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
        "After a data database was restored and before anybody is served from it: erases every profile again that the "
        "ledger in the keys database knows as erased. May be stopped at any moment and run again."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--region", metavar="CODE", help="without it, every region that this machine serves"
        )

    def handle(self, **options: Any) -> None:
        regions = [options["region"]] if options["region"] else sorted(settings.LEPTON_SERVED_REGIONS)
        try:
            for region in regions:
                self._replay_region(region)
        except DomainError as error:
            raise CommandError(error.detail) from error

    def _replay_region(self, region: str) -> None:
        tenants = erased = rows = 0
        for one in replay_erasures(region, actor=ACTOR):
            tenants, erased, rows = tenants + 1, erased + one.erased, rows + one.rows
            if one.erased:
                said = f"profiles erased again: {one.erased}; rows: {one.rows}"
                self.stdout.write(f"Tenant {one.tenant.id}: {said}.")
        self.stdout.write(
            f"Region {region}: tenants: {tenants}; profiles erased again: {erased}; rows: {rows}."
        )
