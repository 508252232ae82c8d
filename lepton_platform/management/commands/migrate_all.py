"""Migrates all databases of this process."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand

from lepton_platform.migrate import migrate_all


class Command(BaseCommand):
    help = "Migrates every database as the migrator, transfers ownership and installs the scope keys."
    requires_system_checks: list[str] = []

    def handle(self, **_options: Any) -> None:
        """Prints a line for each database with pending migrations."""
        migrate_all(self.stdout.write)
        self.stdout.write("Every database is up to date.")
