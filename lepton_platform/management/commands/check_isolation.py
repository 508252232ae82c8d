"""Attacks the isolation of two tenants of its own and reads the locks from PostgreSQL's catalogue."""

from __future__ import annotations

import sys
from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from lepton_platform.embedded.instance_directory import InstanceDirectory, read_json
from lepton_platform.management.isolation.attack import AttackResult
from lepton_platform.management.isolation.clients import ApiClient, HttpClient, InProcessClient
from lepton_platform.management.isolation.report import IsolationReport, check_region
from lepton_platform.management.isolation.tenant_pair import ProbeSetupError
from tenants import regions
from tenants.errors import DomainError


class Command(BaseCommand):
    help = "Two tenants with mirrored ids, every API operation, own, foreign and absent ids. Exit 1 on a violation."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--region", action="append", choices=regions.list_served(), help="default: all served"
        )
        parser.add_argument("--base-url", help="default: the running server, else this process")

    def handle(self, **options: Any) -> None:
        door = self._create_client(options["base_url"])
        violations = 0
        for region in options["region"] or regions.list_served():
            try:
                report = check_region(region, door)
            except (ProbeSetupError, DomainError) as error:
                raise CommandError(str(error)) from error
            self._print_report(report)
            violations += len(report.violations)
        if violations:
            sys.exit(1)

    def _create_client(self, base_url: str | None) -> ApiClient:
        address = base_url or read_json(InstanceDirectory(settings.LEPTON_HOME).run_file).get("base_url", "")
        server = HttpClient(address) if address else None
        if server is not None and server.is_reachable():
            self.stdout.write(f"Asking {address}.")
            return server
        if base_url:
            raise CommandError(f"Nothing answers at {base_url}.")
        self.stdout.write("No server is running: asking this process.")
        return InProcessClient()

    def _print_report(self, report: IsolationReport) -> None:
        self.stdout.write(f"\nRegion {report.region}")
        self.stdout.write(f"{'operation':<27}{'method':<8}{'own':>5}{'foreign':>9}{'absent':>8}  verdict")
        for finding in report.results:
            self.stdout.write(_format_result(finding))
        rows = "unchanged" if not report.changed_tables else "CHANGED: " + ", ".join(report.changed_tables)
        self.stdout.write(f"Rows of the other tenant: {rows}")
        self.stdout.write(f"Locked relations in the catalogue: {report.n_relations}")
        for name, holds in report.control_checks.items():
            self.stdout.write(f"Control: {name}: {'yes' if holds else 'NO'}")
        for violation in report.violations:
            self.stdout.write(f"VIOLATION {violation}")
        self.stdout.write(f"{len(report.violations)} violations")


def _format_result(result: AttackResult) -> str:
    one = result.operation
    foreign, absent = (
        "-" if status is None else str(status) for status in (result.foreign_status, result.absent_status)
    )
    verdict = "; ".join(result.violations) or "ok"
    return f"{one.name:<27}{one.method:<8}{result.own_status:>5}{foreign:>9}{absent:>8}  {verdict}"
