"""Attacks the isolation of two tenants of its own and reads the locks from PostgreSQL's catalogue."""

from __future__ import annotations

import sys
from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from lepton_platform.embedded.home import Home, read_json
from lepton_platform.management.isolation.attack import Finding
from lepton_platform.management.isolation.doors import Door, InProcess, Server
from lepton_platform.management.isolation.report import Report, check
from lepton_platform.management.isolation.spaces import Refused
from tenants import regions
from tenants.errors import DomainError


class Command(BaseCommand):
    help = "Two tenants with mirrored ids, every API operation, own, foreign and absent ids. Exit 1 on a violation."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--region", action="append", choices=regions.served(), help="default: all served")
        parser.add_argument("--base-url", help="default: the running server, else this process")

    def handle(self, **options: Any) -> None:
        door = self._door(options["base_url"])
        violations = 0
        for region in options["region"] or regions.served():
            try:
                report = check(region, door)
            except (Refused, DomainError) as error:
                raise CommandError(str(error)) from error
            self._print(report)
            violations += len(report.violations)
        if violations:
            sys.exit(1)

    def _door(self, base_url: str | None) -> Door:
        address = base_url or read_json(Home(settings.LEPTON_HOME).run_file).get("base_url", "")
        server = Server(address) if address else None
        if server is not None and server.answers():
            self.stdout.write(f"Asking {address}.")
            return server
        if base_url:
            raise CommandError(f"Nothing answers at {base_url}.")
        self.stdout.write("No server is running: asking this process.")
        return InProcess()

    def _print(self, report: Report) -> None:
        self.stdout.write(f"\nRegion {report.region}")
        self.stdout.write(f"{'operation':<27}{'method':<8}{'own':>5}{'foreign':>9}{'absent':>8}  verdict")
        for finding in report.findings:
            self.stdout.write(_line(finding))
        rows = "unchanged" if not report.changed else "CHANGED: " + ", ".join(report.changed)
        self.stdout.write(f"Rows of the other tenant: {rows}")
        self.stdout.write(f"Locked relations in the catalogue: {report.relations}")
        for name, holds in report.controls.items():
            self.stdout.write(f"Control: {name}: {'yes' if holds else 'NO'}")
        for violation in report.violations:
            self.stdout.write(f"VIOLATION {violation}")
        self.stdout.write(f"{len(report.violations)} violations")


def _line(finding: Finding) -> str:
    one = finding.operation
    foreign, absent = ("-" if status is None else str(status) for status in (finding.foreign, finding.absent))
    verdict = "; ".join(finding.violations) or "ok"
    return f"{one.name:<27}{one.method:<8}{finding.own:>5}{foreign:>9}{absent:>8}  {verdict}"
