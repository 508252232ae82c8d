"""Attacks the isolation of two probe tenants and reads their protection from PostgreSQL's catalogue."""

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
            "--region",
            action="append",
            choices=regions.list_served(),
            help="default: all served",
        )
        parser.add_argument("--base-url", help="default: the running server, else this process")

    def handle(self, **options: Any) -> None:
        """Prints a table for each region. Exits with status 1 on a violation; raises CommandError if the check can't run."""
        client = self._create_client(options["base_url"])
        violations = 0
        for region in options["region"] or regions.list_served():
            try:
                report = check_region(region, client)
            except (ProbeSetupError, DomainError) as error:
                raise CommandError(str(error)) from error
            self._print_report(report)
            violations += len(report.violations)
        if violations:
            sys.exit(1)

    def _create_client(self, base_url: str | None) -> ApiClient:
        """A client of `base_url` or of the running server; without one, this process's own stack."""
        running_url = read_json(InstanceDirectory(settings.LEPTON_HOME).run_file).get("base_url", "")
        address = base_url or running_url
        if address:
            client = HttpClient(address)
            if client.is_reachable():
                self.stdout.write(f"Sending requests to {address}.")
                return client
        # An address that was asked for is not replaced silently.
        if base_url:
            raise CommandError(f"Nothing answers at {base_url}.")
        self.stdout.write("No server is running: calling this process.")
        return InProcessClient()

    def _print_report(self, report: IsolationReport) -> None:
        self.stdout.write(f"\nRegion {report.region}")
        self.stdout.write(f"{'operation':<27}{'method':<8}{'own':>5}{'foreign':>9}{'absent':>8}  result")
        for result in report.results:
            self.stdout.write(_format_result(result))
        rows = "unchanged"
        if report.changed_tables:
            rows = "CHANGED: " + ", ".join(report.changed_tables)
        self.stdout.write(f"Rows of the other tenant: {rows}")
        self.stdout.write(f"Protected relations in the catalogue: {report.n_relations}")
        for name, is_noticed in report.control_checks.items():
            self.stdout.write(f"Control: {name}: {'yes' if is_noticed else 'NO'}")
        for violation in report.violations:
            self.stdout.write(f"VIOLATION {violation}")
        self.stdout.write(f"{len(report.violations)} violations")


def _format_result(result: AttackResult) -> str:
    operation = result.operation
    foreign = _format_status(result.foreign_status)
    absent = _format_status(result.absent_status)
    outcome = "; ".join(result.violations) or "ok"
    return (
        f"{operation.name:<27}{operation.method:<8}{result.own_status:>5}{foreign:>9}{absent:>8}  {outcome}"
    )


def _format_status(status: int | None) -> str:
    """`-` where the operation takes no ids."""
    return "-" if status is None else str(status)
